import { expect, test } from 'vitest';
import { CHILDREN_MOST, firstOpen, linesOfTree, TEXT_CHARS, type Json } from './tree';

const drawn = (value: Json, open: string[] = ['$']) =>
  linesOfTree(value, new Set(open)).map(
    ({ depth, key, index, kind, text, size }) =>
      `${' '.repeat(depth)}${key ?? (index === undefined ? '' : `#${index}`)} ${kind} ${size ?? text}`,
  );

test('only what stands open has lines, in the order of the value', () => {
  const value = { a: [1, 'x'], b: null, c: { d: true } };
  expect(drawn(value)).toEqual([' object 3', ' a array 2', ' b null null', ' c object 1']);
  expect(drawn(value, ['$', '$/a', '$/c'])).toEqual([
    ' object 3',
    ' a array 2',
    '  #0 number 1',
    '  #1 string "x"',
    ' b null null',
    ' c object 1',
    '  d boolean true',
  ]);
  expect(drawn('only words')).toEqual([' string "only words"']);
});

test('keys that look like places or like what every object has are keys', () => {
  const value = JSON.parse('{"a/b": {"c": 1}, "__proto__": {"x": 2}, "constructor": 3}') as Json;
  const lines = linesOfTree(value, new Set(['$', '$/a~1b', '$/__proto__']));
  expect(lines.map(({ key }) => key)).toEqual([undefined, 'a/b', 'c', '__proto__', 'x', 'constructor']);
  expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
});

test('long lists and long texts are cut, and it is said how much is left', () => {
  const lines = linesOfTree(
    Array.from({ length: CHILDREN_MOST + 7 }, (_, at) => at),
    new Set(['$']),
  );
  expect(lines).toHaveLength(CHILDREN_MOST + 2);
  expect(lines.at(-1)).toMatchObject({ kind: 'more', text: '7' });
  expect(linesOfTree('x'.repeat(9_999), new Set())[0]?.text).toHaveLength(TEXT_CHARS + 3);
});

test('a value deeper than any stack is drawn', () => {
  let value: Json = 1;
  const open = new Set<string>();
  let id = '$';
  for (let n = 0; n < 3_000; n += 1) {
    value = [value];
    open.add(id);
    id += '/0';
  }
  expect(linesOfTree(value, open)).toHaveLength(3_001);
});

test('a small value stands open, a large one at its root', () => {
  expect(firstOpen({ a: { b: [1, 2] }, c: {} })).toEqual(new Set(['$', '$/a', '$/a/b']));
  expect(firstOpen({ a: Array.from({ length: 500 }, () => 1) })).toEqual(new Set(['$']));
});
