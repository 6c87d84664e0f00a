// YAML read into a tree that knows where in the text each thing stands, so that a place can be changed and the rest stay as
// it was written. It knows the part of YAML that people write by hand, and JSON; anchors, aliases, tags, directives and keys
// that are no texts are refused, never guessed at. Pure.
import { ScalarReader } from './yaml-scalars';

/** Lists and maps inside one another. */
const DEPTH_MAX = 100;
/** Items of one list, and keys of one map: nothing a person writes has more, and what looks through them stays quick. */
export const ITEMS_MAX = 4_000;

export type Plain = null | boolean | number | string;

export interface ScalarNode {
  kind: 'scalar';
  from: number;
  to: number;
  style: 'empty' | 'plain' | 'single' | 'double' | 'literal' | 'folded';
  value: Plain;
}

export interface Entry {
  key: string;
  /** Where the key begins. */
  from: number;
  /** Behind the colon. */
  colon: number;
  value: YamlNode;
}

export interface MapNode {
  kind: 'map';
  from: number;
  to: number;
  flow: boolean;
  /** The column of its keys. */
  indent: number;
  entries: Entry[];
}

export interface Item {
  /** Where its dash stands; in a list in brackets, where it begins. */
  from: number;
  value: YamlNode;
}

export interface ListNode {
  kind: 'list';
  from: number;
  to: number;
  flow: boolean;
  /** The column of its dashes. */
  indent: number;
  items: Item[];
}

export type YamlNode = ScalarNode | MapNode | ListNode;

/** Why a text cannot be read; `unknown` is what may be right but is not known here. */
export type Trouble = 'form' | 'unknown';

export class YamlError extends Error {
  readonly trouble: Trouble;
  /** Counted from 1. */
  readonly line: number;

  constructor(trouble: Trouble, text: string, at: number) {
    const line = text.slice(0, at).split('\n').length;
    super(`line ${line} cannot be read (${trouble})`);
    this.trouble = trouble;
    this.line = line;
  }
}

/**
 * The documents of a file; one that is empty is left out.
 *
 * @throws YamlError
 */
export function parseYaml(text: string): YamlNode[] {
  return new Reader(text).documents();
}

class Reader extends ScalarReader {
  #depth = 0;

  documents(): YamlNode[] {
    const found: YamlNode[] = [];
    while (this.next()) {
      if (this.marker()) {
        this.pos += 3;
        if (!this.restIsEmpty()) throw this.fail('unknown');
        continue;
      }
      if (this.peek() === '%') throw this.fail('unknown');
      found.push(this.#blockAt(-1));
      if (this.next() && !this.marker()) throw this.fail('form');
    }
    return found;
  }

  /** A list, a map or a scalar that begins here; what holds it has its keys or dashes at `around`. */
  #blockAt(around: number): YamlNode {
    if (this.dash()) return this.#list(this.column());
    if (this.keyEnd() !== undefined) return this.#map(this.column());
    return this.#inline(around);
  }

