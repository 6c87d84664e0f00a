// Names of the agents, workflows and steps that ship, in the person's language; what a person made keeps the name it was
// given.
import { tCode } from './i18n.svelte';

/** Without a name, `sales_marketing` is "Sales marketing". */
export const agentName = (id: string, name?: string): string =>
  tCode(`builtin.agent.${id}`) ?? name ?? plain(id);

export const workflowName = (id: string, name: string): string => tCode(`builtin.workflow.${id}`) ?? name;

/** `path` is where the step stands: `roles`, or `roles/accounts` inside of another. */
export const stepName = (workflow: string, path: string, name: string): string =>
  tCode(`builtin.step.${workflow}.${path.split('/').at(-1) ?? path}`) ?? name;

/** A step as a list tells of it, by its id: `price_list` of a workflow a person made is "Price list"; a name stays as it is. */
export const stepWords = (workflow: string | undefined, step: string): string => {
  const id = step.split('/').at(-1) ?? step;
  const shipped = workflow === undefined ? undefined : tCode(`builtin.step.${workflow}.${id}`);
  return shipped ?? (ID.test(id) ? plain(id) : step);
};

const ID = /^[a-z0-9]+(_[a-z0-9]+)*$/;

function plain(id: string): string {
  const words = id.replaceAll('_', ' ');
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}
