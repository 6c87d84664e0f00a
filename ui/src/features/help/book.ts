// The handbook's files, each loaded when its page is opened and kept from then on, so that the way back shows it at once.
import { contentsOf, pageOf, readPage, START, type BookPage, type Part } from '../../lib/handbook';
import { placesOf, type Place } from './find';

const FILES = import.meta.glob<string>(
  ['../../../../docs/handbook/*.md', '../../../../docs/errors/*.md', '../../../../docs/journal.md'],
  { query: '?raw', import: 'default' },
);
const PICTURES = import.meta.glob<string>('../../../../docs/handbook/pictures/*.webp', {
  query: '?url',
  import: 'default',
  eager: true,
});
const DOCS = '../../../../docs/';

const loaders = new Map(
  Object.entries(FILES).flatMap(([path, load]) => {
    const page = pageOf(path.slice(DOCS.length));
    return page === undefined ? [] : [[page, load] as const];
  }),
);
const pages = new Map<string, BookPage>();
let places: Promise<Place[]> | undefined;

export function pictureOf(file: string): string | undefined {
  return PICTURES[`${DOCS}handbook/pictures/${file}`];
}

export function isPage(page: string): boolean {
  return loaders.has(page);
}

/** A page that was read before. */
export function atHand(page: string): BookPage | undefined {
  return pages.get(page);
}

/** Undefined: there is no such page. */
export async function open(page: string): Promise<BookPage | undefined> {
  const load = loaders.get(page);
  if (!load) return undefined;
  const read = pages.get(page) ?? readPage(page, await load());
  pages.set(page, read);
  return read;
}

/** What the book holds, and every place of it in the order in which it is read. */
export async function contents(): Promise<Part[]> {
  const start = await open(START);
  return start ? contentsOf(start) : [];
}

export function everyPlace(): Promise<Place[]> {
  places ??= readAll().catch((error: unknown) => {
    // Asked again, it is tried again.
    places = undefined;
    throw error;
  });
  return places;
}

async function readAll(): Promise<Place[]> {
  const listed = (await contents()).flatMap((part) => part.pages.map(({ page }) => page));
  const order = new Set([...listed, ...loaders.keys()]);
  const read = await Promise.all([...order].map(open));
  return read.flatMap((page) => {
    const all = page ? placesOf(page) : [];
    // Under the headings of the first page stand the names of the others.
    return page?.id === START ? all.slice(0, 1) : all;
  });
}
