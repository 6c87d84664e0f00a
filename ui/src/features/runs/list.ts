// The runs that are held, in the engine's order, and the filter as the address writes it. Pure.
import type { RunLine, RunStatus } from '../../bindings/types';
import { RUN_STATUSES } from '../../lib/status';

export interface Filter {
  status?: RunStatus | undefined;
  workflow?: string | undefined;
  agent?: string | undefined;
  /** What a title holds; it stands in the address on its own. */
  text?: string | undefined;
}

/** `status:done workflow:market agent:operations`; what is not known is left out. */
export function parseFilter(written = '', text?: string): Filter {
  const filter: Filter = {};
  if (text) filter.text = text;
  for (const word of written.split(/\s+/)) {
    const [key, value] = [word.slice(0, word.indexOf(':')), word.slice(word.indexOf(':') + 1)];
    const status = RUN_STATUSES.find((known) => known === value);
    if (key === 'status' && status) filter.status = status;
    if (key === 'workflow' && value) filter.workflow = value;
    if (key === 'agent' && value) filter.agent = value;
  }
  return filter;
}

export function writeFilter({ status, workflow, agent }: Filter): string | undefined {
  const words = [
    status && `status:${status}`,
    workflow && `workflow:${workflow}`,
    agent && `agent:${agent}`,
  ].filter(Boolean);
  return words.length > 0 ? words.join(' ') : undefined;
}

export function isFilter({ status, workflow, agent, text }: Filter): boolean {
  return [status, workflow, agent, text].some((one) => one !== undefined);
}

/** As far as its line says: who has a part in a run, only the engine knows. */
export function fits(run: RunLine, { status, workflow, text }: Filter): boolean {
  return (
    (status === undefined || run.status === status) &&
    (workflow === undefined || run.workflow === workflow) &&
    (text === undefined || small(run.title).includes(small(text)))
  );
}

/** Small letters of the Latin alphabet alone, as the engine compares. */
const small = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** Newest first. Ids are made in the order of time, so they decide where the clock does not. */
export function newestFirst(a: RunLine, b: RunLine): number {
  return Date.parse(b.started_at) - Date.parse(a.started_at) || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

/**
 * Lays a changed run into the list. One that is older than all that are held, while more are to be fetched, is left for
 * its page; `undefined` as a row takes it out.
 */
export function lay(
  held: readonly RunLine[],
  id: string,
  run: RunLine | undefined,
  whole: boolean,
): RunLine[] {
  const others = held.filter((one) => one.id !== id);
  if (!run) return others;
  const place = others.findIndex((one) => newestFirst(run, one) < 0);
  const known = others.length < held.length;
  if (place < 0) return known || whole || held.length === 0 ? [...others, run] : others;
  return [...others.slice(0, place), run, ...others.slice(place)];
}
