// Reads the whole handbook from docs/, says what is wrong with it, and writes the parts of it that are not written by hand.
// What does not belong here: plain HTML (page.ts) and the screen (src/features/help).
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ACT_IDS, ACTS, AREAS, areaOf } from '../src/lib/acts';
import {
  contentsOf,
  ERRORS,
  fileOf,
  pageOf,
  readPage,
  referencesOf,
  START,
  whereTo,
  type BookPage,
  type Part,
} from '../src/lib/handbook';
import { capsOf } from '../src/lib/shortcuts';

/** So much a picture may weigh, and all of them. */
export const PICTURE_MAX_BYTES = 60_000;
export const PICTURES_MAX_BYTES = 1_500_000;
export const KEYS_PAGE = 'keys';
/** The part of the contents whose pages each show a screen; the table of keys is a screen of words. */
const SCREENS_PART = 'The window';

export interface Book {
  docs: string;
  pages: ReadonlyMap<string, BookPage>;
  parts: readonly Part[];
  /** Names of files in docs/handbook/pictures. */
  pictures: readonly string[];
}

/** `docs`: the folder docs/ of the project. */
export function readBook(docs: string): Book {
  const files = ['handbook', 'errors', ''].flatMap((folder) =>
    readdirSync(join(docs, folder))
      .map((name) => (folder === '' ? name : `${folder}/${name}`))
      .filter((file) => pageOf(file) !== undefined),
  );
  const pages = new Map(
    files.map((file) => {
      const id = pageOf(file) ?? '';
      return [id, readPage(id, readFileSync(join(docs, file), 'utf8'))] as const;
    }),
  );
  const start = pages.get(START);
  const folder = join(docs, 'handbook/pictures');
  return {
    docs,
    pages,
    parts: start ? contentsOf(start) : [],
    pictures: existsSync(folder) ? readdirSync(folder) : [],
  };
}

/** What a reader would stumble over; `codes`: every error of the engine. */
export function problemsOf(book: Book, codes: readonly string[]): string[] {
  return [
    ...linkProblems(book),
    ...contentProblems(book),
    ...codeProblems(book, codes),
    ...pictureProblems(book),
  ];
}

function linkProblems({ pages, pictures }: Book): string[] {
  return [...pages.values()].flatMap((page) =>
    referencesOf(page).flatMap((reference): string[] => {
      const file = fileOf(page.id);
      const target = whereTo(page.id, reference.href);
      if (reference.kind === 'image') {
        if (reference.alt.trim() === '') return [`${file}: a picture without words: ${reference.href}`];
        const there = target?.kind === 'picture' && pictures.includes(target.file);
        return there ? [] : [`${file}: there is no picture ${reference.href}`];
      }
      if (target === undefined || target.kind === 'picture')
        return [`${file}: ${reference.href} leads nowhere`];
      if (target.kind === 'web') return [];
      const to = pages.get(target.page);
      if (!to) return [`${file}: there is no page ${reference.href}`];
      const known = target.at === undefined || to.headings.some(({ id }) => id === target.at);
      return known ? [] : [`${file}: ${fileOf(target.page)} has no heading #${target.at}`];
    }),
  );
}

function contentProblems({ pages, parts }: Book): string[] {
  const listed = parts.flatMap((part) => part.pages.map(({ page }) => page));
  const twice = listed.filter((page, at) => listed.indexOf(page) !== at);
  const outside = [...pages.keys()].filter(
    (page) => !page.startsWith(`${ERRORS}/`) && !listed.includes(page),
  );
  const untitled = [...pages.values()].filter(({ headings }) => headings[0]?.level !== 1);
  return [
    ...twice.map((page) => `${fileOf(START)} lists ${fileOf(page)} twice`),
    ...outside.map((page) => `${fileOf(page)} is not in the contents (${fileOf(START)})`),
    ...untitled.map(({ id }) => `${fileOf(id)} does not begin with a title`),
  ];
}

function codeProblems({ pages }: Book, codes: readonly string[]): string[] {
  const explained = [...pages.keys()].flatMap((page) => page.split(`${ERRORS}/`)[1] ?? []);
  return [
    ...codes.filter((code) => !explained.includes(code)).map((code) => `the error ${code} has no page`),
    ...explained
      .filter((code) => !codes.includes(code))
      .map((code) => `there is no error ${code}, but a page`),
  ];
}

