// Values written as YAML, as people write it: short lists on one line, long texts as blocks, quotes where they are needed.
// Pure.
import { plainValue } from './yaml-scalars';
import type { YamlNode } from './yaml';

/** Spaces by which what is inside stands further in. */
export const STEP = 2;
/** Characters of a list or map that stands on one line. */
const LINE_MAX = 90;

/** A value that is written as it was: `1.00` stays `1.00`. */
export class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** YAML written by a person, that stands under a key or a dash with its own indentation. */
export class Lines {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * What stands behind a colon or a dash whose key or dash has the column `indent`, with the space or the end of line before
 * it and without one behind it.
 */
export function written(value: unknown, indent: number, wide = false): string {
  const short = onOneLine(value);
  if (short !== undefined && !(wide && Array.isArray(value) && value.length > 0)) return ` ${short}`;
  if (typeof value === 'string') return blockOf(value, indent);
  if (value instanceof Lines) return indented(value.text, indent + STEP);
  if (Array.isArray(value))
    return value.map((one) => `\n${' '.repeat(indent + STEP)}-${inList(one, indent + STEP)}`).join('');
  const entries = Object.entries(value as Record<string, unknown>).filter(([, one]) => one !== undefined);
  return entries
    .map(([key, one]) => `\n${' '.repeat(indent + STEP)}${keyText(key)}:${written(one, indent + STEP)}`)
    .join('');
}

/** What stands behind the dash in the column `indent`: a map begins on the same line. */
export function inList(value: unknown, indent: number): string {
  const text = written(value, indent);
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && text.startsWith('\n');
  return isMap ? ` ${text.trimStart()}` : text;
}

/** On one line; nothing for what is too long for it, or is better read over several. */
function onOneLine(value: unknown): string | undefined {
  if (value instanceof Raw) return value.text;
  if (value instanceof Lines) return /^[[{].*$/.test(value.text.trim()) ? value.text.trim() : undefined;
  if (typeof value === 'string') return isBlock(value) ? undefined : scalarText(value);
  if (Array.isArray(value)) {
    if (!value.every(isSmall)) return undefined;
    return fitting(`[${value.map((one) => flowText(one)).join(', ')}]`);
  }
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0 ? '{}' : undefined;
  return JSON.stringify(value ?? null);
}

const fitting = (text: string) => (text.length <= LINE_MAX ? text : undefined);
/** A scalar of one line. */
export function isSmall(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\n');
  return value instanceof Raw || typeof value !== 'object' || value === null;
}

/** Between brackets, whatever it is. */
export function flowText(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (typeof value === 'string') return scalarText(value, true);
  if (Array.isArray(value)) return `[${value.map(flowText).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value as Record<string, unknown>).filter(([, one]) => one !== undefined);
    return `{${entries.map(([key, one]) => `${keyText(key, true)}: ${flowText(one)}`).join(', ')}}`;
  }
  return JSON.stringify(value ?? null);
}

export function keyText(key: string, inFlow = false): string {
  return scalarText(key, inFlow);
}

/** A text on one line, in quotes where it would be read as something else without them. */
function scalarText(text: string, inFlow = false): string {
  return isPlain(text, inFlow) ? text : quotedText(text);
}

/** Durations begin with a figure and are none. */
const DURATION = /^\d+[smhd]$/;
const WORDS = /^(?:y|n|yes|no|on|off|true|false|null|~|\.inf|\.nan)$/i;
function isPlain(text: string, inFlow: boolean): boolean {
  if (DURATION.test(text)) return true;
  if (!/^[\p{L}\p{N}(/$_+.“„«][^\n\r\t]*$/u.test(text) || text !== text.trim()) return false;
  if (WORDS.test(text) || typeof plainValue(text) !== 'string' || /^[-+.\d]/.test(text)) return false;
  if (/: |:$| #|[\p{Cc}\u2028\u2029\ufeff\ud800-\udfff]/u.test(text)) return false;
  return !inFlow || !/[,[\]{}:#]/.test(text);
}

function quotedText(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A text of several lines that can stand as it is. */
function isBlock(text: string): boolean {
  if (!text.includes('\n') || /[^\n\P{Cc}]|[\u2028\u2029\ufeff\ud800-\udfff]/u.test(text)) return false;
  return /[^\n]/.test(text) && !/^[ ]+$/m.test(text);
}

function blockOf(text: string, indent: number): string {
  const body = text.replace(/\n+$/, '');
  const ends = text.length - body.length;
  // Where the first line begins with a space, how far the block stands in has to be said.
  const given = /^\n* /.test(body) ? String(STEP) : '';
  const chomp = ends === 0 ? '-' : ends === 1 ? '' : '+';
  return ` |${given}${chomp}${indented(body, indent + STEP)}${'\n'.repeat(Math.max(0, ends - 1))}`;
}

function indented(text: string, indent: number): string {
  const lines = text.replace(/\n+$/, '').split('\n');
  return lines.map((line) => (line === '' ? '\n' : `\n${' '.repeat(indent)}${line}`)).join('');
}

/** What a node says, to be written again: numbers as they stood there. */
export function rewritable(node: YamlNode, text: string): unknown {
  if (node.kind === 'list') return node.items.map(({ value }) => rewritable(value, text));
  if (node.kind === 'map')
    return Object.fromEntries(node.entries.map(({ key, value }) => [key, rewritable(value, text)]));
  return node.style === 'plain' && typeof node.value !== 'string'
    ? new Raw(text.slice(node.from, node.to))
    : node.value;
}
