// The shapes of the wire the frame needs, by the contract. Replaced by the types `cargo xtask bindings` generates.

/** RFC 3339, UTC, milliseconds. */
export type Time = string;

export interface Place {
  epoch: string;
  pos: number;
  change: number;
}

export interface WireError {
  code: string;
  message: string;
  hint?: string;
  details?: unknown;
}

export interface Change {
  topic: string;
  id: string;
  op: 'upsert' | 'delete';
  row?: unknown;
}

export type FeedEvent =
  | { event: 'open'; watch: string; epoch: string; pos: number; change: number }
  | { event: 'batch'; epoch: string; from: Cursor; to: Cursor; changes: Change[] }
  | ({ event: 'stream' } & StreamText)
  | { event: 'reset'; epoch: string; pos: number; change: number };

export interface Cursor {
  pos: number;
  change: number;
}

export interface StreamText {
  run: string;
  call: string;
  attempt: number;
  path: string;
  agent: string;
  /** UTF-8 bytes of this attempt sent before `text`. */
  offset: number;
  text: string;
}

export interface CallPartial {
  attempt: number;
  text: string;
  /** UTF-8 bytes in `text`. */
  offset: number;
}

export type RunStatus =
  | 'running'
  | 'waiting'
  | 'paused'
  | 'stopping'
  | 'done'
  | 'stopped'
  | 'failed'
  | 'cancelled';

export type Caller = 'local_ui' | 'local_browser' | 'local_person';

export interface Today {
  day: string;
  runs: number;
  runs_done: number;
  waiting: number;
  usd: number;
  usd_known: number;
  limit_usd?: number;
  bytes_in: number;
  bytes_out: number;
  offline: string[];
  time_zone: string;
}

export interface SettingShown {
  key: string;
  value: unknown;
  default?: unknown;
  kind?: string;
  choices?: string[];
}