  #list(indent: number): ListNode {
    return this.#deeper(() => {
      const items: Item[] = [];
      const from = this.pos;
      let to = from;
      while (this.#here(indent) && this.dash()) {
        const start = this.pos;
        this.pos += 1;
        const value = this.#value(indent, false);
        this.#within(items.push({ from: start, value }));
        to = Math.max(value.to, start + 1);
        if (!this.next()) break;
      }
      this.#ended(indent);
      return { kind: 'list', from, to, flow: false, indent, items };
    });
  }

  #map(indent: number): MapNode {
    return this.#deeper(() => {
      const entries: Entry[] = [];
      const from = this.pos;
      let to = from;
      while (this.#here(indent) && !this.dash()) {
        const start = this.pos;
        const key = this.key(entries);
        const colon = this.pos;
        const value = this.#value(indent, true);
        this.#within(entries.push({ key, from: start, colon, value }));
        to = Math.max(value.to, colon);
        if (!this.next()) break;
      }
      this.#ended(indent);
      return { kind: 'map', from, to, flow: false, indent, entries };
    });
  }

  /** True where a next key or dash of this very list or map may stand. */
  #here(indent: number): boolean {
    return this.column() === indent && !this.marker() && this.pos < this.text.length;
  }

  /** What follows a list or a map stands further out, or the indentation is wrong. */
  #ended(indent: number): void {
    if (!this.next() || this.marker()) return;
    if (this.column() > indent) throw this.fail('form');
  }

  /** What stands behind a dash or a colon. */
  #value(around: number, inMap: boolean): YamlNode {
    const behind = this.pos;
    const empty: ScalarNode = { kind: 'scalar', from: behind, to: behind, style: 'empty', value: null };
    this.spaces();
    const mark = this.peek();
    if (mark === '|' || mark === '>') return this.blockScalar(around);
    if (mark !== undefined && mark !== '\n' && mark !== '#') {
      if (inMap) return this.#inline(around);
      return this.#blockAt(around);
    }
    if (!this.next() || this.marker()) return empty;
    const column = this.column();
    const sameColumn = inMap && column === around && this.dash();
    if (column <= around && !sameColumn) return empty;
    return this.#blockAt(around);
  }

  /** A scalar, or a list or map in brackets. */
  #inline(around: number): YamlNode {
    const mark = this.peek();
    const node =
      mark === '[' || mark === '{'
        ? this.#flow()
        : mark === '"' || mark === "'"
          ? this.quoted(mark)
          : this.plain(around);
    if (!this.restIsEmpty()) throw this.fail('form');
    return node;
  }

  #flow(): YamlNode {
    const mark = this.peek();
    if (mark === '[') return this.#deeper(() => this.#flowList());
    if (mark === '{') return this.#deeper(() => this.#flowMap());
    if (mark === '"' || mark === "'") return this.quoted(mark);
    return this.flowPlain();
  }

  #flowList(): ListNode {
    const from = this.pos++;
    const items: Item[] = [];
    while (this.#more(']')) {
      const start = this.pos;
      this.#within(items.push({ from: start, value: this.#flow() }));
      this.#comma(']');
    }
    return { kind: 'list', from, to: this.pos, flow: true, indent: 0, items };
  }

  #flowMap(): MapNode {
    const from = this.pos++;
    const entries: Entry[] = [];
    while (this.#more('}')) {
      const start = this.pos;
      const key = this.flowKey(entries);
      const colon = this.pos;
      const empty: ScalarNode = { kind: 'scalar', from: colon, to: colon, style: 'empty', value: null };
      this.next();
      const none = this.peek() === ',' || this.peek() === '}';
      this.#within(entries.push({ key, from: start, colon, value: none ? empty : this.#flow() }));
      this.#comma('}');
    }
    return { kind: 'map', from, to: this.pos, flow: true, indent: 0, entries };
  }

  /** True before a next entry; the closing bracket is read. */
  #more(end: string): boolean {
    if (!this.next()) throw this.fail('form');
    if (this.peek() !== end) return true;
    this.pos += 1;
    return false;
  }

  #comma(end: string): void {
    if (!this.next()) throw this.fail('form');
    if (this.peek() === ',') this.pos += 1;
    else if (this.peek() !== end) throw this.fail('form');
  }

  #within(count: number): void {
    if (count > ITEMS_MAX) throw this.fail('unknown');
  }

  #deeper<T>(read: () => T): T {
    if (this.#depth >= DEPTH_MAX) throw this.fail('unknown');
    this.#depth += 1;
    const value = read();
    this.#depth -= 1;
    return value;
  }
}

/** What a node says, without its places. */
export function valueOf(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(({ value }) => valueOf(value));
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, valueOf(value)]));
}

export type Path = readonly (string | number)[];

/** The node at a path; nothing where there is none. */
export function nodeAt(node: YamlNode | undefined, path: Path): YamlNode | undefined {
  return path.reduce<YamlNode | undefined>((at, part) => {
    if (at?.kind === 'map') return at.entries.find(({ key }) => key === part)?.value;
    return at?.kind === 'list' && typeof part === 'number' ? at.items[part]?.value : undefined;
  }, node);
}
