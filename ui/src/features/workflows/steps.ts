// Changes to the steps of a workflow: each is one to the text of its file, so the outline and the text are one document and
// cannot disagree. Pure: no words, no requests.
import type { StepFile } from '../../bindings/types';
import { parseYaml, nodeAt, YamlError, type Path } from '../../lib/yaml';
import { insertItem, moveItem, pieceOf, removeItem, setIn } from '../../lib/yaml-edit';
import { Lines, Raw } from '../../lib/yaml-write';
import { plainValue } from '../../lib/yaml-scalars';
import { fileAt, pathOf, readFlow, stepIn, type At, type FlowDoc } from './doc';
import type { Step } from './outline';

/** In which order keys stand, in whichever map they are. */
const ORDER = [
  ...['schema', 'id', 'name', 'description', 'agent', 'agents'],
  ...['select', 'allow_repeat', 'max_round', 'stop', 'summary'],
  ...['approve', 'tools', 'reads', 'chat', 'task', 'input', 'output', 'limits'],
  ...['turns', 'calls', 'tokens', 'budget_usd', 'elapsed'],
  ...['join', 'width', 'parallel', 'steps'],
];
const listOf = (at: At) => pathOf(at).slice(0, -1);

/** A text with what became of it, and the step that is looked at then. */
export interface Changed {
  text: string;
  at: At | undefined;
}

/** One thing about a step; `undefined` takes it out. A plain name becomes a step in full. */
export function setStep(all: string, at: At, keys: readonly string[], value: unknown): string {
  const path = pathOf(at);
  const [root] = parseYaml(all);
  const node = nodeAt(root, path);
  if (node?.kind !== 'scalar') return setIn(all, [...path, ...keys], value, ORDER);
  if (keys.length === 1 && keys[0] === 'name') return setIn(all, path, value);
  if (value === undefined) return all;
  const full = setIn(all, path, { name: String(node.value ?? '') });
  // One key and its value might be kept on one line; the step is to be written in full.
  return setIn(full, [...path, ...keys], value, ORDER);
}

export function setFlow(all: string, keys: Path, value: unknown): string {
  return setIn(all, keys, value, ORDER);
}

/** Who works alone or in turn; nobody named means everybody of the workflow. */
export function setSpeakers(all: string, at: At, agents: readonly string[]): string {
  const alone = agents.length === 1 ? agents[0] : undefined;
  const many = agents.length > 1 ? [...agents] : undefined;
  const order: [string, unknown][] = [
    ['agent', alone],
    ['agents', many],
  ];
  // What is set comes first: a step is never without a name for who does it in between.
  order.sort(([, a], [, b]) => Number(a === undefined) - Number(b === undefined));
  return order.reduce((now, [key, value]) => setStep(now, at, [key], value), all);
}

/** Adds those to the agents of the workflow that are not there yet. */
export function withAgents(all: string, agents: readonly string[]): string {
  const doc = readFlow(all);
  if ('trouble' in doc) return all;
  const missing = agents.filter((one) => !doc.workflow.agents.includes(one));
  if (missing.length === 0) return all;
  return setFlow(all, ['agents'], [...doc.workflow.agents, ...missing]);
}

export type Way = 'speak' | 'chat' | 'parallel';

export function wayOf(file: StepFile): Way {
  if (file.chat) return 'chat';
  return file.parallel ? 'parallel' : 'speak';
}

/** Another way of working, by the same agents. `branch` names what an agent does on its own. */
export function setWay(
  all: string,
  doc: FlowDoc,
  at: At,
  way: Way,
  branch: (agent: string) => string,
): string {
  const file = fileAt(doc.workflow, at);
  const step = doc.steps.length > 0 ? stepIn(doc.steps, at) : undefined;
  if (!file || !step || wayOf(file) === way) return all;
  const { agents } = step;
  const out = (now: string, ...keys: string[]) =>
    keys.reduce((sum, key) => setStep(sum, at, [key], undefined), now);
  if (way === 'speak') return out(setSpeakers(all, at, agents), 'chat', 'parallel');
  if (way === 'chat')
    return out(setStep(all, at, ['chat'], { agents: [...agents] }), 'agent', 'agents', 'parallel', 'output');
  const task = file.task ?? undefined;
  const steps = agents.map((agent) => ({ name: branch(agent), agent, task }));
  // A step with branches has no task and no form of its own: nobody would read them.
  return out(
    setStep(all, at, ['parallel'], { join: 'all', steps }),
    'agent',
    'agents',
    'chat',
    'task',
    'output',
  );
}

