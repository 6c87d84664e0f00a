import { describe, expect, it } from 'vitest';
import { axis, axisBetween, bars, labelled, line, stacks } from './chart';

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

describe('stacks', () => {
  const drawn = stacks([[1, 3], [0, 2], []], 30, 40, 0, 4, 1);
  it('stand on each other and fill the bar', () => {
    expect(drawn[0]).toEqual([
      { x: 0, width: 10, y: 30, height: 10 },
      { x: 0, width: 10, y: 0, height: 29 },
    ]);
  });
  it('leave out what is nothing', () => expect(drawn[1]?.map(({ height }) => height)).toEqual([0, 20]));
  it('of no parts are no bar', () => expect(drawn[2]).toEqual([]));
  it('count nothing below zero', () =>
    expect(stacks([[-5, 1]], 10, 10, 0, 0, 0)[0]?.map(({ height }) => height)).toEqual([0, 10]));
});

describe('an axis', () => {
  it('has round steps that hold the largest value', () => {
    expect(axis(0.87)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(axis(1)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(axis(7_100_000)).toEqual([0, 2_000_000, 4_000_000, 6_000_000, 8_000_000]);
    expect(axis(0.00003).at(-1)).toBeGreaterThanOrEqual(0.00003);
  });
  it('of nothing is zero alone', () => {
    expect(axis(0)).toEqual([0]);
    expect(axis(Number.NaN)).toEqual([0]);
  });
});

describe('labels', () => {
  it('are all written where they fit', () => expect(labelled(3, 7)).toEqual([0, 1, 2]));
  it('end with the last one', () => expect(labelled(30, 7)).toEqual([4, 9, 14, 19, 24, 29]));
  it('of nothing are none', () => expect(labelled(0, 7)).toEqual([]));
});

describe('an axis on both sides of zero', () => {
  it.each([
    [-30, 80, [-50, 0, 50, 100]],
    [0, 100, [0, 25, 50, 75, 100]],
    [20, 100, [0, 25, 50, 75, 100]],
    [-3, -1, [-3, -2, -1, 0]],
    [0, 0, [0]],
    [Number.NaN, 1, [0]],
  ])('from %d to %d', (low, high, ticks) => expect(axisBetween(low, high)).toEqual(ticks));
});
