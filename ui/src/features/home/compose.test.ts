import { describe, expect, test } from 'vitest';
import { fitting, textOf, typedName, withFile, withName, wordsBehind } from './compose';

describe('the name that is being typed', () => {
  const check = (text: string, caret: number, expected: unknown) =>
    expect(typedName(text, caret)).toEqual(expected);
  test('is the one at the beginning', () => check('/mar', 4, { sign: '/', typed: 'mar' }));
  test('may be empty', () => check('@', 1, { sign: '@', typed: '' }));
  test('is over behind its space', () => check('/market sell', 9, undefined));
  test('is still typed when the caret goes back into it', () =>
    check('/market sell', 3, { sign: '/', typed: 'market' }));
  test('is none before its sign', () => check('/market', 0, undefined));
  test('is none in the middle of a wish', () => check('ask @me', 7, undefined));
});

describe('names that fit', () => {
  const all = [
    { id: 'export', name: 'Sell abroad' },
    { id: 'market', name: 'African Market' },
    { id: 'setup', name: 'Business setup' },
  ];
  const check = (typed: string, expected: string[]) =>
    expect(fitting(all, typed).map(({ id }) => id)).toEqual(expected);
  test('are all of them for nothing typed', () => check('', ['export', 'market', 'setup']));
  test('begin with it before they hold it', () => check('se', ['export', 'setup']));
  test('may hold it in the name people read', () => check('mark', ['market']));
  test('do not care for capitals', () => check('SET', ['setup']));
  test('may be none', () => check('zzz', []));
});

test('a name goes before the wish and replaces the one that stands there', () => {
  expect(withName('find it', '/', 'market')).toBe('/market find it');
  expect(withName('/mar', '/', 'market')).toBe('/market ');
  expect(withName('@ops find it', '/', 'market')).toBe('/market find it');
});

test('stems are told as the words of the wish', () => {
  expect(wordsBehind('Find Distributors in Mombasa', ['distribut', 'mombasa'])).toEqual([
    'Distributors',
    'Mombasa',
  ]);
  expect(wordsBehind('Find it', ['elsewhere'])).toEqual(['elsewhere']);
});

test('only text is taken from a file', () => {
  const bytes = (...values: number[]) => new Uint8Array(values).buffer;
  expect(textOf(bytes(0x61, 0x0d, 0x0a, 0x62, 0x0a))).toBe('a\nb');
  expect(textOf(bytes(0x61, 0))).toBeUndefined();
  expect(textOf(bytes(0xff, 0xfe, 0xfd))).toBeUndefined();
  expect(withFile('Read this', 'a.csv', 'x,y')).toBe('Read this\n\na.csv:\nx,y\n');
  expect(withFile('', 'a.csv', 'x,y')).toBe('a.csv:\nx,y\n');
});
