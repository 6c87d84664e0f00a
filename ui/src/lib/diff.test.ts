import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blocks, lineDiff, nearChanges, wordDiff, type Row } from './diff';

const said = (rows: readonly Row[]) =>
  rows.map(({ kind, before, after }) => {
    const words = (line: Row['before']) =>
      line?.parts.map(({ text, mark }) => (mark ? `[${text}]` : text)).join('') ?? '';
    const sign = { same: ' ', gone: '-', added: '+', changed: '~' }[kind];
    return kind === 'changed' ? `~${words(before)} => ${words(after)}` : sign + words(before ?? after);
  });

describe('two texts', () => {
  const check = (a: string, b: string, ...rows: string[]) => expect(said(lineDiff(a, b))).toEqual(rows);
  test('that are the same', () => check('a\nb\n', 'a\nb\n', ' a', ' b'));
  test('of which one is empty', () => check('', 'a\nb', '+a', '+b'));
  test('of which one has a line more', () => check('a\nc\n', 'a\nb\nc\n', ' a', '+b', ' c'));
  test('of which one has a line less', () => check('a\nb\nc\n', 'a\nc\n', ' a', '-b', ' c'));
  test('with a changed line have its words marked', () =>
    check(
      'x\ntask: Count the bread.\n',
      'x\ntask: Weigh the bread.\n',
      ' x',
      '~task: [Count] the bread. => task: [Weigh] the bread.',
    ));
  test('with lines that have nothing in common', () =>
    check('one two\nz', 'three\nz', '-one two', '+three', ' z'));
  test('with another line between', () =>
    check(
      'name: A\nend',
      'new words here\nname: B\nend',
      '+new words here',
      '~name: [A] => name: [B]',
      ' end',
    ));
});

test('words are marked in any writing, and spaces count', () => {
  expect(wordDiff('راجع المخزون', 'راجع الأسعار')[1]).toEqual([
    { text: 'راجع ', mark: false },
    { text: 'الأسعار', mark: true },
  ]);
  expect(wordDiff('  a', '    a')[0]).toEqual([
    { text: '  ', mark: true },
    { text: 'a', mark: false },
  ]);
});

const text = fc.array(fc.constantFrom('a', 'b', 'c', 'a b', 'b c', ''), { maxLength: 14 });
const sideOf = (rows: readonly Row[], side: 'before' | 'after') =>
  rows.flatMap((row) => (row[side] ? [row[side].parts.map((part) => part.text).join('')] : []));

test('both texts are there again, in order and numbered', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      const rows = lineDiff(a.map((line) => `${line}\n`).join(''), b.map((line) => `${line}\n`).join(''));
      expect(sideOf(rows, 'before')).toEqual(a);
      expect(sideOf(rows, 'after')).toEqual(b);
      expect(rows.flatMap(({ before }) => before?.n ?? [])).toEqual(a.map((_, index) => index + 1));
      expect(rows.flatMap(({ after }) => after?.n ?? [])).toEqual(b.map((_, index) => index + 1));
      for (const { kind, before, after } of rows) {
        if (kind === 'same') expect(before?.parts).toEqual(after?.parts);
        expect([before !== undefined, after !== undefined]).toEqual(
          { same: [true, true], changed: [true, true], gone: [true, false], added: [false, true] }[kind],
        );
      }
    }),
  );
});

/** The length of the longest common subsequence, the slow way. */
function longest(a: readonly string[], b: readonly string[]): number {
  const table = Array.from({ length: a.length + 1 }, () => Array.from({ length: b.length + 1 }, () => 0));
  const get = (i: number, j: number) => table[i]?.[j] ?? 0;
  for (const [i, x] of a.entries())
    for (const [j, y] of b.entries()) {
      const row = table[i + 1];
      if (row) row[j + 1] = x === y ? get(i, j) + 1 : Math.max(get(i, j + 1), get(i + 1, j));
    }
  return get(a.length, b.length);
}

test('nothing is said to have changed that could have stayed', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      const same = blocks(a, b).filter((block) => block.same);
      expect(same.reduce((sum, { from, to }) => sum + to - from, 0)).toBe(longest(a, b));
      for (const { from, to, otherFrom, otherTo } of same)
        expect(a.slice(from, to)).toEqual(b.slice(otherFrom, otherTo));
    }),
  );
});

test('texts without anything in common are told in time', () => {
  const a = Array.from({ length: 8_000 }, (_, n) => `a${n}`).join('\n');
  const b = Array.from({ length: 8_000 }, (_, n) => `b${n}`).join('\n');
  expect(blocks(a.split('\n'), b.split('\n'))).toHaveLength(1);
});

test('only what is near a change is shown', () => {
  const lines = (change: string) =>
    Array.from({ length: 20 }, (_, n) => (n === 9 ? change : `line ${n}`)).join('\n');
  const { shown, rest } = nearChanges(lineDiff(lines('old words'), lines('other')), 2);
  expect(shown.map(({ skipped, rows }) => [skipped, rows.length])).toEqual([[7, 6]]);
  expect(rest).toBe(8);
  expect(nearChanges(lineDiff('a', 'a'), 2)).toEqual({ shown: [], rest: 1 });
});
