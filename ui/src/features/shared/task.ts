// What a question to the person is made of, for the eye and for the hand: its arguments as readable facts, the fields to edit
// them, its place in the list. Pure. Words belong to words.ts, requests to answering.svelte.ts.
import type { Ask, Pattern, ScopeOffer, TaskShown } from '../../bindings/types';

/** The engine draws a line break of a preview so. */
const LINE_BREAK = '⏎';

/** A preview as a headline: its first line. What it leaves out stands in the fields below it. */
export function headline(preview: string): string {
  const [first = '', ...rest] = preview.split(LINE_BREAK);
  return rest.length > 0 ? `${first.trimEnd()}…` : first;
}

/** Text longer than this, or of more lines, is folded until the person asks for all of it. */
const FOLD_CHARS = 360;
const FOLD_LINES = 6;

export interface Fact {
  /** The argument's own name; empty when the arguments have none. */
  name: string;
  text: string;
  /** `code` is for machines: left to right, in every language. */
  look: 'text' | 'code';
  long: boolean;
}

/** A stretch of text, or one character that would not be seen and could mislead. */
export interface Stretch {
  text: string;
  hidden: boolean;
}

/** An argument as it can be changed. What is not a text is written as JSON. */
export interface EditField {
  name: string;
  kind: 'text' | 'json';
  text: string;
}

export type Edited = { ok: true; changed: boolean; args: unknown } | { ok: false; wrong: string[] };

/** Canonical JSON as a value; `undefined` where it cannot be read. */
export function parsed(args: string): unknown {
  try {
    return JSON.parse(args) as unknown;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

export function factsOf(args: string): Fact[] {
  const value = parsed(args);
  if (value === undefined) return [fact('', args, 'code')];
  if (!isObject(value)) return [factOf('', value)];
  return inOrder(value).map(([name, one]) => factOf(name, one));
}

/** Where it goes and what it is about stand before what it says: canonical JSON is sorted by name. */
const FIRST = ['to', 'url', 'path', 'subject', 'title'];

function inOrder(args: Record<string, unknown>): [string, unknown][] {
  const rank = ([name]: [string, unknown]) => (FIRST.indexOf(name) + FIRST.length + 1) % (FIRST.length + 1);
  return Object.entries(args).sort((a, b) => rank(a) - rank(b));
}

function factOf(name: string, value: unknown): Fact {
  if (typeof value === 'string') return fact(name, value, 'text');
  if (isPlain(value)) return fact(name, String(value), 'code');
  if (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string'))
    return fact(name, value.join('\n'), 'text');
  return fact(name, JSON.stringify(value, null, 2), 'code');
}

function fact(name: string, text: string, look: Fact['look']): Fact {
  return { name, text, look, long: text.length > FOLD_CHARS || text.split('\n').length > FOLD_LINES };
}

/** Indented for reading; what cannot be read stays as it is. */
export function pretty(args: string): string {
  const value = parsed(args);
  return value === undefined ? args : JSON.stringify(value, null, 2);
}

/**
 * Cuts out what is not seen: control characters, marks that turn the direction of text, and characters without width.
 * They can make one address look like another.
 */
export function stretches(text: string): Stretch[] {
  const out: Stretch[] = [];
  let seen = '';
  for (const char of text) {
    if (!isHidden(char.codePointAt(0) ?? 0)) {
      seen += char;
      continue;
    }
    if (seen !== '') out.push({ text: seen, hidden: false });
    seen = '';
    out.push({ text: `U+${hex(char)}`, hidden: true });
  }
  if (seen !== '') out.push({ text: seen, hidden: false });
  return out;
}

function hex(char: string): string {
  return (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

/** First and last of each range. Joiners are left alone: Arabic and Indic scripts and emoji are written with them. */
const HIDDEN: readonly (readonly [number, number])[] = [
  [0x00, 0x08],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x180e, 0x180e],
  [0x200b, 0x200b],
  [0x200e, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe007f],
];

function isHidden(code: number): boolean {
  return HIDDEN.some(([first, last]) => code >= first && code <= last);
}

export function fieldsOf(args: string): EditField[] {
  const value = parsed(args);
  if (!isObject(value)) return [{ name: '', kind: 'json', text: pretty(args) }];
  return inOrder(value).map(([name, one]) =>
    typeof one === 'string'
      ? { name, kind: 'text', text: one }
      : { name, kind: 'json', text: JSON.stringify(one, null, 2) },
  );
}

/** The arguments the fields stand for, or the names of those that are not JSON. */
export function editOf(args: string, fields: readonly EditField[]): Edited {
  const wrong: string[] = [];
  const entries = fields.map(({ name, kind, text }): [string, unknown] => {
    if (kind === 'text') return [name, text];
    const value = parsed(text);
    if (value === undefined) wrong.push(name);
    return [name, value];
  });
  if (wrong.length > 0) return { ok: false, wrong };
  const before = parsed(args);
  const after = isObject(before) ? Object.fromEntries(entries) : entries[0]?.[1];
  return { ok: true, changed: !same(before, after), args: after };
}

function same(a: unknown, b: unknown): boolean {
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]))
    );
  }
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((one, index) => same(one, b[index]));
  return a === b;
}