function pictureProblems({ docs, pages, parts, pictures }: Book): string[] {
  const shown = (page: BookPage) =>
    referencesOf(page).flatMap((one) => {
      const target = one.kind === 'image' ? whereTo(page.id, one.href) : undefined;
      return target?.kind === 'picture' ? [target.file] : [];
    });
  const used = new Set([...pages.values()].flatMap(shown));
  const screens = parts.filter(({ title }) => title === SCREENS_PART).flatMap((part) => part.pages);
  const blind = screens.filter(({ page }) => {
    const read = pages.get(page);
    return page !== KEYS_PAGE && read && shown(read).length === 0;
  });
  const sizes = pictures.map((name) => statSync(join(docs, 'handbook/pictures', name)).size);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  return [
    ...(screens.length === 0 ? [`${fileOf(START)} has no part “${SCREENS_PART}”`] : []),
    ...blind.map(({ page }) => `${fileOf(page)} is about a screen and shows no picture of it`),
    ...pictures.filter((name) => !used.has(name)).map((name) => `no page shows the picture ${name}`),
    ...pictures.flatMap((name, at) =>
      (sizes[at] ?? 0) > PICTURE_MAX_BYTES
        ? [`the picture ${name} has ${sizes[at]} bytes; ${PICTURE_MAX_BYTES} are the most`]
        : [],
    ),
    ...(all > PICTURES_MAX_BYTES
      ? [`the pictures have ${all} bytes; ${PICTURES_MAX_BYTES} are the most`]
      : []),
  ];
}

export const SCHEMAS_PAGE = 'schemas';

/** The page of schemas with each as it is published; `schemas`: their texts, each of which names itself. */
export function withSchemas(page: string, schemas: readonly string[]): string {
  const named = schemas.map((text) => {
    const { properties } = JSON.parse(text) as { properties: { schema: { const: string } } };
    return { name: properties.schema.const, text };
  });
  const sections = page.split(/^(?=## )/m).map((section) => {
    const [title = ''] = section.split('\n', 1);
    const own = named.find(({ name }) => title.includes(`\`${name}\``));
    if (!own) return section;
    named.splice(named.indexOf(own), 1);
    return `${title}\n\n\`\`\`json\n${own.text.trimEnd()}\n\`\`\`\n\n`;
  });
  const missing = named.map(
    ({ name, text }) => `## \`${name}\`\n\n\`\`\`json\n${text.trimEnd()}\n\`\`\`\n\n`,
  );
  return `${[...sections, ...missing].join('').trimEnd()}\n`;
}

/** The codes of the engine, from the text of its one list. */
export function codesIn(source: string): string[] {
  return [...source.matchAll(/^ {4}\w+ = "([a-z]+\.[a-z_]+)" => /gm)].flatMap(([, code]) => code ?? []);
}

/** The page of keys with its tables as the acts have them; `words`: the messages of English. */
export function withKeys(page: string, words: Readonly<Record<string, string>>): string {
  const tables = new Map(AREAS.map((area) => [words[`keys.area.${area}`] ?? area, tableOf(area, words)]));
  const sections = page.split(/^(?=## )/m).map((section) => {
    const title = /^## (.*)/.exec(section)?.[1] ?? '';
    const table = tables.get(title);
    if (table === undefined) return `${section.trimEnd()}\n\n`;
    tables.delete(title);
    const rest = section
      .split('\n')
      .slice(1)
      .filter((line) => !line.startsWith('|'))
      .join('\n')
      .trim();
    return [`## ${title}`, ...(rest ? [rest] : []), table, ''].join('\n\n');
  });
  const missing = [...tables].map(([title, table]) => `## ${title}\n\n${table}\n\n`);
  return `${[...sections, ...missing].join('').trimEnd()}\n`;
}

function tableOf(area: (typeof AREAS)[number], words: Readonly<Record<string, string>>): string {
  const ways = new Map<string, string[]>();
  for (const id of ACT_IDS.filter((one) => areaOf(one) === area)) {
    const { keys, label } = ACTS[id];
    const drawn = capsOf(keys, false).map((press) => `\`${press.join('+')}\``);
    ways.set(label, [...(ways.get(label) ?? []), drawn.join(' then ')]);
  }
  const rows = [...ways].map(([label, keys]) => `| ${words[label] ?? label} | ${keys.join(' or ')} |`);
  return ['| What it does | Keys |', '| --- | --- |', ...rows].join('\n');
}
