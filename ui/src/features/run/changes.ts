// What is different between two states of a run. Pure.
import type { Moment, RunShown, StepShown } from '../../bindings/types';

export interface StepChange {
  step: StepShown;
  depth: number;
  /** Its status before; absent: the same. */
  was?: string;
  /** Its result, where it has one. */
  result?: { text: string; cut: boolean };
  /** The result was not there before. */
  fresh: boolean;
}

/** Figures of the whole run that people look for. */
export const FIGURES = ['steps_done', 'model_calls', 'tool_calls', 'turns', 'cost_known'] as const;
export type Figure = (typeof FIGURES)[number];

export interface Changes {
  status: { now: RunShown['status']; was?: RunShown['status'] };
  figures: { figure: Figure; now: number; was?: number }[];
  /** Open questions. */
  waiting: { now: number; was?: number };
  steps: StepChange[];
  /** True for a message that was said in between. */
  messages: (Moment['messages'][number] & { fresh: boolean })[];
  /** Nothing of all this changed. */
  same: boolean;
}

/** @param before absent: before the first entry, when there was nothing */
export function changesBetween(before: Moment | undefined, after: Moment): Changes {
  const was = before?.run;
  const now = after.run;
  const changed = <T>(then: T | undefined, value: T): { was?: T } =>
    was === undefined || then === undefined || then === value ? {} : { was: then };
  const known = new Map(flat(was?.steps ?? []).map(({ step }) => [step.path, step]));
  const results = new Map(after.results.map(({ step, ...result }) => [step, result]));
  const earlier = new Set(before?.results.map(({ step }) => step));
  const status = { now: now.status, ...changed(was?.status, now.status) };
  const figures = FIGURES.map((figure) => ({
    figure,
    now: now[figure],
    ...changed(was?.[figure], now[figure]),
  }));
  const waiting = { now: now.tasks.length, ...changed(was?.tasks.length, now.tasks.length) };
  const steps = flat(now.steps).map(({ step, depth }): StepChange => {
    const result = results.get(step.path);
    return {
      step,
      depth,
      ...changed(known.get(step.path)?.status, step.status),
      ...(result ? { result } : {}),
      fresh: result !== undefined && was !== undefined && !earlier.has(step.path),
    };
  });
  const messages = after.messages.map((message) => ({
    ...message,
    fresh: before !== undefined && message.seq > before.seq,
  }));
  const same =
    before !== undefined &&
    [status, waiting, ...figures].every((one) => one.was === undefined) &&
    steps.every((step) => step.was === undefined && !step.fresh) &&
    messages.every(({ fresh }) => !fresh);
  return { status, figures, waiting, steps, messages, same };
}

/** Steps with what is in them, in the order they are written. */
function flat(steps: readonly StepShown[], depth = 0): { step: StepShown; depth: number }[] {
  return steps.flatMap((step) => [{ step, depth }, ...flat(step.branches ?? [], depth + 1)]);
}

/** The entries a step began and ended with, around one of its entries. */
export function boundsOf(
  path: string,
  seq: number,
  started: readonly { seq: number; path?: string }[],
  finished: readonly { seq: number; path?: string }[],
): { from: number; to?: number } | undefined {
  const from = started.findLast((one) => one.path === path && one.seq <= seq)?.seq;
  if (from === undefined) return undefined;
  const to = finished.find((one) => one.path === path && one.seq > from)?.seq;
  return { from, ...(to === undefined ? {} : { to }) };
}
