// How workflows and their steps are said: the words for patterns, conditions, limits and places in a file.
import type { IssueShown, Limits, StopCondition, WorkflowLine } from '../../bindings/types';
import { agentName, stepName, workflowName } from '../../i18n/builtin';
import { format, t, tCode } from '../../i18n/i18n.svelte';
import { durationMs, type Step } from './outline';
import type { Editing } from './editing.svelte';
import { placesOf } from './file';

type NameOf = (agent: string) => string;

export const plainName: NameOf = (agent) => agentName(agent);

/** What comes with the program is named in the person's language; what a person made, as it was named. */
export function nameOf(line: Pick<WorkflowLine, 'id' | 'name' | 'builtin'>): string {
  return line.builtin ? workflowName(line.id, line.name) : line.name;
}

export function nameOfStep(line: Pick<WorkflowLine, 'id' | 'builtin'>, step: Step): string {
  return line.builtin ? stepName(line.id, step.path, step.name) : step.name;
}

/** How those who are on a step work together. */
export function patternOf(step: Step): string {
  if (step.branches) return t(step.branches.join === 'all' ? 'flows.how.all' : 'flows.how.any');
  if (step.talk) return t(step.talk.select === 'selector' ? 'flows.how.selector' : 'flows.how.talk');
  return t(step.agents.length > 1 ? 'flows.how.turns' : 'flows.how.one');
}

/** When a talk ends, as a condition in words. */
export function stopOf(stop: StopCondition, agent: NameOf): string {
  if ('all' in stop) return format().list(stop.all.map((one) => inside(one, agent)));
  if ('any' in stop)
    return stop.any.map((one) => inside(one, agent)).reduce((a, b) => t('flows.stop.or', { a, b }));
  if ('not' in stop) return t('flows.stop.not', { what: inside(stop.not, agent) });
  if ('rounds' in stop) return t('flows.stop.rounds', { n: stop.rounds });
  if ('messages' in stop) return t('flows.stop.messages', { n: stop.messages });
  if ('tokens' in stop) return t('flows.stop.tokens', { n: stop.tokens });
  if ('cost' in stop) return t('flows.stop.cost', { cost: format().usd(stop.cost) });
  if ('elapsed' in stop) return t('flows.stop.elapsed', { time: timeOf(stop.elapsed) });
  if ('text' in stop) return t('flows.stop.text', { text: stop.text });
  if ('tool_called' in stop) return t('flows.stop.tool', { tool: stop.tool_called });
  if ('source' in stop) return t('flows.stop.source', { agent: agent(stop.source) });
  const stuck = t('flows.stop.stuck');
  return stop.no_progress ? stuck : t('flows.stop.not', { what: stuck });
}

/** Several conditions inside of another stand in brackets, so that it is plain what belongs together. */
function inside(stop: StopCondition, agent: NameOf): string {
  const words = stopOf(stop, agent);
  const many = ('all' in stop && stop.all.length > 1) || ('any' in stop && stop.any.length > 1);
  return many ? `(${words})` : words;
}

export interface Fact {
  label: string;
  value: string;
}

export function limitsOf(limits: Limits | undefined): Fact[] {
  const { turns, max_round, calls, tokens, budget_usd, elapsed } = limits ?? {};
  const said = <T>(value: T | null | undefined, words: (value: T) => string) =>
    value === null || value === undefined ? undefined : words(value);
  const { number, usd } = format();
  const all = [
    { label: t('flows.limit.money'), value: said(budget_usd, usd) },
    { label: t('flows.limit.time'), value: said(elapsed, timeOf) },
    { label: t('flows.limit.turns'), value: said(turns, number) },
    { label: t('flows.limit.talk'), value: said(max_round, number) },
    { label: t('flows.limit.calls'), value: said(calls, number) },
    { label: t('flows.limit.tokens'), value: said(tokens, number) },
  ];
  return all.flatMap(({ label, value }) => (value === undefined ? [] : [{ label, value }]));
}

function timeOf(duration: string): string {
  const ms = durationMs(duration);
  return ms === undefined ? duration : format().duration(ms);
}

/** The code of what a field cannot read. */
export const MISFIT = 'misfit';

/** What is wrong with a file that is being edited: what the check said, and what its own fields cannot read. */
export function issuesOf({ checked, misfits }: Pick<Editing, 'checked' | 'misfits'>): IssueShown[] {
  const own = misfits.map(({ path, line, wrong }): IssueShown => {
    const reason = t(wrong);
    return { severity: 'error', code: MISFIT, document: 1, path, line, reason, text: reason };
  });
  const said = new Set(own.map(({ path }) => path));
  return [...own, ...(checked?.validation.issues ?? []).filter(({ path }) => !said.has(path))];
}

/** Where in the file a complaint is, as people count, in their words; a key that has none stands as it is written there. */
export function whereOf(issue: Pick<IssueShown, 'document' | 'path'>): string[] {
  const places = placesOf(issue.path ?? '').map((place) => {
    if (place.kind === 'key') return tCode(`flows.place.key.${place.key}`) ?? place.key;
    return t(`flows.place.${place.kind}`, { n: place.n });
  });
  return issue.document > 1 ? [t('flows.place.document', { n: issue.document }), ...places] : places;
}

/** What is wrong and what to write instead, in the engine's own words. */
export function complaintOf(issue: IssueShown): string {
  return [issue.reason, issue.hint].filter(Boolean).join('; ');
}
