// The weight of the built interface, gzipped: what the first screen loads, and all that one window can load. Fails over
// the budget.
import { gzipSync } from 'node:zlib';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

const START_LIMIT_KB = 120;
/** Read from the disk when a screen is first opened, never over a network: it bounds growth, not waiting. */
const TOTAL_LIMIT_KB = 540;
const FONT_LIMIT_KB = 320;
/** The words of the handbook: each page is read when it is opened. */
const HANDBOOK_LIMIT_KB = 100;
const PICTURES_LIMIT_KB = 1_500;
const dist = fileURLToPath(new URL('../dist', import.meta.url));
/** @type {Record<string, { file: string, isEntry?: boolean, imports?: string[], css?: string[] }>} */
const manifest = JSON.parse(readFileSync(join(dist, 'assets/manifest.json'), 'utf8'));

/** @param {string} file */
const gzipped = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;
const start = new Set(['theme.js']);
/** @param {string} key */
function load(key) {
  const chunk = manifest[key];
  if (!chunk || start.has(chunk.file)) return;
  start.add(chunk.file);
  for (const css of chunk.css ?? []) start.add(css);
  for (const next of chunk.imports ?? []) load(next);
}
for (const [key, chunk] of Object.entries(manifest)) if (chunk.isEntry) load(key);
// The words of one language are read before the first screen as well.
const words = Object.entries(manifest).find(([key]) => key.includes('messages/en'));
if (words) start.add(words[1].file);

const assets = readdirSync(join(dist, 'assets')).map((name) => `assets/${name}`);
// A window speaks one language: of the words, the heaviest ones count.
const spoken = Object.entries(manifest)
  .filter(([key]) => /messages\/\w+$/.test(key))
  .map(([, chunk]) => chunk.file)
  .sort((a, b) => gzipped(b) - gzipped(a));
const told = Object.entries(manifest)
  .filter(([key]) => key.startsWith('../docs/'))
  .map(([, chunk]) => chunk.file);
const pages = told.filter((file) => file.endsWith('.js'));
const code = [...assets, 'theme.js'].filter(
  (file) => /\.(js|css)$/.test(file) && !spoken.slice(1).includes(file) && !pages.includes(file),
);
/** @param {Iterable<string>} files */
const sum = (files) => [...files].reduce((total, file) => total + gzipped(file), 0) / 1000;
const fonts =
  assets.filter((f) => f.endsWith('.woff2')).reduce((n, f) => n + statSync(join(dist, f)).size, 0) / 1000;
const pictures =
  assets.filter((f) => f.endsWith('.webp')).reduce((n, f) => n + statSync(join(dist, f)).size, 0) / 1000;
const rows = /** @type {const} */ ([
  ['at start', sum(start), START_LIMIT_KB],
  ['in all', sum(code), TOTAL_LIMIT_KB],
  ['fonts', fonts, FONT_LIMIT_KB],
  ['handbook', sum(pages), HANDBOOK_LIMIT_KB],
  ['pictures', pictures, PICTURES_LIMIT_KB],
]);
for (const [name, size, limit] of rows) console.log(`${name}: ${size.toFixed(1)} kB of ${limit} kB`);
if (rows.some(([, size, limit]) => size > limit)) process.exit(1);
