// Changes to one place of a YAML text: a value set or taken out, an item of a list moved, added or taken away. Everything
// else stays as it was written, with its comments, quotes and empty lines. Pure.
import { nodeAt, parseYaml, type ListNode, type MapNode, type Path, type YamlNode } from './yaml';
import { flowText, inList, isSmall, keyText, rewritable, STEP, written } from './yaml-write';

/** Characters of what may stay in brackets. */
const FLOW_MAX = 90;

/** Where a new key stands among its neighbours: behind the last of those named before it. */
export type Order = readonly string[];

/**
 * The text with another value at a path of its first document, or without it where the value is `undefined`. Maps on the
 * way that are missing are made, and those left empty are taken out.
 *
 * @throws YamlError when the text cannot be read
 */
export function setIn(text: string, path: Path, value: unknown, order: Order = []): string {
  const open = opened(text, path.slice(0, -1), (node, inside) => staysFlow(node, inside, value));
  const root = rootOf(open);
  const { at, deep } = reached(root, path);
  const rest = path.slice(deep);
  if (!at) return open;
  if (rest.length === 0) {
    if (value === undefined) return without(open, root, path);
    return replaced(open, at, nodeAt(root, path.slice(0, -1)), value);
  }
  if (value === undefined) return open;
  const inner = rest.slice(1).reduceRight<unknown>((held, key) => ({ [key]: held }), value);
  const key = String(rest[0]);
  if (at.kind === 'map' && !at.flow && at.entries.length > 0) return added(open, at, key, inner, order);
  // What is on one line, or no map yet, is written anew.
  const held = at.kind === 'map' ? (rewritable(at, open) as Record<string, unknown>) : {};
  return replaced(open, at, nodeAt(root, path.slice(0, deep - 1)), placed(held, key, inner, order));
}

function rootOf(text: string): YamlNode | undefined {
  return parseYaml(text)[0];
}

/** A few short values may stay in their brackets. */
function staysFlow(node: YamlNode, inside: string, value: unknown): boolean {
  if (node.kind === 'scalar' || inside.includes('\n')) return false;
  const values = node.kind === 'map' ? node.entries : node.items;
  const flat = values.every((one) => one.value.kind === 'scalar');
  return (
    flat && (value === undefined || isSmall(value)) && inside.length + flowText(value).length <= FLOW_MAX
  );
}

/** The text with what stands in brackets on the way to a path brought out of them, but for what may `stay`. */
function opened(text: string, path: Path, stay: (node: YamlNode, inside: string) => boolean): string {
  let now = text;
  for (let deep = 0; deep <= path.length; deep += 1) {
    const root = rootOf(now);
    const at = nodeAt(root, path.slice(0, deep));
    if (!at || at.kind === 'scalar' || !at.flow || isEmpty(at)) continue;
    if (stay(at, now.slice(at.from, at.to))) continue;
    const parent = nodeAt(root, path.slice(0, Math.max(0, deep - 1)));
    now = asBlock(now, at, deep === 0 ? undefined : parent, rewritable(at, now));
  }
  return now;
}

const isEmpty = (node: YamlNode) => node.kind !== 'scalar' && childrenOf(node).length === 0;
const childrenOf = (node: ListNode | MapNode) => (node.kind === 'map' ? node.entries : node.items);

function asBlock(text: string, at: YamlNode, parent: YamlNode | undefined, value: unknown): string {
  const indent = parent && parent.kind !== 'scalar' ? parent.indent : -STEP;
  const now = parent?.kind === 'list' ? inList(value, indent) : written(value, indent, true);
  const start = valueStart(at, parent);
  return splice(text, start, at.to, start === 0 ? now.trimStart() : now);
}

/** The deepest node there is on the way to a path, and how many parts of it lead there. */
function reached(root: YamlNode | undefined, path: Path): { at: YamlNode | undefined; deep: number } {
  let deep = path.length;
  while (deep > 0 && !nodeAt(root, path.slice(0, deep))) deep -= 1;
  return { at: nodeAt(root, path.slice(0, deep)), deep };
}

/** `held` with one more key, in its place. */
function placed(held: Record<string, unknown>, key: string, value: unknown, order: Order): object {
  const keys = Object.keys(held);
  keys.splice(placeFor(keys, key, order), 0, key);
  return Object.fromEntries(keys.map((one) => [one, one === key ? value : held[one]]));
}

function placeFor(keys: readonly string[], key: string, order: Order): number {
  const rank = order.indexOf(key);
  if (rank < 0) return keys.length;
  return (
    keys.findLastIndex((one) => {
      const other = order.indexOf(one);
      return other >= 0 && other < rank;
    }) + 1
  );
}

