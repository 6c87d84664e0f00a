import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { nodeAt, parseYaml, valueOf, YamlError, type Trouble } from './yaml';
import { Lines, Raw, written } from './yaml-write';

const read = (text: string) => parseYaml(text).map(valueOf);
const theirs = (text: string) => parse(text);
const FOLDER = fileURLToPath(
  new URL('../../../src-tauri/crates/bwana-workflow/definitions', import.meta.url),
);
const SHIPPED = ['workflows', 'agents'].flatMap((kind) =>
  readdirSync(`${FOLDER}/${kind}`).map((file) => readFileSync(`${FOLDER}/${kind}/${file}`, 'utf8')),
);

test('what comes with the program reads as another reader reads it', () => {
  expect(SHIPPED.length).toBeGreaterThan(15);
  for (const text of SHIPPED) expect(read(text)).toEqual([theirs(text)]);
});

test.each([
  [
    'scalars',
    'a: 1\nb: 1.50\nc: true\nd: null\ne:\nf: ~\ng: x y\nh: 6h\ni: -3\nj: 0x1f\nk: .5\nl: yes\nm: 1e3\n',
  ],
  ['quotes', `a: "x: \\"y\\" # z \\u00e9 \\t"\nb: 'it''s # so'\n"c d": 1\n'e': 2\n"f":   3\n`],
  ['quotes over lines', 'a: "one\n  two\n\n  three"\nb: \'one\n  two\'\nc: 1\n'],
  ['comments', '# top\na: 1 # one\n# between\n\n  # further in\nb: # under\n  # more\n  c: 2#no\nd: x#y\n'],
  ['lists', '- a\n- b: 1\n  c: 2\n-\n  d: 3\n- - x\n  - y\n-\n- [1, "a", {b: c}]\n'],
  ['a list in the column of its key', 'a:\n- 1\n- b: 2\n  c: 3\nd: 4\n'],
  ['brackets', 'a: {b: 1, c: [x, y z], "d": {}, e: , f}\ng: [\n  1, # one\n  2,\n]\nh: {"a":1,"b":[]}\n'],
  ['JSON', '{\n  "a": [1, true, null, "x\\ny"],\n  "b": {"c": -1.5e2}\n}\n'],
  ['plain texts over lines', 'a: one\n  two\n\n  three # end\nb: four\n  # comment\nc: five - six\n'],
  ['blocks', 'a: |\n  x\n   y\n\n  # z\nb: |-\n  x\n\nc: |+\n  x\n\nd: |2\n   x\n  y\ne: | # said\n  x\n'],
  ['folded blocks', 'a: >\n  one\n  two\n\n  three\n   four\n   five\n\n  six\nb: >-\n\n  x\n\n\n  y\n'],
  ['an empty block', 'a: |\nb: |-\nc: |+\n\nd: 1\n'],
  ['a block in a list', '- |\n  x\n- a: |\n    y\n   \n- z\n'],
  ['a key with a colon in it', 'a:b: c\nd: e:f\nhttp://x: y\n'],
  ['a document mark', '---\na: 1\n'],
])('%s read as another reader reads them', (_, text) => expect(read(text)).toEqual([theirs(text)]));

test('a file may hold several documents', () => {
  expect(read('a: 1\n---\n# c\nb: 2\n...\n---\n- c\n')).toEqual([{ a: 1 }, { b: 2 }, ['c']]);
  expect(read('')).toEqual([]);
  expect(read('# only words\n\n---\n')).toEqual([]);
});