/** One more step behind this one; where there is none, the first. */
export function addStep(all: string, behind: At | undefined, step: StepFile): Changed {
  const at = behind ? [...behind.slice(0, -1), (behind.at(-1) ?? 0) + 1] : [0];
  return { text: insertItem(all, listOf(at), at.at(-1) ?? 0, step), at };
}

/** One more branch, behind those there are. */
export function addBranch(all: string, doc: FlowDoc, at: At, step: StepFile): Changed {
  const branches = stepIn(doc.steps, at)?.children.length ?? 0;
  return {
    text: insertItem(all, [...pathOf(at), 'parallel', 'steps'], branches, step),
    at: [...at, branches],
  };
}

export function removeStep(all: string, doc: FlowDoc, at: At): Changed {
  const index = at.at(-1) ?? 0;
  const around = at.slice(0, -1);
  const siblings = siblingsOf(doc, at).length;
  // A step without branches would do nothing: the last one takes it along.
  if (siblings === 1 && around.length > 0) return removeStep(all, doc, around);
  const now = removeItem(all, listOf(at), index);
  const next = Math.min(index, siblings - 2);
  return { text: now, at: next >= 0 ? [...around, next] : undefined };
}

function siblingsOf(doc: FlowDoc, at: At): readonly Step[] {
  return at.length === 1 ? doc.steps : (stepIn(doc.steps, at.slice(0, -1))?.children ?? []);
}

/** Before or behind its neighbour; nothing at the end. */
export function moveStep(all: string, doc: FlowDoc, at: At, by: 1 | -1): Changed | undefined {
  const from = at.at(-1) ?? 0;
  const to = from + by;
  if (to < 0 || to >= siblingsOf(doc, at).length) return undefined;
  return { text: moveItem(all, listOf(at), from, to), at: [...at.slice(0, -1), to] };
}

/** At the same time as the step before it: as one more of its branches, or the two as branches of a new step. */
export function nestStep(all: string, doc: FlowDoc, at: At, name: string): Changed | undefined {
  const index = at.at(-1) ?? 0;
  const before = [...at.slice(0, -1), index - 1];
  const step = index > 0 ? stepIn(doc.steps, before) : undefined;
  if (!step) return undefined;
  const list = listOf(at);
  const own = pieceOf(all, list, index);
  if (step.branches) {
    const inner = [...pathOf(before), 'parallel', 'steps'];
    const now = removeItem(insertItem(all, inner, step.children.length, own), list, index);
    return { text: now, at: [...before, step.children.length] };
  }
  const other = pieceOf(all, list, index - 1);
  // A branch that is there already, so that the two can stand beside it as they are written.
  let now = insertItem(all, list, index + 1, { name, parallel: { join: 'all', steps: [{ name }] } });
  const inner = [...list, index + 1, 'parallel', 'steps'];
  now = removeItem(insertItem(insertItem(now, inner, 0, other), inner, 1, own), inner, 2);
  return { text: removeItem(removeItem(now, list, index), list, index - 1), at: [...before, 1] };
}

/** Out of the branches it is one of, behind the step around them. The last one takes its place. */
export function unnestStep(all: string, doc: FlowDoc, at: At): Changed | undefined {
  const around = at.slice(0, -1);
  const index = around.at(-1);
  if (index === undefined) return undefined;
  const own = pieceOf(all, listOf(at), at.at(-1) ?? 0);
  const list = listOf(around);
  const to = [...around.slice(0, -1), index + 1];
  const now = insertItem(all, list, index + 1, own);
  if (siblingsOf(doc, at).length === 1) return { text: removeItem(now, list, index), at: around };
  return { text: removeItem(now, listOf(at), at.at(-1) ?? 0), at: to };
}

/** A text of several lines ends with one, as people write it. */
export const taskToFile = (shown: string): string | undefined =>
  shown === '' ? undefined : shown.includes('\n') ? `${shown}\n` : shown;
export const taskToShow = (task: string): string => task.replace(/\n$/, '');

/** A figure as it was typed; what is none, as words. */
export const typed = (value: string): Raw | string =>
  typeof plainValue(value) === 'number' ? new Raw(value) : value;

/** What a person wrote as the value of a key: a map, in YAML or JSON. Nothing for anything else. */
export function mapTyped(source: string): Lines | undefined {
  // Under a key the mark between two documents would be something else.
  if (/^(?:---|\.\.\.)/m.test(source)) return undefined;
  try {
    const [node, ...more] = parseYaml(source);
    return node?.kind === 'map' && more.length === 0 ? new Lines(source) : undefined;
  } catch (error) {
    if (error instanceof YamlError) return undefined;
    throw error;
  }
}
