import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  fits,
  hasComments,
  newFile,
  placesOf,
  readDraft,
  renamed,
  sourceName,
  textOf,
  writeDraft,
} from './file';

describe('the place of a complaint', () => {
  const check = (path: string, said: string) =>
    expect(
      placesOf(path)
        .map((place) => (place.kind === 'key' ? place.key : `${place.kind} ${place.n}`))
        .join(' > '),
    ).toBe(said);
  test('is the whole file where nothing is said', () => check('', ''));
  test('is a key as it stands there', () => check('limits.max_round', 'limits > max_round'));
  test('counts as people count', () => check('agents[0]', 'agents > entry 1'));
  test('is a step', () => check('steps[2].chat.agents[1]', 'step 3 > chat > agents > entry 2'));
  test('is a branch of a step', () => check('steps[1].parallel.steps[2].agnt', 'step 2 > branch 3 > agnt'));
  test('is a branch of a branch', () =>
    check('steps[0].parallel.steps[0].parallel.steps[1]', 'step 1 > branch 1 > branch 2'));
  test('is a condition', () =>
    check('steps[0].chat.stop.any[1].text', 'step 1 > chat > stop > any > entry 2 > text'));
});

test('a copy has another id and name, and everything else as it was', () => {
  const text = '# why\nid: a\nname: A\nsteps:\n  - id: b\n    name: B\n---\nid: c\n';
  expect(renamed(text, 'a_copy', 'A "copy" $& x')).toBe(
    '# why\nid: a_copy\nname: "A \\"copy\\" $& x"\nsteps:\n  - id: b\n    name: B\n---\nid: c\n',
  );
});

test('what comes with the program can be copied: its id and name stand at the margin, once', () => {
  const folder = fileURLToPath(
    new URL('../../../../src-tauri/crates/bwana-workflow/definitions/workflows', import.meta.url),
  );
  for (const file of readdirSync(folder)) {
    const copy = renamed(readFileSync(`${folder}/${file}`, 'utf8'), 'my_copy', 'My copy');
    expect(copy.match(/^id: .*$/gm)).toEqual(['id: my_copy']);
    expect(copy.match(/^name: .*$/gm)).toEqual(['name: "My copy"']);
  }
});

test('a new file quotes what a person’s language says', () => {
  const text = newFile({
    id: 'my',
    name: 'L’"été": #1',
    agent: 'ops',
    step: '- x',
    task: 'Two\nlines: here',
  });
  expect(text).toContain('name: "L’\\"été\\": #1"');
  expect(text).toContain('name: "- x"');
  expect(text).toContain('    task: |\n      Two\n      lines: here\n');
});

test('comments at the margin are noticed, headings inside of a text are none', () => {
  expect(hasComments('id: a\n# why\n')).toBe(true);
  expect(hasComments('task: |\n  ### Sales\n')).toBe(false);
});

test('a draft comes back with the version it began with', () => {
  expect(readDraft(writeDraft('h1', 'a\nb'))).toEqual({ hash: 'h1', text: 'a\nb' });
  expect(readDraft(writeDraft('', ''))).toEqual({ hash: '', text: '' });
  expect(readDraft('')).toBeUndefined();
});

test('a file is text in UTF-8, with one kind of line end', () => {
  const bytes = (text: string) => new TextEncoder().encode(text).buffer;
  expect(textOf(bytes('a\r\nb\rc\n'))).toBe('a\nb\nc\n');
  expect(textOf(bytes('a\0'))).toBeUndefined();
  expect(textOf(new Uint8Array([0xff, 0xd8]).buffer)).toBeUndefined();
});

test('no file passes for one that comes with the program', () => {
  expect(sourceName('builtin')).toBe('builtin.yaml');
  expect(sourceName('mine.yaml')).toBe('mine.yaml');
});

test('all words of a search must stand somewhere', () => {
  const texts = ['Weekly Review', 'Counts shelves'];
  expect(fits('', texts)).toBe(true);
  expect(fits(' shelves WEEK ', texts)).toBe(true);
  expect(fits('shelves month', texts)).toBe(false);
});