test.each<[Trouble, number, string]>([
  ['unknown', 2, 'a: 1\nb: &x 2\n'],
  ['unknown', 1, 'a: *x\n'],
  ['unknown', 1, 'a: !!str 2\n'],
  ['unknown', 1, '? a\n: b\n'],
  ['unknown', 1, '%YAML 1.2\n---\na: 1\n'],
  ['unknown', 1, '--- {a: 1}\n'],
  ['unknown', 1, 'a: 1\r\nb: 2\r\n'],
  ['unknown', 1, '[{[a]: 1}]\n'],
  ['unknown', 1, '['.repeat(200)],
  ['form', 2, 'a: 1\na: 2\n'],
  ['form', 2, 'a: 1\n  b: 2\n'],
  ['form', 3, 'a:\n    b: 1\n  c: 2\n'],
  ['form', 2, 'a:\n\tb: 1\n'],
  ['form', 1, 'a: b: c\n'],
  ['form', 2, 'a: 1\nb\n'],
  ['form', 1, 'a: "x\n'],
  ['form', 1, 'a: "\\q"\n'],
  ['form', 2, 'a: [1, 2\n'],
  ['form', 1, 'a: [1] 2\n'],
  ['form', 1, 'a: |x\n  y\n'],
  ['form', 2, '- a\nb: 1\n'],
])('it is said that (%s) in line %i something is wrong: %j', (trouble, line, text) => {
  let error: unknown;
  try {
    read(text);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(YamlError);
  expect(error).toMatchObject({ trouble, line });
});

test('what nobody writes by hand is refused before it gets slow', () => {
  const many = (line: (n: number) => string) => Array.from({ length: 100_000 }, (_, n) => line(n)).join('\n');
  for (const text of [many((n) => `k${n}: 1`), many(() => '- a'), `a: [${many(() => 'b,')}]`])
    expect(() => read(text)).toThrow(YamlError);
});

test('no text makes it throw anything else, or go on for ever', () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '\n',
    '  ',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    ',',
    '#',
    '|',
    '>',
    '---',
    '\t',
    '&',
    '?',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        read(pieces.join(''));
      } catch (error) {
        expect(error).toBeInstanceOf(YamlError);
      }
    }),
    { numRuns: 3_000 },
  );
});

test('what both can read, both read alike', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    ': ',
    ':\n',
    '- ',
    '\n',
    '\n  ',
    '\n    ',
    '"x"',
    "'y'",
    '[1, a]',
    '{c: d}',
    ' # e\n',
    '|\n   f\n',
    'g h',
    '1',
  );
  let compared = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const text = pieces.join('');
      let ours: unknown[];
      let other: unknown;
      try {
        ours = read(text);
        other = theirs(text);
      } catch {
        return;
      }
      compared += 1;
      expect(ours[0] ?? null).toEqual(other ?? null);
    }),
    { numRuns: 5_000 },
  );
  expect(compared).toBeGreaterThan(500);
});

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom('a', ' ', '\n', '#', ':', '-', '"', "'", '{', '1', '.', '\t', 'é', '|', '~'),
    maxLength: 16,
  }),
  fc.constantFrom(
    'yes',
    'null',
    '1e3',
    '0x1',
    '---',
    '- a',
    'a: b',
    '2026-01-01',
    ' x',
    'x ',
    'a\n\nb\n',
    '\n',
    ' a\nb',
    'a\n b\n\n',
  ),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    anyText,
    fc.boolean(),
    fc.constant(null),
    fc.integer(),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(
      anyText.filter((key) => key !== '__proto__'),
      tie('tree'),
      { maxKeys: 4 },
    ),
  ),
}));

test('what is written reads back as it was, by us and by another', () => {
  fc.assert(
    fc.property(tree, fc.boolean(), (value, wide) => {
      const text = `before: 1\nkey:${written(value, 0, wide)}\nafter: 2\n`;
      const wanted = { before: 1, key: value, after: 2 };
      expect(read(text)).toEqual([wanted]);
      expect(theirs(text)).toEqual(wanted);
      const list = `-${written(value, 0)}\n- end\n`;
      expect(read(list)).toEqual([[value, 'end']]);
    }),
    { numRuns: 2_000 },
  );
});

describe('what is written looks as people write it', () => {
  const check = (value: unknown, text: string) => expect(written(value, 2)).toBe(text);
  test('a short text', () => check('Count the bread', ' Count the bread'));
  test('a text that means something else without quotes', () => check('yes', ' "yes"'));
  test('a list of names', () => check(['a', 'b_c'], ' [a, b_c]'));
  test('no list', () => check([], ' []'));
  test('a long list', () =>
    check(
      Array.from({ length: 12 }, () => 'operations'),
      '\n    - operations'.repeat(12),
    ));
  test('a text of several lines', () => check('One:\n- two\n', ' |\n    One:\n    - two'));
  test('a map', () => check({ turns: 3, gone: undefined, elapsed: '6h' }, '\n    turns: 3\n    elapsed: 6h'));
  test('a figure as it was typed', () => check(new Raw('1.50'), ' 1.50'));
  test('lines of a person', () =>
    check(new Lines('type: object # so\nrequired: [a]\n'), '\n    type: object # so\n    required: [a]'));
});

test('a place is found by its path', () => {
  const [root] = parseYaml('steps:\n  - name: A\n  - parallel:\n      steps: [B, C]\n');
  expect(nodeAt(root, ['steps', 1, 'parallel', 'steps', 1])).toMatchObject({ value: 'C', from: 50, to: 51 });
  expect(nodeAt(root, ['steps', 2])).toBeUndefined();
  expect(nodeAt(root, ['steps', 'name'])).toBeUndefined();
});
