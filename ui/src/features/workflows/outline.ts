// A workflow's steps as a tree with every default filled in: who does it, what it reads, which tools it has. Pure: no
// words. What does not belong here: how a step is said or drawn.
import type { ChatFile, Limits, ParallelFile, StepEntry, StepFile, WorkflowFile } from '../../bindings/types';

/** Turns of a talk where nothing says how many. */
const MAX_ROUND = 10;
/** Branches in flight at once where nothing says how many. */
const PARALLEL_WIDTH = 4;
const SLUG_CHARS = 40;
const DURATION = /^(\d+)([smhd])$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export interface Talk {
  select: ChatFile['select'];
  allowRepeat: boolean;
  maxRound: number;
  stop: ChatFile['stop'];
  summary: ChatFile['summary'];
}

export interface Branches {
  join: ParallelFile['join'];
  width: number;
}

export interface Step {
  /** Ids from the top, joined by `/`. */
  path: string;
  /** `3`, or `3.1` for the first branch of the third. */
  number: string;
  id: string;
  name: string;
  task: string | undefined;
  /** In the order in which they speak; of a step with branches, all who work in them. */
  agents: readonly string[];
  talk: Talk | undefined;
  branches: Branches | undefined;
  /** Nothing: each agent's own. */
  tools: readonly string[] | undefined;
  /** Nothing: all results before it. */
  reads: readonly string[] | undefined;
  asksBefore: boolean;
  /** Its result has to fit a form. */
  hasForm: boolean;
  limits: Limits;
  children: readonly Step[];
}

interface Around {
  path: string;
  number: string;
  tools: readonly string[] | undefined;
  reads: readonly string[] | undefined;
}

export function stepsOf(workflow: WorkflowFile): Step[] {
  const top: Around = { path: '', number: '', tools: undefined, reads: undefined };
  return steps(workflow, workflow.steps, top);
}

function steps(workflow: WorkflowFile, entries: readonly StepEntry[], around: Around): Step[] {
  const files = entries.map((entry): StepFile => (typeof entry === 'string' ? { name: entry } : entry));
  const ids = siblingIds(files);
  return files.map((file, index) => {
    const id = ids[index] ?? '';
    const path = around.path === '' ? id : `${around.path}/${id}`;
    const number = `${around.number === '' ? '' : `${around.number}.`}${index + 1}`;
    const tools = file.tools ?? around.tools;
    const reads = file.reads ?? around.reads;
    const children = file.parallel
      ? steps(workflow, file.parallel.steps, { path, number, tools, reads })
      : [];
    return {
      path,
      number,
      id,
      name: file.name,
      task: file.task?.trim() || undefined,
      agents: whoOf(workflow, file, children),
      talk: file.chat ? talkOf(workflow, file, file.chat) : undefined,
      branches: file.parallel
        ? {
            join: file.parallel.join,
            width: Math.min(file.parallel.width ?? PARALLEL_WIDTH, children.length),
          }
        : undefined,
      tools,
      reads,
      asksBefore: file.approve === 'plan',
      hasForm: file.output !== undefined && file.output !== null,
      limits: file.limits ?? {},
      children,
    };
  });
}

function whoOf(workflow: WorkflowFile, file: StepFile, children: readonly Step[]): readonly string[] {
  if (file.chat) return file.chat.agents;
  if (file.parallel) return [...new Set(children.flatMap(({ agents }) => agents))];
  if (file.agent) return [file.agent];
  return file.agents ?? workflow.agents;
}

function talkOf(workflow: WorkflowFile, file: StepFile, chat: ChatFile): Talk {
  return {
    select: chat.select,
    allowRepeat: chat.allow_repeat ?? false,
    maxRound: chat.max_round ?? file.limits?.max_round ?? workflow.limits?.max_round ?? MAX_ROUND,
    stop: chat.stop,
    summary: chat.summary,
  };
}

/** A given id, else one made of the name; one that is taken gets a number behind it. */
function siblingIds(files: readonly StepFile[]): string[] {
  const given = new Set(files.map(({ id }) => id));
  const ids: string[] = [];
  for (const [index, { id, name }] of files.entries()) {
    const own = id ?? undefined;
    const base = slugOf(name) || `step_${index + 1}`;
    let made = own ?? base;
    for (let n = 2; own === undefined && (given.has(made) || ids.includes(made)); n += 1)
      made = `${base}-${n}`;
    ids.push(made);
  }
  return ids;
}

/** Letters and digits in lower case, joined by `_`; empty when nothing is left of the name. */
export function slugOf(name: string): string {
  const plain = name.normalize('NFKD').replace(/[\u0300-\u036f']/gu, '');
  const words = plain.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.join('_').slice(0, SLUG_CHARS).replace(/_+$/, '');
}

/** `wanted`, or with a number behind it if that is taken; never longer than a slug may be. */
export function freeSlug(wanted: string, taken: (slug: string) => boolean): string {
  for (let n = 1; ; n += 1) {
    const tail = n === 1 ? '' : `_${n}`;
    const slug = `${wanted.slice(0, SLUG_CHARS - tail.length)}${tail}`;
    if (!taken(slug)) return slug;
  }
}

/** The steps one can see, in the order of the arrow keys: those inside a folded one are left out. */
export function visible(all: readonly Step[], folded: ReadonlySet<string>): Step[] {
  return all.flatMap((step) => [step, ...(folded.has(step.path) ? [] : visible(step.children, folded))]);
}

/** `folded` with this step closed or opened. */
export function folding(folded: ReadonlySet<string>, path: string, closed: boolean): ReadonlySet<string> {
  const next = new Set(folded);
  if (closed) next.add(path);
  else next.delete(path);
  return next;
}

/** Tools that those on a step have there, and those it names that none of them has. */
export function toolsOf<T extends { name: string }>(
  step: Step,
  ofAgent: (agent: string) => readonly T[],
): { name: string; tool: T | undefined }[] {
  const own = new Map(step.agents.flatMap(ofAgent).map((tool) => [tool.name, tool]));
  return (step.tools ?? [...own.keys()]).map((name) => ({ name, tool: own.get(name) }));
}

export function find(all: readonly Step[], path: string): Step | undefined {
  return visible(all, new Set()).find((step) => step.path === path);
}

export function byNumber(all: readonly Step[], number: string): Step | undefined {
  return visible(all, new Set()).find((step) => step.number === number);
}

/** `6h` in milliseconds; nothing for what is no duration. */
export function durationMs(text: string): number | undefined {
  const [, figure, unit] = DURATION.exec(text) ?? [];
  const factor = UNIT_MS[unit ?? ''];
  return factor === undefined ? undefined : Number(figure) * factor;
}

/** What the input is, out of its JSON Schema: a text, or a form with named fields. */
export function inputOf(schema: unknown): {
  description: string | undefined;
  maxChars: number | undefined;
  fields: string[];
} {
  const of = typeof schema === 'object' && schema !== null ? (schema as Record<string, unknown>) : {};
  const { description, maxLength, properties } = of;
  return {
    description: typeof description === 'string' && description !== '' ? description : undefined,
    maxChars: typeof maxLength === 'number' ? maxLength : undefined,
    fields: typeof properties === 'object' && properties !== null ? Object.keys(properties) : [],
  };
}
