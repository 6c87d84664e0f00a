// How the status of a run is drawn: its mark and the message that names it.
import type { Mark } from '../components/StatusMark.svelte';

export type RunStatus =
  'running' | 'waiting' | 'paused' | 'stopping' | 'done' | 'stopped' | 'failed' | 'cancelled';

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
