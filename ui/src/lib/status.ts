// How the status of a run is drawn: its mark and the message that names it.
import type { Mark } from '../components/StatusMark.svelte';

export const RUN_STATUSES = [
  'running',
  'waiting',
  'paused',
  'stopping',
  'done',
  'stopped',
  'failed',
  'cancelled',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

const MARKS: Record<RunStatus, Mark> = {
  running: 'run',
  waiting: 'need',
  paused: 'pause',
  stopping: 'pause',
  done: 'done',
  stopped: 'fail',
  failed: 'fail',
  cancelled: 'idle',
};

export function markOf(status: RunStatus): Mark {
  return MARKS[status];
}

export function wordKeyOf<S extends RunStatus>(status: S): `status.${S}` {
  return `status.${status}`;
}
