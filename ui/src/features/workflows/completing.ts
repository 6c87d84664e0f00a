// What may be written at a place of a workflow's file, out of the JSON Schema of the format and the names there are. Pure.
import { caretPlace, type Place } from '../../lib/yaml-place';

export interface Suggestion {
  label: string;
  /** What stands in the text then. */
  insert: string;
  /** In the words of the format, which are English. */
  help: string;
}

export interface Completion {
  from: number;
  typed: string;
  suggestions: Suggestion[];
}

/** What is there to be named. */
export interface Names {
  agents: readonly { id: string; name: string }[];
  tools: readonly { id: string; description: string }[];
  steps: readonly { id: string; name: string }[];
}

type Schema = Record<string, unknown>;
const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const REFERENCE = '#/$defs/';
/** References and choices inside one another. */
const DEPTH_MAX = 12;

export function completionAt(
  text: string,
  offset: number,
  schema: unknown,
  names: Names,
): Completion | undefined {
  const place = caretPlace(text, offset);
  if (!place || !isSchema(schema)) return undefined;
  const { kind, path, typed, from, others } = place;
  const schemas = schemasAt(schema, path);
  const keys = kind === 'value' ? [] : keysOf(schemas, others);
  const values = kind === 'key' ? [] : [...named(path, names), ...valuesOf(schemas)];
  const suggestions = [...values, ...keys].filter(
    ({ label }) => label !== typed && label.toLowerCase().startsWith(typed.toLowerCase()),
  );
  return suggestions.length > 0 ? { from, typed, suggestions } : undefined;
}

/** What the format says of a key. */
export function helpFor(path: Place, schema: unknown): string {
  if (!isSchema(schema)) return '';
  const key = path.at(-1) ?? '';
  const own = schemasAt(schema, path.slice(0, -1))
    .map(({ properties }) => (isSchema(properties) ? properties[key] : undefined))
    .filter(isSchema);
  const told = own.flatMap((one) => [one, ...resolved(schema, one)]).map(({ description }) => description);
  return told.find((one): one is string => typeof one === 'string' && one !== '') ?? '';
}

function schemasAt(root: Schema, path: Place): Schema[] {
  let now = resolved(root, root);
  for (const part of path) {
    now = now.flatMap(({ properties, items }) => {
      const next = part === '[]' ? items : isSchema(properties) ? properties[part] : undefined;
      return isSchema(next) ? resolved(root, next) : [];
    });
  }
  return now;
}

/** It, or what it refers to, or each of those it may be. */
function resolved(root: Schema, schema: Schema, depth = 0): Schema[] {
  if (depth > DEPTH_MAX) return [];
  const { $ref, anyOf, oneOf } = schema;
  if (typeof $ref === 'string') {
    const defs = root['$defs'];
    const found = isSchema(defs) ? defs[$ref.replace(REFERENCE, '')] : undefined;
    return isSchema(found) ? resolved(root, found, depth + 1) : [];
  }
  const choices = [anyOf, oneOf].find(Array.isArray) as unknown[] | undefined;
  return choices ? choices.filter(isSchema).flatMap((one) => resolved(root, one, depth + 1)) : [schema];
}

function keysOf(schemas: readonly Schema[], others: readonly string[]): Suggestion[] {
  const all = schemas.flatMap(({ properties, description }) =>
    isSchema(properties) ? Object.entries(properties).map(([key, one]) => ({ key, one, description })) : [],
  );
  return all
    .filter(({ key }) => !others.includes(key))
    .map(({ key, one, description }) => ({
      label: key,
      insert: `${key}: `,
      help: textOf(isSchema(one) ? one['description'] : undefined) || textOf(description),
    }));
}

function valuesOf(schemas: readonly Schema[]): Suggestion[] {
  return schemas.flatMap(({ enum: many, const: one, type, description }) => {
    const all = Array.isArray(many) ? many : one === undefined ? [] : [one];
    const words = all.filter((value) => typeof value === 'string');
    const flags =
      type === 'boolean' || (Array.isArray(type) && type.includes('boolean')) ? ['true', 'false'] : [];
    return [...words, ...flags].map((value) => ({ label: value, insert: value, help: textOf(description) }));
  });
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

function named(path: Place, names: Names): Suggestion[] {
  const key = path.findLast((part) => part !== '[]');
  const made = (id: string, help: string) => ({ label: id, insert: id, help });
  if (key === 'agent' || key === 'agents' || key === 'source')
    return names.agents.map(({ id, name }) => made(id, name));
  if (key === 'tools' || key === 'tool_called')
    return names.tools.map(({ id, description }) => made(id, description));
  return key === 'reads' ? names.steps.map(({ id, name }) => made(id, name)) : [];
}
