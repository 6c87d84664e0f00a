// What agents write, as an allow-list of blocks and inlines. marked's lexer finds the structure; whatever is not on the list
// (raw HTML, unknown tokens) is plain text. Nothing here makes HTML. Growing text re-reads only its last blocks.
import { Lexer, type Token, type Tokens, type TokensList } from 'marked';

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'strong' | 'em' | 'del'; inside: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'link'; href: string; inside: Inline[] }
  | { kind: 'image'; href: string; alt: string }
  | { kind: 'break' };

export type Block =
  | { kind: 'paragraph'; raw: string; inside: Inline[] }
  | { kind: 'heading'; raw: string; level: number; inside: Inline[] }
  | { kind: 'code'; raw: string; language: string; text: string }
  | { kind: 'list'; raw: string; ordered: boolean; start: number; items: ListItem[] }
  | { kind: 'quote'; raw: string; blocks: Block[] }
  | { kind: 'table'; raw: string; head: Cell[]; rows: Cell[][] }
  | { kind: 'rule'; raw: string }
  | { kind: 'text'; raw: string; text: string };

export interface ListItem {
  /** Present on tasks. */
  done?: boolean;
  blocks: Block[];
}

export interface Cell {
  align: 'start' | 'center' | 'end';
  inside: Inline[];
}

