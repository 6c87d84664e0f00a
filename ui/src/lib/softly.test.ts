import fc from 'fast-check';
import { expect, test } from 'vitest';
import { breather, sortSoftly } from './softly';

test('sorts as the usual sort does, and as stably', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ key: fc.nat(20) }), { maxLength: 5_000 }), async (items) => {
      const numbered = items.map(({ key }, place) => ({ key, place }));
      const compare = (a: { key: number }, b: { key: number }) => a.key - b.key;
      expect(await sortSoftly(numbered, compare, { over: false })).toEqual([...numbered].sort(compare));
    }),
    { numRuns: 20 },
  );
});

test('lets others in between', async () => {
  let turns = 0;
  const timer = setInterval(() => (turns += 1));
  const items = Array.from({ length: 200_000 }, (_, at) => (at * 7_919) % 200_003);
  const sorted = await sortSoftly(items, (a, b) => a - b, { over: false });
  clearInterval(timer);
  expect(sorted?.[0]).toBe(0);
  expect(turns).toBeGreaterThan(2);
});

test('ends when it is wanted no more', async () => {
  const wanted = { over: false };
  const sorting = sortSoftly(
    Array.from({ length: 50_000 }, (_, at) => at),
    (a, b) => b - a,
    wanted,
  );
  wanted.over = true;
  expect(await sorting).toBeUndefined();
});

test('waits only once the moment is over', () => {
  let at = 0;
  const breathe = breather(() => at);
  expect(breathe()).toBeUndefined();
  at = 100;
  expect(breathe()).toBeInstanceOf(Promise);
});
