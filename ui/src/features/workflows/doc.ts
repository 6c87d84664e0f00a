// A workflow's file as steps that know where in the text they stand, as far as it can be understood while it is written.
// Pure: no words, no requests.
import type {
  ChatFile,
  Limits,
  ParallelFile,
  StepEntry,
  StepFile,
  StopCondition,
  WorkflowFile,
} from '../../bindings/types';
import {
  nodeAt,
  parseYaml,
  valueOf,
  YamlError,
  type Path,
  type Trouble,
  type YamlNode,
} from '../../lib/yaml';
import { stepsOf, type Step } from './outline';

/** Where a step stands: `[2, 0]` is the first branch of the third. */
export type At = readonly number[];

export interface FlowDoc {
  text: string;
  root: YamlNode;
  /** As far as it can be understood; what is no text, list or number where one should be is left out. */
  workflow: WorkflowFile;
  steps: Step[];
}

/** Why there is no outline of a text. `other`: it does not begin with a workflow. */
export interface Unread {
  trouble: Trouble | 'other';
  line: number;
}

const STEP_KEYS: readonly string[] = [
  ...['id', 'name', 'task', 'agent', 'agents', 'chat', 'parallel', 'tools', 'reads'],
  ...['approve', 'output', 'limits'],
];
export const LIMIT_KEYS = ['budget_usd', 'elapsed', 'turns', 'max_round', 'calls', 'tokens'] as const;
const SCHEMA = /^bwana\.workflow\//;

export function readFlow(text: string): FlowDoc | Unread {
  let root: YamlNode | undefined;
  try {
    [root] = parseYaml(text);
  } catch (error) {
    if (error instanceof YamlError) return { trouble: error.trouble, line: error.line };
    throw error;
  }
  const value = root && valueOf(root);
  if (!root || !isMap(value)) return { trouble: 'other', line: 1 };
  const schema = value['schema'];
  if (schema !== undefined && !(typeof schema === 'string' && SCHEMA.test(schema)))
    return { trouble: 'other', line: 1 };
  const workflow = workflowOf(value);
  return { text, root, workflow, steps: stepsOf(workflow) };
}

type Loose = Record<string, unknown>;
const isMap = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const texts = (value: unknown): string[] | undefined =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : undefined;
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const figure = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

function workflowOf(value: Loose): WorkflowFile {
  return {
    schema: text(value['schema']) ?? '',
    id: text(value['id']) ?? '',
    name: text(value['name']) ?? '',
    description: text(value['description']) ?? '',
    agents: texts(value['agents']) ?? [],
    input: value['input'],
    limits: limitsOf(value['limits']),
    steps: entriesOf(value['steps']),
  };
}

function entriesOf(value: unknown): StepEntry[] {
  if (!Array.isArray(value)) return [];
  return value.map((one): StepEntry => (isMap(one) ? stepOf(one) : (text(one) ?? '')));
}

function stepOf(value: Loose): StepFile {
  return {
    id: text(value['id']) ?? null,
    name: text(value['name']) ?? '',
    task: text(value['task']) ?? null,
    agent: text(value['agent']) ?? null,
    agents: texts(value['agents']) ?? null,
    chat: isMap(value['chat']) ? chatOf(value['chat']) : null,
    parallel: isMap(value['parallel']) ? parallelOf(value['parallel']) : null,
    tools: texts(value['tools']) ?? null,
    reads: texts(value['reads']) ?? null,
    approve: value['approve'] === 'plan' ? 'plan' : null,
    output: value['output'],
    limits: limitsOf(value['limits']),
  };
}

function chatOf(value: Loose): ChatFile {
  const repeat = value['allow_repeat'];
  return {
    agents: texts(value['agents']) ?? [],
    select: value['select'] === 'selector' ? 'selector' : 'round_robin',
    allow_repeat: typeof repeat === 'boolean' ? repeat : null,
    max_round: figure(value['max_round']) ?? null,
    stop: stopOf(value['stop']) ?? null,
    summary: value['summary'] === 'model' ? 'model' : 'last_message',
  };
}

function parallelOf(value: Loose): ParallelFile {
  return {
    join: value['join'] === 'any' ? 'any' : 'all',
    width: figure(value['width']) ?? null,
    steps: entriesOf(value['steps']),
  };
}

function limitsOf(value: unknown): Limits {
  if (!isMap(value)) return {};
  const { elapsed, ...figures } = Object.fromEntries(LIMIT_KEYS.map((key) => [key, value[key]]));
  const known = Object.entries(figures).filter(([, one]) => typeof one === 'number');
  return { ...Object.fromEntries(known), elapsed: text(elapsed) ?? null } as Limits;
}

/** Conditions that are a figure. */
export const FIGURES: readonly string[] = ['rounds', 'messages', 'tokens', 'cost'];
const WORDS = ['elapsed', 'text', 'tool_called', 'source'];

