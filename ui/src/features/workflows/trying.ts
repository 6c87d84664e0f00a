// What a trial run begins with: the input and the results of the last run of a workflow, as far as there is one. Pure but for
// its requests; no words.
import type { Moment, RunLine, RunList, StartOptions, Started, What } from '../../bindings/types';
import type { Platform } from '../../platform/platform';
import type { Step } from './outline';

/** Bytes of an input and of each result the engine takes. */
export const TEXT_MAX_BYTES = 64 * 1024;
/** Of the last runs, how many are looked through for one with results. */
const RUNS_LOOKED = 5;

export interface Last {
  run: RunLine;
  input: string;
  /** Results by the id of their top-level step, and whether only their beginning is there. */
  results: ReadonlyMap<string, { text: string; cut: boolean }>;
}

/** The newest run of a workflow with a result of one of these steps; else the newest one. */
export async function lastRun(
  platform: Platform,
  workflow: string,
  steps: readonly string[],
): Promise<Last | undefined> {
  const params = { workflow, limit: RUNS_LOOKED };
  const { value } = await platform.rpc<RunList>('run.list', params);
  let newest: Last | undefined;
  for (const run of value.runs) {
    const at = await platform.rpc<Moment>('run.at', { run: run.id, seq: run.head_seq });
    const results = new Map(
      at.value.results
        .filter(({ step }) => steps.includes(step))
        .map(({ step, text, cut }) => [step, { text, cut }] as const),
    );
    const last = { run, input: at.value.run.input, results };
    if (steps.length === 0 || results.size > 0) return last;
    newest ??= last;
  }
  return newest;
}

/** The top-level steps before this one, which are not worked on when a run begins with it. */
export function stepsBefore(all: readonly Step[], from: Step): Step[] {
  const index = all.findIndex(({ number }) => number === topOf(from.number));
  return all.slice(0, Math.max(0, index));
}

/** A run begins with a top-level step: for a branch, the step around it. */
export const topOf = (number: string): string => number.split('.')[0] ?? number;

export interface Trial {
  what: What;
  input: string;
  dry: boolean;
  from?: { step: string; only: boolean; pinned: Record<string, string> } | undefined;
}

/** @throws RequestError when it did not begin */
export async function startTrial(platform: Platform, { what, input, dry, from }: Trial): Promise<string> {
  const options: StartOptions = {
    ...(dry ? { dry_run: true } : {}),
    ...(from ? { from: from.step, only: from.only, pinned: from.pinned } : {}),
  };
  const { value } = await platform.rpc<Started>('run.start', { what, input, options });
  return value.run;
}
