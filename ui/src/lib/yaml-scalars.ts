// The scalars of YAML and what stands between them: texts with and without quotes, blocks of text, numbers, comments. Pure.
import { YamlError, type Entry, type Plain, type ScalarNode, type Trouble } from './yaml';

const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  '/': '/',
  '\\': '\\',
  N: '\x85',
  _: '\xa0',
  L: '\u2028',
  P: '\u2029',
};
const CODED: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const LAST_CODE_POINT = 0x10ffff;
/** What begins something that is not known here, or nothing at all. */
const NOT_PLAIN = /[&*!%@`?|>]/;
const FLOW_MARKS = ',[]{}';

/** What a text without quotes means. */
export function plainValue(text: string): Plain {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text);
  if (/^0x[0-9a-fA-F]+$/.test(text) || /^0o[0-7]+$/.test(text)) return Number(text);
  return text;
}

export class ScalarReader {
  readonly text: string;
  pos = 0;

  constructor(text: string) {
    this.text = text;
  }

  fail(trouble: Trouble, at = this.pos): YamlError {
    return new YamlError(trouble, this.text, at);
  }

  peek(): string | undefined {
    return this.text[this.pos];
  }

  /** How far it stands from the margin. */
  column(): number {
    return this.pos - (this.text.lastIndexOf('\n', this.pos - 1) + 1);
  }

  spaces(): void {
    while (this.peek() === ' ' || this.peek() === '\t') this.pos += 1;
  }

  /** Goes to the next thing that is no space, comment or empty line. False at the end. */
  next(): boolean {
    for (;;) {
      const start = this.pos;
      const atMargin = this.column() === 0;
      this.spaces();
      const mark = this.peek();
      if (mark === undefined) return false;
      if (mark === '#' && this.#apart()) this.pos = this.lineEnd();
      else if (mark === '\n') this.pos += 1;
      else if (mark === '\r') throw this.fail('unknown');
      else {
        // A tab is no indentation.
        if (atMargin && this.text.slice(start, this.pos).includes('\t')) throw this.fail('form');
        return true;
      }
    }
  }

  /** Goes to the end of the line, if only a comment stands there. */
  restIsEmpty(): boolean {
    this.spaces();
    if (this.peek() === '#' && this.#apart()) this.pos = this.lineEnd();
    return this.pos >= this.text.length || this.peek() === '\n';
  }

  /** Only behind a space or at the margin is a `#` a comment. */
  #apart(): boolean {
    return this.pos === 0 || /[ \t\n]/.test(this.text[this.pos - 1] ?? '');
  }

  /** `---` or `...` at the margin. */
  marker(): boolean {
    return this.column() === 0 && /^(?:---|\.\.\.)(?=\s|$)/.test(this.text.slice(this.pos, this.pos + 4));
  }

  dash(): boolean {
    return this.peek() === '-' && /^(?:[ \t\n]|$)/.test(this.text.slice(this.pos + 1, this.pos + 2));
  }

  lineEnd(from = this.pos): number {
    const end = this.text.indexOf('\n', from);
    return end < 0 ? this.text.length : end;
  }

  /** Where the colon of a key stands, if what begins here is a key. */
  keyEnd(): number | undefined {
    const line = this.text.slice(this.pos, this.lineEnd());
    if (/^[[{]/.test(line)) return undefined;
    if (/^\?(?: |$)/.test(line)) throw this.fail('unknown');
    const quoted = /^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')[ \t]*:(?=[ \t]|$)/.exec(line)?.[0];
    if (quoted !== undefined) return this.pos + quoted.length - 1;
    if (/^["']/.test(line)) return undefined;
    // A comment ends what may be a key.
    const colon = /:(?=[ \t]|$)|[ \t]#/.exec(line);
    return colon?.[0] === ':' ? this.pos + colon.index : undefined;
  }

  /** Reads a key and its colon. */
  key(before: readonly Entry[]): string {
    const end = this.keyEnd();
    if (end === undefined) throw this.fail('form');
    const start = this.pos;
    const mark = this.peek();
    const node = mark === '"' || mark === "'" ? this.quoted(mark) : undefined;
    if (!node && NOT_PLAIN.test(mark ?? '')) throw this.fail('unknown');
    const key = node ? String(node.value) : this.text.slice(start, end).trimEnd();
    if (before.some((one) => one.key === key)) throw this.fail('form', start);
    this.pos = end + 1;
    return key;
  }

  flowKey(before: readonly Entry[]): string {
    const start = this.pos;
    const mark = this.peek();
    const quoted = mark === '"' || mark === "'";
    if (mark === '[' || mark === '{') throw this.fail('unknown');
    const node = quoted ? this.quoted(mark) : this.flowPlain();
    if (quoted) this.spaces();
    const key = quoted ? String(node.value) : this.text.slice(start, node.to);
    if (before.some((one) => one.key === key)) throw this.fail('form', start);
    if (this.peek() === ':') this.pos += 1;
    return key;
  }

  /** A text without quotes, over as many lines as stand further in than `around`. */
  plain(around: number): ScalarNode {
    const from = this.pos;
    if (NOT_PLAIN.test(this.peek() ?? '')) throw this.fail('unknown');
    let { said, to, more } = this.#plainLine();
    while (more) {
      const back = this.pos;
      const lines = this.#emptyLines();
      this.spaces();
      const mark = this.peek();
      const on = mark !== undefined && mark !== '#' && this.column() > around && !this.marker();
      if (!on) {
        this.pos = back;
        break;
      }
      const line = this.#plainLine();
      said += (lines > 1 ? '\n'.repeat(lines - 1) : ' ') + line.said;
      ({ to, more } = line);
    }
    this.pos = to;
    const single = !this.text.slice(from, to).includes('\n');
    const value = single ? plainValue(said) : said;
    return { kind: 'scalar', from, to, style: 'plain', value };
  }

  #plainLine(): { said: string; to: number; more: boolean } {
    const line = this.text.slice(this.pos, this.lineEnd());
    const end = /[ \t]#/.exec(line)?.index ?? line.length;
    if (line.includes('\r')) throw this.fail('unknown');
    const said = line.slice(0, end).trimEnd();
    const colon = /:(?=[ \t]|$)/.exec(said);
    if (colon) throw this.fail('form', this.pos + colon.index);
    const to = this.pos + said.length;
    this.pos += line.length;
    return { said, to, more: end === line.length };
  }

  /** Ends of lines from here to the next line with something in it. */
  #emptyLines(): number {
    const empty = /^(?:\n[ \t]*)*/.exec(this.text.slice(this.pos))?.[0] ?? '';
    const lines = empty.split('\n').length - 1;
    this.pos += empty.lastIndexOf('\n') + 1;
    return lines;
  }

  /** One without quotes between brackets; on one line, as one that goes on is better refused than misread. */
  flowPlain(): ScalarNode {
    const from = this.pos;
    if (NOT_PLAIN.test(this.peek() ?? '')) throw this.fail('unknown');
    const line = this.text.slice(from, this.lineEnd());
    let end = 0;
    while (end < line.length && !this.#endsFlow(line, end)) end += 1;
    const said = line.slice(0, end).trimEnd();
    if (said === '' || said === '-') throw this.fail('form');
    this.pos = from + said.length;
    const node: ScalarNode = {
      kind: 'scalar',
      from,
      to: this.pos,
      style: 'plain',
      value: plainValue(said),
    };
    this.spaces();
    return node;
  }

  #endsFlow(line: string, at: number): boolean {
    const [mark, then] = [line[at] ?? '', line[at + 1]];
    if (FLOW_MARKS.includes(mark)) return true;
    if (mark === ':') return then === undefined || then === ' ' || FLOW_MARKS.includes(then);
    return mark === '#' && at > 0 && /[ \t]/.test(line[at - 1] ?? '');
  }

  quoted(mark: '"' | "'"): ScalarNode {
    const from = this.pos++;
    let said = '';
    for (;;) {
      const char = this.peek();
      if (char === undefined) throw this.fail('form', from);
      if (char === '\n') {
        said = said.replace(/[ \t]+$/, '') + this.#fold();
        continue;
      }
      this.pos += 1;
      if (char === mark) {
        if (mark === '"' || this.peek() !== mark) break;
        this.pos += 1;
        said += mark;
      } else if (char === '\\' && mark === '"') said += this.#escape();
      else said += char;
    }
    const style = mark === '"' ? 'double' : 'single';
    return { kind: 'scalar', from, to: this.pos, style, value: said };
  }

  /** The end of a line inside of quotes is a space, an empty line the end of a line. */
  #fold(): string {
    const lines = this.#emptyLines();
    if (this.marker()) throw this.fail('form');
    this.spaces();
    return lines > 1 ? '\n'.repeat(lines - 1) : ' ';
  }

  #escape(): string {
    const char = this.peek() ?? '';
    this.pos += 1;
    if (char === '\n') {
      const lines = this.#emptyLines();
      this.spaces();
      return '\n'.repeat(lines);
    }
    const digits = CODED[char];
    if (digits === undefined) {
      const said = ESCAPES[char];
      if (said === undefined) throw this.fail('form', this.pos - 1);
      return said;
    }
    const code = this.text.slice(this.pos, this.pos + digits);
    const point = /^[0-9a-fA-F]+$/.test(code) && code.length === digits ? parseInt(code, 16) : undefined;
    if (point === undefined || point > LAST_CODE_POINT) throw this.fail('form');
    this.pos += digits;
    return String.fromCodePoint(point);
  }

  /** `|` and `>` with what is said about them: lines that stand further in than `around`. */
  blockScalar(around: number): ScalarNode {
    const from = this.pos;
    const header = /^([|>])(?:([1-9])([-+])?|([-+])([1-9])?)?(?=[ \t\n]|$)/.exec(
      this.text.slice(from, from + 4),
    );
    if (!header) throw this.fail('form');
    const style = header[1] === '|' ? 'literal' : 'folded';
    const chomp = header[3] ?? header[4];
    const given = header[2] ?? header[5];
    this.pos += header[0].length;
    if (!this.restIsEmpty()) throw this.fail('form');
    const lines: string[] = [];
    let indent = given === undefined ? undefined : Math.max(around, 0) + Number(given);
    let to = this.pos;
    while (this.pos < this.text.length) {
      const start = this.pos + 1;
      if (start >= this.text.length) break;
      const line = this.text.slice(start, this.lineEnd(start));
      const blanks = line.length - line.replace(/^ +/, '').length;
      const empty = blanks === line.length;
      if (!empty) indent ??= blanks > around ? blanks : undefined;
      if (!empty && (indent === undefined || blanks < indent)) break;
      lines.push(empty ? ' '.repeat(Math.max(0, blanks - (indent ?? blanks))) : line.slice(indent));
      this.pos = start + line.length;
      if (!empty || chomp === '+') to = this.pos;
      else if (indent !== undefined && blanks > indent) to = this.pos;
    }
    if (this.text.slice(from, this.pos).includes('\r')) throw this.fail('unknown', from);
    this.pos = to;
    return { kind: 'scalar', from, to, style, value: blockText(lines, style === 'folded', chomp) };
  }
}

function blockText(lines: readonly string[], folded: boolean, chomp: string | undefined): string {
  const all = lines.join('\n');
  const body = all.replace(/\n*$/, '');
  const empties = all.length - body.length;
  const text = folded ? foldedText(body) : body;
  if (chomp === '-') return text;
  if (chomp === '+') return text + '\n'.repeat(body === '' ? lines.length : empties + 1);
  return text === '' ? '' : `${text}\n`;
}

/** Lines at the margin become one; those further in, and empty ones, stay. */
function foldedText(body: string): string {
  const lines = body.split('\n');
  let said = lines[0] ?? '';
  /** Ends of lines since the last one with something in it. */
  let ends = 0;
  let last = said;
  for (const line of lines.slice(1)) {
    ends += 1;
    if (line === '') continue;
    const stays = last === '' || /^[ \t]/.test(last) || /^[ \t]/.test(line);
    said += stays ? '\n'.repeat(ends) : ends === 1 ? ' ' : '\n'.repeat(ends - 1);
    said += line;
    [last, ends] = [line, 0];
  }
  return said;
}
