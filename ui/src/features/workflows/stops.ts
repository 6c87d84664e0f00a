// When a talk ends, as a list a person can edit. Pure.
import type { StopCondition } from '../../bindings/types';
import { FIGURES } from './doc';
import { typed } from './steps';

/** When a talk ends, as a list of plain conditions; nothing for one that holds lists inside of others. */
export interface Stops {
  join: 'any' | 'all';
  rows: StopRow[];
}
export interface StopRow {
  kind: StopKind;
  value: string;
}
export const STOP_KINDS = [
  ...(['rounds', 'messages', 'text', 'source', 'tool_called'] as const),
  ...(['tokens', 'cost', 'elapsed', 'no_progress'] as const),
];
export type StopKind = (typeof STOP_KINDS)[number];

export function stopsOf(stop: StopCondition | null | undefined): Stops | undefined {
  if (!stop) return { join: 'any', rows: [] };
  const join = 'all' in stop ? 'all' : 'any';
  const inside = 'all' in stop ? stop.all : 'any' in stop ? stop.any : [stop];
  const rows = inside.map((one): StopRow | undefined => {
    const [kind, value] = Object.entries(one)[0] ?? [];
    const known = STOP_KINDS.find((each) => each === kind);
    if (!known || value === false) return undefined;
    return { kind: known, value: known === 'no_progress' ? '' : String(value) };
  });
  return rows.includes(undefined) ? undefined : { join, rows: rows as StopRow[] };
}

export function stopToFile({ join, rows }: Stops): object | undefined {
  const all = rows.map(({ kind, value }) => ({
    [kind]: kind === 'no_progress' ? true : FIGURES.includes(kind) ? typed(value) : value,
  }));
  return all.length > 1 ? { [join]: all } : all[0];
}
