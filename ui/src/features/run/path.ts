// The steps of a run by their paths, and the work path that is drawn from them. Pure.
import type { RunShown, StepShown } from '../../bindings/types';
import type { Mark } from '../../components/StatusMark.svelte';

export interface PathLine {
  step: StepShown;
  /** 0 for steps of the workflow, 1 for their branches, and so on. */
  depth: number;
  mark: Mark;
  current: boolean;
  /** From 1, of a step of the workflow. */
  number: number;
}

const MARKS: Readonly<Record<string, Mark>> = {
  pending: 'idle',
  waiting: 'need',
  running: 'run',
  done: 'done',
  failed: 'fail',
  skipped: 'idle',
};

export function stepMark(status: string): Mark {
  return MARKS[status] ?? 'idle';
}

export function pathLines(shown: Pick<RunShown, 'steps' | 'status'>): PathLine[] {
  const out: PathLine[] = [];
  const still = shown.status === 'paused' || shown.status === 'stopping';
  const visit = (steps: readonly StepShown[], depth: number, number: number) =>
    steps.forEach((step, index) => {
      const at = depth === 0 ? index + 1 : number;
      const current = step.status === 'running' || step.status === 'waiting';
      const mark: Mark = current && still ? 'pause' : stepMark(step.status);
      out.push({ step, depth, mark, current, number: at });
      visit(step.branches ?? [], depth + 1, at);
    });
  visit(shown.steps, 0, 0);
  return out;
}

/** The step a record's path lies in: the longest one that begins it. */
export function stepAt(lines: readonly PathLine[], path: string): PathLine | undefined {
  let best: PathLine | undefined;
  for (const line of lines) {
    const own = line.step.path;
    const inside = path === own || path.startsWith(`${own}/`);
    if (inside && (!best || own.length > best.step.path.length)) best = line;
  }
  return best;
}

/** The number of the step at work, for "step 2 of 5". */
export function stepNow(shown: Pick<RunShown, 'steps' | 'steps_done'>): number {
  const at = shown.steps.findIndex((step) => step.status === 'running' || step.status === 'waiting');
  return at < 0 ? Math.min(shown.steps.length, shown.steps_done) : at + 1;
}
