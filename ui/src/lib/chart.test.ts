import { describe, expect, it } from 'vitest';
import { bars, line } from './chart';

describe('bars', () => {
  it('fill the box with the largest value at the top', () => {
    expect(bars([1, 2, 0], 32, 10, 1)).toEqual([
      { x: 0, width: 10, y: 5, height: 5 },
      { x: 11, width: 10, y: 0, height: 10 },
      { x: 22, width: 10, y: 10, height: 0 },
    ]);
  });

  it('leave room for a limit', () => expect(bars([1], 10, 10, 0, 2)[0]?.height).toBe(5));
  it('show a small value as something', () => expect(bars([0.001, 100], 10, 10, 0)[0]?.height).toBe(1));
  it('of nothing are nothing', () => expect(bars([], 10, 10, 1)).toEqual([]));
});

describe('a line', () => {
  it('goes from the first value to the last', () => expect(line([0, 5, 10], 10, 10)).toBe('M0 10L5 5L10 0'));
  it('of one value is flat', () => expect(line([3], 10, 10)).toBe('M0 5L10 5'));
  it('of nothing is nothing', () => expect(line([], 10, 10)).toBe(''));
});