/** Another value where one stands. A comment behind the old one stays on the line where it is. */
function replaced(text: string, at: YamlNode, parent: YamlNode | undefined, value: unknown): string {
  const around = parent?.kind === 'scalar' ? undefined : parent;
  if (around?.flow) return splice(text, at.from, at.to, flowText(value));
  const start = valueStart(at, around);
  const indent = around?.indent ?? -STEP;
  const now = keepsFlow(at, value)
    ? ` ${flowText(value)}`
    : around?.kind === 'list'
      ? inList(value, indent)
      : written(value, indent, at.kind === 'list' && !at.flow);
  const comment = commentOf(text, at);
  if (comment.text === '') return splice(text, start, at.to, now);
  const end = now.includes('\n') ? now.indexOf('\n') : now.length;
  return splice(text, start, comment.to, `${now.slice(0, end)}${comment.text}${now.slice(end)}`);
}

/** The comment on the last line of a value, or on the first of a block of text, with the space before it. */
function commentOf(text: string, at: YamlNode): { text: string; to: number } {
  const isBlock = at.kind === 'scalar' && (at.style === 'literal' || at.style === 'folded');
  const from = isBlock ? at.from : at.to;
  const line = text.slice(from, lineEnd(text, from));
  const found = (isBlock ? /^[|>][-+\d]*([ \t]+#.*)$/ : /^([ \t]+#.*)$/).exec(line)?.[1] ?? '';
  const lines = at.kind !== 'scalar' && !at.flow;
  // Behind the last of several lines it belongs to that line, and goes with it.
  return { text: lines ? '' : found, to: isBlock ? at.to : at.to + found.length };
}

/** What stood in brackets stays in them while it is short. */
function keepsFlow(at: YamlNode, value: unknown): boolean {
  if (at.kind === 'scalar' || !at.flow || typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value) !== (at.kind === 'list') || isSmall(value)) return false;
  return Object.values(value).every((one) => isSmall(one)) && flowText(value).length <= FLOW_MAX;
}

/** Behind the colon or the dash that holds it. */
function valueStart(at: YamlNode, parent: YamlNode | undefined): number {
  if (parent?.kind === 'map') return parent.entries.find(({ value }) => value === at)?.colon ?? at.from;
  if (parent?.kind === 'list')
    return (parent.items.find(({ value }) => value === at)?.from ?? at.from - 1) + 1;
  return at.from;
}

/** One more key in a map of lines. */
function added(text: string, map: MapNode, key: string, value: unknown, order: Order): string {
  const line = `${keyText(key)}:${written(value, map.indent)}`;
  const at = placeFor(
    map.entries.map((one) => one.key),
    key,
    order,
  );
  const before = map.entries[at - 1];
  if (!before) return splice(text, map.from, map.from, `${line}\n${' '.repeat(map.indent)}`);
  const end = lineEnd(text, Math.max(before.value.to, before.colon));
  return splice(text, end, end, `\n${' '.repeat(map.indent)}${line}`);
}

/** Takes out a key, and the map around it if it was the last one there. */
function without(text: string, root: YamlNode | undefined, path: Path): string {
  const parent = nodeAt(root, path.slice(0, -1));
  const key = path.at(-1);
  if (parent?.kind === 'list' && typeof key === 'number') return removeItem(text, path.slice(0, -1), key);
  if (parent?.kind !== 'map') return text;
  if (parent.entries.length === 1 && path.length > 1) return without(text, root, path.slice(0, -1));
  const index = parent.entries.findIndex((one) => one.key === key);
  const entry = parent.entries[index];
  if (!entry) return text;
  if (parent.flow) {
    const held = rewritable(parent, text) as Record<string, unknown>;
    const kept = Object.fromEntries(Object.entries(held).filter(([one]) => one !== key));
    return splice(text, parent.from, parent.to, flowText(kept));
  }
  const next = parent.entries[index + 1];
  const to = lineEnd(text, Math.max(entry.value.to, entry.colon));
  const lineStart = text.lastIndexOf('\n', entry.from - 1) + 1;
  const alone = text.slice(lineStart, entry.from).trim() === '';
  if (alone) return splice(text, lineStart, Math.min(to + 1, text.length), '');
  // It stands behind a dash: the next one takes its place there.
  return next ? splice(text, entry.from, next.from, '') : splice(text, entry.from, to, '{}');
}

/** A list's items as pieces of text: with the comments right above each, and what stands between them. */
interface Pieces {
  from: number;
  to: number;
  indent: number;
  bodies: string[];
  /** Between one and the next. */
  gaps: string[];
}

function piecesOf(text: string, list: ListNode): Pieces {
  const spans = list.items.map((item, index) => {
    const behind = index > 0 ? lineEnd(text, endOf(list, index - 1)) + 1 : 0;
    return {
      from: commentStart(text, item.from, Math.max(behind, 0)),
      to: lineEnd(text, endOf(list, index)),
    };
  });
  const [first, last] = [spans[0], spans.at(-1)];
  return {
    from: first?.from ?? list.from,
    to: last?.to ?? list.to,
    indent: list.indent,
    bodies: spans.map(({ from, to }) => text.slice(from, to)),
    gaps: spans.slice(1).map(({ from }, index) => text.slice(spans[index]?.to ?? from, from)),
  };
}

const endOf = (list: ListNode, index: number) => {
  const item = list.items[index];
  return item ? Math.max(item.value.to, item.from + 1) : list.to;
};

/** The start of the line, or of the comments that stand right above it in the same column. */
function commentStart(text: string, at: number, least: number): number {
  let start = text.lastIndexOf('\n', at - 1) + 1;
  const column = at - start;
  while (start > least) {
    const above = text.lastIndexOf('\n', start - 2) + 1;
    const line = text.slice(above, start - 1);
    if (above < least || !new RegExp(`^ {${column}}#`).test(line)) break;
    start = above;
  }
  return start;
}

function joined(text: string, pieces: Pieces): string {
  const body = pieces.bodies.map((one, index) => one + (pieces.gaps[index] ?? '')).join('');
  return splice(text, pieces.from, pieces.to, body);
}

/** The list at a path, with its items on lines of their own. */
function blockList(text: string, path: Path): { text: string; list: ListNode } | undefined {
  const now = opened(text, path, () => false);
  const list = nodeAt(rootOf(now), path);
  return list?.kind === 'list' && !list.flow ? { text: now, list } : undefined;
}

/** An item in another place of the same list. */
export function moveItem(text: string, path: Path, from: number, to: number): string {
  const found = blockList(text, path);
  if (!found || !found.list.items[from] || !found.list.items[to]) return text;
  const pieces = piecesOf(found.text, found.list);
  const [body] = pieces.bodies.splice(from, 1);
  pieces.bodies.splice(to, 0, body ?? '');
  return joined(found.text, pieces);
}

/** An item less; a list without any is `[]`. */
export function removeItem(text: string, path: Path, index: number): string {
  const found = blockList(text, path);
  if (!found || !found.list.items[index]) return text;
  if (found.list.items.length === 1) {
    const parent = nodeAt(rootOf(found.text), path.slice(0, -1));
    return splice(found.text, valueStart(found.list, parent), found.list.to, ' []');
  }
  const pieces = piecesOf(found.text, found.list);
  pieces.bodies.splice(index, 1);
  const isLast = index === pieces.gaps.length;
  const [gap] = pieces.gaps.splice(isLast ? index - 1 : index, 1);
  // A comment between two items belongs to neither: it stays.
  if (gap?.includes('#')) {
    if (isLast) pieces.gaps[index - 1] = gap.trimEnd();
    else if (index === 0) pieces.bodies[0] = gap.replace(/^\n/, '') + (pieces.bodies[0] ?? '');
    else pieces.gaps[index - 1] = (pieces.gaps[index - 1] ?? '\n').trimEnd() + gap;
  }
  return joined(found.text, pieces);
}

/** An item more: a value, or a piece of text taken from elsewhere by [`pieceOf`]. */
export function insertItem(text: string, path: Path, index: number, value: unknown): string {
  const found = blockList(text, path);
  if (!found) return setIn(text, path, [value instanceof Piece ? value.value : value]);
  const pieces = piecesOf(found.text, found.list);
  const { indent } = pieces;
  const body =
    value instanceof Piece
      ? shifted(value.text, indent - value.indent)
      : `${' '.repeat(indent)}-${inList(value, indent)}`;
  // Items that stand apart by an empty line go on doing so.
  const gap = pieces.gaps.find((one) => one.trim() === '') ?? '\n';
  pieces.bodies.splice(index, 0, body);
  pieces.gaps.splice(Math.max(0, index - 1), 0, gap);
  return joined(found.text, pieces);
}

/** An item as it is written, with its comments, to stand somewhere else. */
export class Piece {
  readonly text: string;
  readonly indent: number;
  readonly value: unknown;
  constructor(text: string, indent: number, value: unknown) {
    this.text = text;
    this.indent = indent;
    this.value = value;
  }
}

export function pieceOf(text: string, path: Path, index: number): Piece | undefined {
  const found = blockList(text, path);
  const item = found?.list.items[index];
  if (!found || !item) return undefined;
  const pieces = piecesOf(found.text, found.list);
  return new Piece(pieces.bodies[index] ?? '', pieces.indent, rewritable(item.value, found.text));
}

function shifted(text: string, by: number): string {
  if (by >= 0) return text.replace(/^(?=[^\n])/gm, ' '.repeat(by));
  return text.replace(new RegExp(`^ {1,${-by}}`, 'gm'), '');
}

const lineEnd = (text: string, at: number) => {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
};

const splice = (text: string, from: number, to: number, now: string) =>
  text.slice(0, from) + now + text.slice(to);
