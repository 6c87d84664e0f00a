// The handbook as data: which file is which page, what its headings are called, where its links lead, in which order it is
// read. Used by the screen, by the script that writes plain HTML, and by tests. What does not belong here: loading, drawing.
//
// Its text is read by the parser made for what agents write. Only here may an address be a page of the book or a picture of
// it; what agents write is drawn elsewhere, and never asks this file.
import { readMarkdown, type Block, type Inline } from './markdown';

/** The page the book begins with; its file also says which pages there are, and in which order. */
export const START = 'start';
export const ERRORS = 'errors';
/** Under docs/: `handbook/README.md`. */
const FOLDER = 'handbook';
const INDEX = 'README';
const PICTURES = `${FOLDER}/pictures/`;
/** What a picture shows: the main window, or one of its own size. */
const WINDOW_PX = { width: 1280, height: 800 };
const OTHER_WINDOWS_PX: Readonly<Record<string, typeof WINDOW_PX>> = {
  'quick.webp': { width: 420, height: 520 },
};
/** Pages that lie beside the book and belong to it. */
const BESIDE = new Set(['journal']);

export interface Heading {
  /** The place among the page's blocks. */
  at: number;
  level: number;
  /** What a link names it by, as in `page.md#id`. */
  id: string;
  text: string;
}

export interface BookPage {
  id: string;
  title: string;
  blocks: readonly Block[];
  headings: readonly Heading[];
}

export interface Entry {
  page: string;
  title: string;
}

export interface Part {
  /** `''`: before the first part. */
  title: string;
  pages: readonly Entry[];
}

/** Where a link of a page leads. */
export type Target =
  | { kind: 'page'; page: string; at?: string }
  | { kind: 'picture'; file: string }
  | { kind: 'web'; href: string };

/** `handbook/first-run.md`, under docs/, of the page `first-run`. */
/** The entry of the contents a page belongs to: every error is a page of its own, and of them the list of all is there. */
export function listedOf(page: string): string {
  return page.split('/')[0] ?? page;
}

export function fileOf(page: string): string {
  if (page === START) return `${FOLDER}/${INDEX}.md`;
  if (page === ERRORS) return `${ERRORS}/${INDEX}.md`;
  return page.includes('/') || BESIDE.has(page) ? `${page}.md` : `${FOLDER}/${page}.md`;
}

/** The page a file under docs/ is; undefined: it belongs to no page. */
export function pageOf(file: string): string | undefined {
  const [, path] = /^([\w./-]+)\.md$/.exec(file) ?? [];
  const parts = path?.split('/') ?? [];
  const [folder, name] = parts;
  if (path === undefined || parts.length > 2) return undefined;
  if (name === undefined) return BESIDE.has(path) ? path : undefined;
  if (folder === FOLDER) return name === INDEX ? START : name;
  if (folder === ERRORS) return name === INDEX ? ERRORS : path;
  return undefined;
}

export function readPage(id: string, text: string): BookPage {
  const blocks = readMarkdown(text);
  const taken = new Map<string, number>();
  const headings = blocks.flatMap((block, at): Heading[] => {
    if (block.kind !== 'heading') return [];
    const words = inlineText(block.inside);
    const slug = slugOf(words);
    const before = taken.get(slug) ?? 0;
    taken.set(slug, before + 1);
    return [{ at, level: block.level, id: before === 0 ? slug : `${slug}-${before}`, text: words }];
  });
  const [first] = headings;
  return { id, title: first?.level === 1 ? first.text : id, blocks, headings };
}

/** Pixels of a picture. */
export function sizeOf(picture: string): { width: number; height: number } {
  return OTHER_WINDOWS_PX[picture] ?? WINDOW_PX;
}

/** The parts of the book, from its first page: a heading of level 2 and the links of the list under it. */
export function contentsOf(start: BookPage): Part[] {
  const parts: { title: string; pages: Entry[] }[] = [
    { title: '', pages: [{ page: START, title: start.title }] },
  ];
  for (const block of start.blocks) {
    if (block.kind === 'heading' && block.level === 2)
      parts.push({ title: inlineText(block.inside), pages: [] });
    if (block.kind !== 'list') continue;
    for (const item of block.items) {
      const [link] = item.blocks.flatMap((one) => ('inside' in one ? linksIn(one.inside) : []));
      const target = link && whereTo(START, link.href);
      if (link && target?.kind === 'page')
        parts.at(-1)?.pages.push({ page: target.page, title: inlineText(link.inside) });
    }
  }
  return parts.filter(({ pages }) => pages.length > 0);
}

