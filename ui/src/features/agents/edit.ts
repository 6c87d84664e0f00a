// What a person changes of an agent, as values: what differs from the agent, how it is kept as a draft, and at which field
// an engine's complaint stands. Pure: no words, no requests.
import type { AgentFile, EditRequest } from '../../bindings/types';
import { DEFAULT_MODEL } from '../shared/models';

/** Bytes of an agent's instructions that the engine takes. */
export const TEXT_MAX_BYTES = 64 * 1024;
/** Words a small model can follow; more is taken with a warning. */
export const SMALL_WORDS_MAX = 160;
/** Models in order of preference. */
export const MODELS_MAX = 8;
/** The source of an agent that stands as it came. */
export const BUILTIN = 'builtin';
/** Agents that come with the program and can be had back as they came. */
export const ORIGINALS: ReadonlySet<string> = new Set([
  'business_intelligence',
  'customer_service',
  'operations',
  'sales_marketing',
  'technical_implementation',
]);

export interface Edit {
  instructions: string;
  /** Empty: the long instructions for every model. */
  small: string;
  /** Never empty. */
  models: string[];
  tools: string[];
}

export type EditField = keyof Edit;

export function editOf(agent: AgentFile): Edit {
  const models = typeof agent.model === 'string' ? [agent.model] : agent.model;
  return {
    instructions: agent.instructions,
    small: agent.instructions_small ?? '',
    models: models.length > 0 ? [...models] : [DEFAULT_MODEL],
    tools: [...(agent.tools ?? [])],
  };
}

/** Only what differs; what is absent stays as it is. */
export function changesOf(from: Edit, to: Edit): Omit<EditRequest, 'id'> {
  return {
    ...(to.instructions === from.instructions ? {} : { instructions: to.instructions }),
    ...(to.small.trim() === from.small.trim() ? {} : { instructions_small: to.small }),
    ...(same(from.models, to.models) ? {} : { models: to.models }),
    ...(same(from.tools, to.tools) ? {} : { tools: to.tools }),
  };
}

/** The parts of `to` that are not as in `from`. */
export function partsOf(from: Edit, to: Edit): Partial<Edit> {
  const sent = changesOf(from, to);
  return {
    ...(sent.instructions === undefined ? {} : { instructions: to.instructions }),
    ...(sent.instructions_small === undefined ? {} : { small: to.small }),
    ...(sent.models === undefined ? {} : { models: to.models }),
    ...(sent.tools === undefined ? {} : { tools: to.tools }),
  };
}

/** A draft holds what was changed and nothing else, so that what others change meanwhile stays. Empty: nothing was. */
export function writeDraft(parts: Partial<Edit>): string {
  return Object.keys(parts).length > 0 ? JSON.stringify(parts) : '';
}

/** Nothing for a text that is no draft of this version of the program. */
export function readDraft(text: string): Partial<Edit> | undefined {
  try {
    const kept = JSON.parse(text) as Partial<Record<EditField, unknown>> | null;
    if (typeof kept !== 'object' || kept === null) return undefined;
    const { instructions, small, models, tools } = kept;
    const parts: Partial<Edit> = {
      ...(typeof instructions === 'string' ? { instructions } : {}),
      ...(typeof small === 'string' ? { small } : {}),
      ...(areTexts(models) && models.length > 0 ? { models } : {}),
      ...(areTexts(tools) ? { tools } : {}),
    };
    return Object.keys(parts).length > 0 ? parts : undefined;
  } catch {
    return undefined;
  }
}

const FIELDS: Readonly<Record<string, EditField>> = {
  instructions: 'instructions',
  instructions_small: 'small',
  model: 'models',
  tools: 'tools',
};

/** The engine's complaints by the field they are about; the rest is `elsewhere`. */
export function complaintsOf(details: unknown): {
  at: Partial<Record<EditField, string>>;
  elsewhere: string[];
} {
  const at: Partial<Record<EditField, string>> = {};
  const elsewhere: string[] = [];
  const issues = (details as { issues?: unknown } | null)?.issues;
  for (const issue of Array.isArray(issues) ? (issues as Record<string, unknown>[]) : []) {
    if (issue['severity'] !== 'error') continue;
    const words = [issue['reason'], issue['hint']].filter((part) => typeof part === 'string' && part !== '');
    const text = words.join('; ');
    const field = FIELDS[/^\w+/.exec(typeof issue['path'] === 'string' ? issue['path'] : '')?.[0] ?? ''];
    if (!field) elsewhere.push(text);
    else at[field] = at[field] === undefined ? text : `${at[field]}\n${text}`;
  }
  return { at, elsewhere };
}

export function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

export function wordsIn(text: string): number {
  return text.split(/\s+/).filter(Boolean).length;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
