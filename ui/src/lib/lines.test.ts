import { expect, test } from 'vitest';
import { lineAt } from './lines';

test('a line is found by its number, and one that is not there is the nearest', () => {
  const text = 'one\n\nthree';
  const line = (at: number) => {
    const { n, from, to } = lineAt(text, at);
    return `${n} ${text.slice(from, to)}`;
  };
  expect([1, 2, 3, 4, 0].map(line)).toEqual(['1 one', '2 ', '3 three', '3 three', '1 one']);
  expect(lineAt('', 1)).toEqual({ n: 1, from: 0, to: 0 });
});