/** What a yes could reach beyond this call, as the menu shows it. `never` belongs to denying. */
export function offersOf(task: Pick<TaskShown, 'scopes'>): { more: ScopeOffer[]; never: ScopeOffer[] } {
  const all = task.scopes ?? [];
  const of = (scope: ScopeOffer['scope']) => all.filter((offer) => offer.scope === scope);
  return { more: [...of('workflow'), ...of('run')], never: of('never') };
}

/** The parameters that name an offer; without a pattern the engine takes exactly these arguments. */
export function termsOf(offer: ScopeOffer): { scope: ScopeOffer['scope']; pattern?: Pattern } {
  return { scope: offer.scope, ...(offer.pattern ? { pattern: offer.pattern } : {}) };
}

/** Who asks; empty where it is the engine itself. */
export function askerOf(ask: Ask): string {
  return 'agent' in ask ? ask.agent : '';
}

export function toolOf(ask: Ask): string {
  return 'tool' in ask ? ask.tool : '';
}

/** Waiting longest first: nobody is forgotten at the end of the list. */
export function oldestFirst(a: TaskShown, b: TaskShown): number {
  return Date.parse(a.opened_at) - Date.parse(b.opened_at) || (a.id < b.id ? -1 : 1);
}

/** Whole seconds: nobody waits in tenths. */
export function waitedMs(task: Pick<TaskShown, 'opened_at'>, now: number): number {
  // Less than a second is no time to read.
  return Math.max(1000, Math.round((now - Date.parse(task.opened_at)) / 1000) * 1000);
}

export function lastDecidedFirst(a: TaskShown, b: TaskShown): number {
  return Date.parse(b.decision?.at ?? '') - Date.parse(a.decision?.at ?? '') || (a.id < b.id ? 1 : -1);
}

/** What is selected once `gone` has left the list `before`: what stood after it, or else before it. */
export function nextAfter(
  before: readonly string[],
  gone: string,
  left: readonly string[],
): string | undefined {
  const at = before.indexOf(gone);
  const still = new Set(left);
  return (
    before.slice(at + 1).find((id) => still.has(id)) ??
    before.slice(0, Math.max(0, at)).findLast((id) => still.has(id)) ??
    left[0]
  );
}

/** The same question: what the engine's list and the journal say of it, told apart by place and arguments. */
export function isSame(task: Pick<TaskShown, 'path' | 'ask'>, path: string, ask: Ask): boolean {
  return task.path === path && task.ask.kind === ask.kind && hashOf(task.ask) === hashOf(ask);
}

function hashOf(ask: Ask): string {
  return 'args_hash' in ask ? ask.args_hash : '';
}
