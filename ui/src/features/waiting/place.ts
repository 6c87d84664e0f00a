// Where a question was asked, in words. Pure.
import type { RunLine, RunShown, StepShown, TaskShown } from '../../bindings/types';

/** The run's title as its list has it; before that is read, its workflow, and at last its id. */
export function titleOf(
  task: Pick<TaskShown, 'run'> & { run_title?: string | null },
  line?: Pick<RunLine, 'title'>,
  shown?: Pick<RunShown, 'workflow_name'>,
): string {
  return task.run_title || line?.title || shown?.workflow_name || task.run.slice(-6);
}

/** The name of the step a path lies in; of nested steps the innermost. */
export function stepName(shown: Pick<RunShown, 'steps'>, path: string): string | undefined {
  let best: StepShown | undefined;
  const visit = (steps: readonly StepShown[]) => {
    for (const step of steps) {
      if (path === step.path || path.startsWith(`${step.path}/`)) best = step;
      visit(step.branches ?? []);
    }
  };
  visit(shown.steps);
  return best?.name;
}