/** Longer messages are cut here and opened in a viewer. */
export const MESSAGE_LIMIT_CHARS = 256 * 1024;
const DEEPEST = 12;
/** More signs of emphasis, links and code than this in one paragraph are no writing; marked needs quadratic time for them. */
const MARKS_MOST = 2_000;
/** More parts than this in one place would hold up the window; the rest is one text. */
const PARTS_MOST = 2_000;
/** A longer paragraph is drawn in plain pieces: laying out one run of letters takes a browser quadratic time. */
const PARAGRAPH_CHARS = 16_000;
const PIECE_CHARS = 2_000;
const MARK = /[*_~`[\]<\\]/g;
/** The last blocks of a growing text may still change their kind. */
const OPEN_BLOCKS = 2;

/** marked's lexer with bounds: whatever goes deeper, or has more marks than writing has, stays text. */
class BoundedLexer extends Lexer {
  #depth = 0;

  override blockTokens(src: string, tokens?: Token[], lastParagraphClipped?: boolean): Token[];
  override blockTokens(src: string, tokens?: TokensList, lastParagraphClipped?: boolean): TokensList;
  override blockTokens(src: string, tokens: Token[] = [], lastParagraphClipped?: boolean): Token[] {
    return this.#bounded(src, tokens, () => super.blockTokens(src, tokens, lastParagraphClipped));
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if (this.#depth === 0 && (src.match(MARK)?.length ?? 0) > MARKS_MOST) return asText(src, tokens);
    return this.#bounded(src, tokens, () => super.inlineTokens(src, tokens));
  }

  #bounded(src: string, tokens: Token[], read: () => Token[]): Token[] {
    if (this.#depth > DEEPEST) return asText(src, tokens);
    this.#depth += 1;
    try {
      return read();
    } finally {
      this.#depth -= 1;
    }
  }
}

function asText(src: string, tokens: Token[]): Token[] {
  tokens.push({ type: 'text', raw: src, text: src });
  return tokens;
}

/** Reads text that grows: everything before its last blocks is kept from the reading before. */
export class GrowingText {
  #stable = '';
  #blocks: Block[] = [];

  read(text: string): Block[] {
    const cut = text.length > MESSAGE_LIMIT_CHARS ? text.slice(0, MESSAGE_LIMIT_CHARS) : text;
    if (!cut.startsWith(this.#stable)) {
      this.#stable = '';
      this.#blocks = [];
    }
    const tokens = new BoundedLexer().lex(cut.slice(this.#stable.length));
    const closed = Math.max(0, tokens.length - OPEN_BLOCKS);
    this.#blocks = [...this.#blocks, ...blocksOf(tokens.slice(0, closed), 0)];
    this.#stable += tokens
      .slice(0, closed)
      .map((token) => token.raw)
      .join('');
    const rest = blocksOf(tokens.slice(closed), 0);
    const all = [...this.#blocks, ...rest];
    if (all.length <= PARTS_MOST) return all;
    const raw = all
      .slice(PARTS_MOST)
      .map((block) => block.raw)
      .join('');
    return [...all.slice(0, PARTS_MOST), ...plain(raw)];
  }
}

export function readMarkdown(text: string): Block[] {
  return new GrowingText().read(text);
}

function blocksOf(tokens: readonly Token[], depth: number): Block[] {
  const [near, rest] = bounded(tokens);
  const blocks = near.flatMap((token) => blockOf(token, depth));
  return [...blocks, ...plain(rest)];
}

/** Text as it was written, in pieces of a size a browser lays out at once; between words where there are any. */
function plain(raw: string): Block[] {
  const pieces: Block[] = [];
  for (let from = 0; from < raw.length;) {
    let to = Math.min(raw.length, from + PIECE_CHARS);
    if (to < raw.length) {
      const space = raw.lastIndexOf(' ', to);
      if (space > from) to = space + 1;
      else if (/[\ud800-\udbff]/.test(raw.charAt(to - 1))) to -= 1;
    }
    const text = raw.slice(from, to);
    pieces.push({ kind: 'text', raw: text, text });
    from = to;
  }
  return pieces;
}

/** As many parts as are drawn one by one, and what the others are as text. */
function bounded<T extends { raw: string }>(parts: readonly T[]): readonly [readonly T[], string] {
  if (parts.length <= PARTS_MOST) return [parts, ''];
  const rest = parts.slice(PARTS_MOST).map(({ raw }) => raw);
  return [parts.slice(0, PARTS_MOST), rest.join('')];
}

function blockOf(token: Token, depth: number): Block[] {
  const { raw } = token;
  if (depth > DEEPEST) return plain(raw);
  switch (token.type) {
    case 'space':
      return [];
    case 'paragraph':
      if (raw.length > PARAGRAPH_CHARS) return plain(raw);
      return [{ kind: 'paragraph', raw, inside: inlinesOf((token as Tokens.Paragraph).tokens, depth) }];
    case 'heading': {
      const heading = token as Tokens.Heading;
      return [{ kind: 'heading', raw, level: heading.depth, inside: inlinesOf(heading.tokens, depth) }];
    }
    case 'code': {
      const code = token as Tokens.Code;
      return [{ kind: 'code', raw, language: (code.lang ?? '').split(/\s/)[0] ?? '', text: code.text }];
    }
    case 'list': {
      const list = token as Tokens.List;
      const [near, rest] = bounded(list.items);
      const items = near.map((item): ListItem => {
        const inside = item.tokens.filter((one) => one.type !== 'checkbox');
        const blocks = blocksOf(inside, depth + 1);
        return item.task ? { done: item.checked === true, blocks } : { blocks };
      });
      const start = Number(list.start) || 1;
      const shown: Block = { kind: 'list', raw, ordered: list.ordered, start, items };
      return [shown, ...plain(rest)];
    }
    case 'blockquote':
      return [{ kind: 'quote', raw, blocks: blocksOf((token as Tokens.Blockquote).tokens, depth + 1) }];
    case 'table': {
      const table = token as Tokens.Table;
      const cell = (one: Tokens.TableCell): Cell => ({
        align: one.align === 'right' ? 'end' : one.align === 'center' ? 'center' : 'start',
        inside: inlinesOf(one.tokens, depth),
      });
      // Of a longer table the words are there, not the cells.
      if (table.rows.length * table.header.length > PARTS_MOST * 4) return plain(raw);
      return [
        { kind: 'table', raw, head: table.header.map(cell), rows: table.rows.map((row) => row.map(cell)) },
      ];
    }
    case 'hr':
      return [{ kind: 'rule', raw }];
    case 'text': {
      if (raw.length > PARAGRAPH_CHARS) return plain(raw);
      const text = token as Tokens.Text;
      const inside = text.tokens
        ? inlinesOf(text.tokens, depth)
        : [{ kind: 'text' as const, text: decode(text.text) }];
      return [{ kind: 'paragraph', raw, inside }];
    }
    default:
      // HTML, definitions and whatever a later lexer invents: shown as they were written.
      return plain(raw.trimEnd());
  }
}

function inlinesOf(tokens: readonly Token[] | undefined, depth: number): Inline[] {
  const [near, rest] = bounded(tokens ?? []);
  const inlines = near.map((token): Inline => {
    if (depth > DEEPEST) return { kind: 'text', text: token.raw };
    switch (token.type) {
      case 'text':
        return { kind: 'text', text: decode((token as Tokens.Text).text) };
      case 'escape':
        return { kind: 'text', text: (token as Tokens.Escape).text };
      case 'strong':
      case 'em':
      case 'del':
        return { kind: token.type, inside: inlinesOf((token as Tokens.Strong).tokens, depth + 1) };
      case 'codespan':
        return { kind: 'code', text: (token as Tokens.Codespan).text };
      case 'br':
        return { kind: 'break' };
      case 'link': {
        const link = token as Tokens.Link;
        return { kind: 'link', href: link.href, inside: inlinesOf(link.tokens, depth + 1) };
      }
      case 'image': {
        const image = token as Tokens.Image;
        return { kind: 'image', href: image.href, alt: decode(image.text) };
      }
      default:
        return { kind: 'text', text: token.raw };
    }
  });
  return rest === '' ? inlines : [...inlines, { kind: 'text', text: rest }];
}

const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
};

/** The entities people write; the result is text, so decoding opens nothing. */
function decode(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,4}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return NAMED[String(name).toLowerCase()] ?? whole;
    const code = decimal !== undefined ? Number(decimal) : parseInt(String(hex), 16);
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)
      ? String.fromCodePoint(code)
      : whole;
  });
}

/** The words of a text without its marks, a line for each block: for places where a few lines stand for all of it. */
export function plainWords(text: string): string {
  return wordsOfBlocks(readMarkdown(text)).join('\n');
}

function wordsOfBlocks(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block): string[] => {
    switch (block.kind) {
      case 'paragraph':
      case 'heading':
        return [wordsOf(block.inside)];
      case 'code':
      case 'text':
        return [block.text.trim()];
      case 'list':
        return block.items.flatMap((item) => wordsOfBlocks(item.blocks));
      case 'quote':
        return wordsOfBlocks(block.blocks);
      case 'table':
        return [block.head, ...block.rows].map((row) => row.map((cell) => wordsOf(cell.inside)).join(' · '));
      case 'rule':
        return [];
    }
  });
}

function wordsOf(inlines: readonly Inline[]): string {
  return inlines
    .map((one) => {
      switch (one.kind) {
        case 'text':
        case 'code':
          return one.text;
        case 'image':
          return one.alt;
        case 'break':
          return '\n';
        default:
          return wordsOf(one.inside);
      }
    })
    .join('');
}