function stopOf(value: unknown): StopCondition | undefined {
  if (!isMap(value)) return undefined;
  const [entry, ...more] = Object.entries(value);
  if (!entry || more.length > 0) return undefined;
  const [key, held] = entry;
  if (key === 'all' || key === 'any') {
    const inside = Array.isArray(held) ? held.map(stopOf) : [undefined];
    if (inside.includes(undefined)) return undefined;
    return { [key]: inside } as StopCondition;
  }
  if (key === 'not') {
    const inside = stopOf(held);
    return inside && { not: inside };
  }
  const fits =
    // A figure that is typed at this moment may be none yet.
    (FIGURES.includes(key) && ['number', 'string'].includes(typeof held)) ||
    (WORDS.includes(key) && typeof held === 'string') ||
    (key === 'no_progress' && typeof held === 'boolean');
  return fits ? (value as StopCondition) : undefined;
}

export const atOf = (number: string): At => number.split('.').map((part) => Number(part) - 1);
export const numberOf = (at: At): string => at.map((index) => index + 1).join('.');

export function pathOf(at: At): Path {
  return at.flatMap((index, depth) => (depth === 0 ? ['steps', index] : ['parallel', 'steps', index]));
}

/** The step a complaint is about, and what of it; nothing where it is about the workflow. */
export function stepOfPath(path: string): { at: At; key: string } | undefined {
  const head = /^steps\[\d+\](?:\.parallel\.steps\[\d+\])*/.exec(path)?.[0];
  if (head === undefined) return undefined;
  const at = [...head.matchAll(/\[(\d+)\]/g)].map(([, index]) => Number(index));
  return { at, key: /^\.(\w+)/.exec(path.slice(head.length))?.[1] ?? '' };
}

/** A step as it is written; a plain name as one with nothing else. */
export function fileAt(workflow: WorkflowFile, at: At): StepFile | undefined {
  let entries: readonly StepEntry[] = workflow.steps;
  let file: StepFile | undefined;
  for (const index of at) {
    const entry = entries[index];
    if (entry === undefined) return undefined;
    file = typeof entry === 'string' ? { name: entry } : entry;
    entries = file.parallel?.steps ?? [];
  }
  return file;
}

/** Keys of a step, or of the workflow, that this program has no field for. They stay as they are. */
export function unknownKeys(doc: FlowDoc, at: At): string[] {
  const node = nodeAt(doc.root, pathOf(at));
  if (node?.kind !== 'map') return [];
  return node.entries.map(({ key }) => key).filter((key) => !STEP_KEYS.includes(key));
}

/** A value as it stands in the file, without its quotes; empty where there is none. */
export function rawAt(doc: FlowDoc, path: Path): string {
  const node = nodeAt(doc.root, path);
  if (node?.kind !== 'scalar' || node.value === null) return '';
  return typeof node.value === 'string' ? node.value : doc.text.slice(node.from, node.to);
}

/** What stands under a key, with its comments, at the margin. */
export function sourceAt(doc: FlowDoc, path: Path): string {
  const node = nodeAt(doc.root, path);
  if (!node || (node.kind === 'scalar' && node.style === 'empty')) return '';
  // What is no map yet is kept as words.
  if (node.kind === 'scalar' && typeof node.value === 'string') return node.value;
  const source = doc.text.slice(node.from, node.to);
  if (node.kind === 'scalar' || node.flow) return source;
  return source.replaceAll(`\n${' '.repeat(node.indent)}`, '\n');
}

/** The line of a step in the file, from 1; of the workflow, the first. */
export function lineOfStep(doc: FlowDoc, at: At): number {
  const node = nodeAt(doc.root, pathOf(at));
  return doc.text.slice(0, node?.from ?? 0).split('\n').length;
}

/** The step that stands at a place of the text; nothing where the workflow itself is told. */
export function stepAt(doc: FlowDoc, offset: number): At | undefined {
  let at: At | undefined;
  for (;;) {
    const list = nodeAt(doc.root, at ? [...pathOf(at), 'parallel', 'steps'] : ['steps']);
    if (list?.kind !== 'list') return at;
    const index = list.items.findLastIndex(({ from }) => lineStart(doc.text, from) <= offset);
    const found = list.items[index];
    // Behind a list of branches stands what belongs to the step around them.
    if (!found || (at && offset > lineEnd(doc.text, list.to))) return at;
    at = [...(at ?? []), index];
  }
}

const lineStart = (all: string, offset: number) => all.lastIndexOf('\n', offset - 1) + 1;
const lineEnd = (all: string, offset: number) => {
  const end = all.indexOf('\n', offset);
  return end < 0 ? all.length : end;
};

export function stepIn(steps: readonly Step[], at: At): Step | undefined {
  const [head, ...rest] = at;
  const step = head === undefined ? undefined : steps[head];
  return rest.length === 0 ? step : step && stepIn(step.children, rest);
}
