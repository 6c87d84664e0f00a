// The feed's shapes by the names the interface uses, and what the transports add to the command table. Everything else is
// generated in types.ts.
import type { CallText, Changed, CommandEvent, Place as Numbers } from './types';

/** A place in the feed with its epoch: where a query's answer stands. */
export interface Place extends Numbers {
  epoch: string;
}
/** A place within one epoch; both numbers only grow. */
export type Cursor = Numbers;
export type Change = Changed;
export type CallPartial = CallText;

export type FeedEvent = Extract<CommandEvent, { event: 'open' | 'batch' | 'stream' | 'reset' }>;
/** A piece of a model's answer on its way. */
export type StreamText = Omit<Extract<CommandEvent, { event: 'stream' }>, 'event'>;

/** As whom the host lets this window act. */
export type Caller = 'local_ui' | 'local_browser' | 'local_person';

export interface WireError {
  code: string;
  message: string;
  hint?: string;
  details?: unknown;
}
