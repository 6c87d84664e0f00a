// Writes the handbook as plain HTML into target/handbook, after everything in it was checked: links, pictures, a page for every
// error, keys and schemas as they are. `--check` writes nothing; `--write` brings the pages of keys and schemas up to date.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';
import { source } from '../build/messages.js';

const ui = fileURLToPath(new URL('..', import.meta.url));
const root = join(ui, '..');
const docs = join(root, 'docs');
const out = join(root, 'target/handbook');

/** @template T @param {string} file @returns {Promise<T>} */
async function load(file) {
  const inline = {
    root: ui,
    configFile: /** @type {const} */ (false),
    logLevel: /** @type {const} */ ('error'),
  };
  return (await runnerImport(join(ui, 'build', file), inline)).module;
}

/** @type {typeof import('../build/book')} */
const { codesIn, KEYS_PAGE, problemsOf, readBook, SCHEMAS_PAGE, withKeys, withSchemas } =
  await load('book.ts');
/** @type {typeof import('../build/page')} */
const { htmlFileOf, htmlOf, STYLE_FILE, styleOf } = await load('page.ts');

const schemas = ['agent', 'workflow'].map((name) =>
  readFileSync(join(root, `src-tauri/crates/bwana-workflow/definitions/schema/${name}.v1.json`), 'utf8'),
);
/** Pages of which a part is not written by hand. @type {[string, (page: string) => string][]} */
const made = [
  [KEYS_PAGE, (page) => withKeys(page, source(ui, 'en'))],
  [SCHEMAS_PAGE, (page) => withSchemas(page, schemas)],
];
/** @type {string[]} */
const problems = [];
for (const [page, make] of made) {
  const file = join(docs, 'handbook', `${page}.md`);
  const before = readFileSync(file, 'utf8');
  const after = make(before);
  if (process.argv.includes('--write')) writeFileSync(file, after);
  else if (before !== after)
    problems.push(`docs/handbook/${page}.md is stale: run \`npm run handbook -- --write\``);
}

const book = readBook(docs);
const codes = codesIn(readFileSync(join(root, 'src-tauri/crates/bwana-types/src/error.rs'), 'utf8'));
problems.push(...problemsOf(book, codes));
for (const problem of problems) console.error(problem);

if (problems.length === 0 && !process.argv.includes('--check')) {
  rmSync(out, { recursive: true, force: true });
  for (const page of book.pages.values()) {
    const file = join(out, htmlFileOf(page.id));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, htmlOf(page, book.parts));
  }
  cpSync(join(docs, 'handbook/pictures'), join(out, 'pictures'), { recursive: true });
  const style = ['src/theme/tokens.css', 'build/page.css'].map((file) =>
    readFileSync(join(ui, file), 'utf8'),
  );
  writeFileSync(join(out, STYLE_FILE), styleOf(style[0] ?? '', style[1] ?? ''));
}
console.log(`${book.pages.size} pages, ${book.pictures.length} pictures, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
