import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ACT_IDS, ACTS } from '../src/lib/acts';
import { readPage, START } from '../src/lib/handbook';
import { codesIn, PICTURE_MAX_BYTES, problemsOf, readBook, withKeys, withSchemas } from './book';
import { source } from './messages.js';
import { htmlFileOf, htmlOf, styleOf } from './page';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ui = join(root, 'ui');
const CODES = codesIn(readFileSync(join(root, 'src-tauri/crates/bwana-types/src/error.rs'), 'utf8'));

describe('the handbook as it is', () => {
  const book = readBook(join(root, 'docs'));

  it('has no dead link, no missing picture, no error without a page and no screen without a picture', () => {
    expect(CODES.length).toBeGreaterThan(40);
    expect(problemsOf(book, CODES)).toEqual([]);
  });

  it('names every key as the acts have it', () => {
    const keys = readFileSync(join(root, 'docs/handbook/keys.md'), 'utf8');
    expect(keys).toBe(withKeys(keys, source(ui, 'en')));
    for (const id of ACT_IDS) expect(keys, id).toContain(`| ${source(ui, 'en')[ACTS[id].label]} |`);
  });

  it('shows the schemas as they are published', () => {
    const folder = join(root, 'src-tauri/crates/bwana-workflow/definitions/schema');
    const published = ['agent', 'workflow'].map((name) =>
      readFileSync(join(folder, `${name}.v1.json`), 'utf8'),
    );
    const schemas = readFileSync(join(root, 'docs/handbook/schemas.md'), 'utf8');
    expect(schemas).toBe(withSchemas(schemas, published));
    for (const one of published) expect(schemas).toContain(one);
  });

  it('becomes plain pages without a script, each with the way to every other', () => {
    for (const page of book.pages.values()) {
      const html = htmlOf(page, book.parts);
      expect(html, page.id).not.toMatch(/<script|javascript:|\son\w+=|\sstyle=/i);
      expect(html.match(/<h1/g), page.id).toHaveLength(1);
    }
    const auth = htmlOf(book.pages.get('errors/provider.auth')!, book.parts);
    expect(auth).toContain('href="../style.css"');
    expect(auth).toContain('href="../first-run.html"');
  });

  it('is drawn in the colours of the window', () => {
    const style = styleOf(readFileSync(join(ui, 'src/theme/tokens.css'), 'utf8'), 'main {}');
    expect(style).toMatch(/^:root \{/);
    expect(style).toContain('prefers-color-scheme: dark');
    expect(() => styleOf('', '')).toThrow('no light');
  });
});

describe('a handbook with a mistake', () => {
  let folder: string | undefined;
  afterEach(() => folder && rmSync(folder, { recursive: true, force: true }));

  const GOOD: Record<string, string | Uint8Array> = {
    'journal.md': '# Journal\n',
    'errors/README.md': '# Errors\n',
    'errors/a.b.md': '# a.b\n',
    'handbook/README.md':
      '# Book\n\n## The window\n\n- [Home](home.md)\n\n## Rest\n\n- [E](../errors/README.md)\n- [J](../journal.md)\n',
    'handbook/home.md': '# Home\n\n![Home](pictures/home.webp)\n',
    'handbook/pictures/home.webp': 'x',
  };

  function problems(changes: Record<string, string | Uint8Array | undefined>): string[] {
    folder = mkdtempSync(join(tmpdir(), 'book-'));
    for (const part of ['errors', 'handbook/pictures']) mkdirSync(join(folder, part), { recursive: true });
    for (const [name, text] of Object.entries({ ...GOOD, ...changes }))
      if (text !== undefined) writeFileSync(join(folder, name), text);
    return problemsOf(readBook(folder), ['a.b']);
  }

  it('has none when it is whole', () => expect(problems({})).toEqual([]));

  it.each([
    [
      'a page that is not there',
      { 'errors/a.b.md': '# a.b\n\n[x](no.md)\n' },
      'errors/a.b.md: there is no page no.md',
    ],
    [
      'a heading that is not there',
      { 'journal.md': '# J\n\n[x](handbook/home.md#no)\n' },
      'handbook/home.md has no heading #no',
    ],
    [
      'a link to outside the book',
      { 'journal.md': '# J\n\n[x](../README.md)\n' },
      'journal.md: ../README.md leads nowhere',
    ],
    ['a link in a table', { 'journal.md': '# J\n\n| a |\n|---|\n| [x](no.md) |\n' }, 'no.md leads nowhere'],
    [
      'a picture that is not there',
      { 'handbook/pictures/home.webp': undefined },
      'there is no picture pictures/home.webp',
    ],
    [
      'a picture without words',
      { 'journal.md': '# J\n\n![](handbook/pictures/home.webp)\n' },
      'a picture without words',
    ],
    ['a picture no page shows', { 'handbook/pictures/b.webp': 'x' }, 'no page shows the picture b.webp'],
    [
      'a picture that is too heavy',
      { 'handbook/pictures/home.webp': new Uint8Array(PICTURE_MAX_BYTES + 1) },
      `are the most`,
    ],
    ['a screen without a picture', { 'handbook/home.md': '# Home\n' }, 'handbook/home.md is about a screen'],
    ['an error without a page', { 'errors/a.b.md': undefined }, 'the error a.b has no page'],
    ['a page without an error', { 'errors/c.d.md': '# c.d\n' }, 'there is no error c.d'],
    ['a page outside the contents', { 'handbook/x.md': '# X\n' }, 'handbook/x.md is not in the contents'],
    ['a page without a title', { 'journal.md': 'words\n' }, 'journal.md does not begin with a title'],
  ])('is told of %s', (_name, changes, told) => {
    expect(problems(changes).join('\n')).toContain(told);
  });
});

describe('a page as HTML', () => {
  const html = (text: string) => htmlOf(readPage(START, text), []);

  it.each([
    ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['`<b>` & co', '<code>&lt;b&gt;</code> &amp; co'],
    ['[x](javascript:alert(1))', '<p>x</p>'],
    ['![a "b"](pictures/home.webp)', 'alt="a &quot;b&quot;"'],
    ['![x](https://canary.example/p.png)', '<figure>x</figure>'],
    ['[x](https://a.example/?b="c")', 'href="https://a.example/?b=&quot;c&quot;"'],
    ['[x](home.md#top)', 'href="home.html#top"'],
  ])('%s is written as %s', (text, wanted) => expect(html(`# T\n\n${text}\n`)).toContain(wanted));

  it.each([
    ['start', 'index.html'],
    ['home', 'home.html'],
    ['errors', 'errors/index.html'],
    ['errors/store.full', 'errors/store.full.html'],
    ['journal', 'journal.html'],
  ])('%s is the file %s', (page, file) => expect(htmlFileOf(page)).toBe(file));
});

describe('the page of schemas', () => {
  const schema = (n: number) => `{"properties": {"schema": {"const": "a/v${n}"}}, "n": ${n}}\n`;
  it('has each once, under its name, whatever stood there before', () => {
    const page = withSchemas('# S\n\nHand.\n\n## A, `a/v1`\n\n```json\nold\n```\n', [schema(1), schema(2)]);
    expect(page).toContain('# S\n\nHand.\n\n## A, `a/v1`\n\n```json\n{"properties"');
    expect(page).toContain('## `a/v2`');
    expect(page).not.toContain('old');
    expect(withSchemas(page, [schema(1), schema(2)])).toBe(page);
  });
});

describe('the page of keys', () => {
  const words = source(ui, 'en');
  it('keeps what is written by hand and has every area once', () => {
    const first = withKeys('# Keys\n\nIntro.\n\n## Go to\n\nHand.\n\n| old | table |\n', words);
    expect(first).toContain('# Keys\n\nIntro.\n\n## Go to\n\nHand.\n\n| What it does | Keys |');
    expect(first).not.toContain('| old |');
    expect(first.match(/^## Everywhere$/gm)).toHaveLength(1);
    expect(withKeys(first, words)).toBe(first);
  });
});
