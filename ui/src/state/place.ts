// The arithmetic of the change feed: which batches to apply, to drop, or to answer with a new query. Pure.
import type { Cursor, Place } from '../bindings/wire';

export type Verdict = 'apply' | 'drop' | 'requery';

export function sameCursor(a: Cursor, b: Cursor): boolean {
  return a.pos === b.pos && a.change === b.change;
}

/** True when everything up to `a` is contained in `b`. */
export function within(a: Cursor, b: Cursor): boolean {
  return a.pos <= b.pos && a.change <= b.change;
}

export function judge(at: Place, batch: { epoch: string; from: Cursor; to: Cursor }): Verdict {
  if (batch.epoch !== at.epoch) return 'requery';
  if (sameCursor(batch.from, at)) return 'apply';
  return within(batch.to, at) ? 'drop' : 'requery';
}