/** The pages one reads before and after this one. */
export function neighbours(parts: readonly Part[], page: string): { before?: Entry; after?: Entry } {
  const all = parts.flatMap(({ pages }) => pages);
  const at = all.findIndex((entry) => entry.page === page);
  const [before, after] = at < 0 ? [] : [all[at - 1], all[at + 1]];
  return { ...(before ? { before } : {}), ...(after ? { after } : {}) };
}

/** Undefined: it leads nowhere, and is drawn as words. */
export function whereTo(page: string, href: string): Target | undefined {
  if (href.startsWith('https://')) return { kind: 'web', href };
  if (/^[a-z][a-z\d+.-]*:|^\/\//i.test(href)) return undefined;
  const [path = '', at] = href.split('#');
  const file = path === '' ? fileOf(page) : beside(fileOf(page), path);
  if (file.startsWith(PICTURES) && /^[\w-]+\.webp$/.test(file.slice(PICTURES.length)))
    return { kind: 'picture', file: file.slice(PICTURES.length) };
  const target = pageOf(file);
  return target === undefined
    ? undefined
    : { kind: 'page', page: target, ...(at === undefined ? {} : { at }) };
}

/** The address of one file, seen from another; both under docs/. */
function beside(file: string, path: string): string {
  const parts = file.split('/').slice(0, -1);
  for (const part of path.split('/')) {
    // One step above docs/ is outside the book, whatever follows.
    if (part === '..' && parts.pop() === undefined) return '';
    if (part !== '..' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** As the reader of Markdown on a forge knows it: small letters, no signs, dashes for spaces. */
export function slugOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

export function inlineText(inlines: readonly Inline[]): string {
  return inlines
    .map((one) => {
      if (one.kind === 'text' || one.kind === 'code') return one.text;
      if (one.kind === 'break') return ' ';
      return one.kind === 'image' ? one.alt : inlineText(one.inside);
    })
    .join('')
    .replace(/\s+/g, ' ');
}

/** The words of a block as they are read. */
export function blockText(block: Block): string {
  switch (block.kind) {
    case 'paragraph':
    case 'heading':
      return inlineText(block.inside);
    case 'code':
    case 'text':
      return block.text;
    case 'list':
      return block.items.flatMap((item) => item.blocks.map(blockText)).join(' ');
    case 'quote':
      return block.blocks.map(blockText).join(' ');
    case 'table':
      return [block.head, ...block.rows]
        .map((row) => row.map((cell) => inlineText(cell.inside)).join(' '))
        .join(' ');
    case 'rule':
      return '';
  }
}

type Linked = Extract<Inline, { kind: 'link' | 'image' }>;

/** Every link and picture of a page, in order. */
export function referencesOf(page: BookPage): Linked[] {
  return page.blocks.flatMap(referencesIn);
}

function referencesIn(block: Block): Linked[] {
  switch (block.kind) {
    case 'paragraph':
    case 'heading':
      return inlineReferences(block.inside);
    case 'list':
      return block.items.flatMap((item) => item.blocks.flatMap(referencesIn));
    case 'quote':
      return block.blocks.flatMap(referencesIn);
    case 'table':
      return [block.head, ...block.rows].flat().flatMap((cell) => inlineReferences(cell.inside));
    default:
      return [];
  }
}

function inlineReferences(inlines: readonly Inline[]): Linked[] {
  return inlines.flatMap((one): Linked[] => {
    if (one.kind === 'image') return [one];
    const inner = 'inside' in one ? inlineReferences(one.inside) : [];
    return one.kind === 'link' ? [one, ...inner] : inner;
  });
}

function linksIn(inlines: readonly Inline[]): Extract<Inline, { kind: 'link' }>[] {
  return inlineReferences(inlines).filter((one) => one.kind === 'link');
}
