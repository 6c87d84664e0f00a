import { describe, expect, it } from 'vitest';
import type { SpendingRow } from '../../bindings/types';
import { REST, bytesOf, daysOf, everyDay, exported, grid, isDay, raisedTo, seriesOf } from './spend';

const row = (day: string, key: string, cost: number, over: object = {}): SpendingRow => ({
  day,
  key,
  sums: {
    cost,
    calls: 1,
    unpriced_calls: 0,
    input_tokens: 10,
    output_tokens: 2,
    estimated: false,
    ...over,
  },
});

describe('the days shown', () => {
  const today = '2026-03-02';
  it('are the last thirty unless others are chosen', () => {
    expect(daysOf({ name: 'usage' }, today)).toEqual({ from: '2026-02-01', to: today });
    expect(daysOf({ name: 'usage', range: '7' }, today)).toEqual({ from: '2026-02-24', to: today });
    expect(daysOf({ name: 'usage', range: 'month' }, today)).toEqual({ from: '2026-03-01', to: today });
  });

  it.each([
    [undefined, undefined],
    ['2026-03-02', '2026-03-01'],
    ['2026-02-30', '2026-03-01'],
    ['1.2.2026', '2026-03-01'],
    ['2025-01-01', '2026-01-02'],
  ])('are none from %s to %s', (from, to) =>
    expect(
      daysOf({ name: 'usage', range: 'custom', ...(from ? { from } : {}), ...(to ? { to } : {}) }, today),
    ).toBeUndefined(),
  );

  it('may be a whole leap year, each day once', () => {
    const days = daysOf({ name: 'usage', range: 'custom', from: '2024-01-01', to: '2024-12-31' }, today);
    const all = everyDay(days ?? { from: '', to: '' });
    expect(all.length).toBe(366);
    expect(new Set(all).size).toBe(366);
    expect(all.slice(58, 61)).toEqual(['2024-02-28', '2024-02-29', '2024-03-01']);
    expect(everyDay({ from: 'x', to: 'y' })).toEqual([]);
  });

  it('exist in the calendar', () => {
    expect(isDay('2024-02-29')).toBe(true);
    expect(isDay('2025-02-29')).toBe(false);
    expect(isDay('')).toBe(false);
  });
});

describe('series', () => {
  const rows = [
    row('2026-03-01', 'a', 0.1),
    row('2026-03-02', 'a', 0.2),
    row('2026-03-01', 'b', 0.5),
    row('2026-03-02', '', 0.05),
  ];
  it('begin with the dearest and sum exactly', () => {
    expect(seriesOf(rows).map(({ key, sums }) => [key, sums.cost])).toEqual([
      ['b', 0.5],
      ['a', 0.3],
      ['', 0.05],
    ]);
  });

  it('hold what has no colour left as one', () => {
    const all = seriesOf(rows, 2);
    expect(all.map(({ key }) => key)).toEqual(['b', REST]);
    expect(all[1]?.sums).toMatchObject({ cost: 0.35, calls: 3 });
    const lines = grid(['2026-03-01', '2026-03-02'], all, rows);
    expect(lines.map(({ parts }) => parts.map(({ cost }) => cost))).toEqual([
      [0.5, 0.1],
      [0, 0.25],
    ]);
  });

  it('have a figure on every day', () => {
    const lines = grid(['2026-02-28', '2026-03-01'], seriesOf(rows), rows);
    expect(lines[0]?.parts.map(({ cost }) => cost)).toEqual([0, 0, 0]);
  });

  it('take a name like a property of every object for a name', () => {
    const odd = [row('2026-03-01', '__proto__', 1), row('2026-03-01', 'constructor', 2)];
    expect(seriesOf(odd).map(({ key }) => key)).toEqual(['constructor', '__proto__']);
  });
});

it('days without a byte are zero', () =>
  expect(bytesOf(['2026-03-01', '2026-03-02'], [{ day: '2026-03-02', bytes_in: 9, bytes_out: 1 }])).toEqual([
    { day: '2026-03-01', received: 0, sent: 0 },
    { day: '2026-03-02', received: 9, sent: 1 },
  ]));

it('an export has a line for each row and says what it is by', () => {
  const report = {
    from: '2026-03-01',
    to: '2026-03-02',
    today: '2026-03-02',
    time_zone: 'UTC',
    by: 'model' as const,
    rows: [row('2026-03-01', 'far/small', 0.25, { estimated: true })],
    total: row('', '', 0.25).sums,
    traffic: [],
    dearest: [],
  };
  expect(exported(report)).toEqual({
    file: 'bwana-usage-2026-03-01-2026-03-02-model.csv',
    head: [
      'day',
      'model',
      'cost_usd',
      'calls',
      'unpriced_calls',
      'input_tokens',
      'output_tokens',
      'estimated',
    ],
    rows: [['2026-03-01', 'far/small', 0.25, 1, 0, 10, 2, 'yes']],
  });
});

describe('a new limit', () => {
  it.each([
    ['2.50', '2.50'],
    [' 3 ', '3'],
    ['2,5', '2.5'],
  ])('%s is %s', (typed, told) => expect(raisedTo(typed, 1)).toBe(told));
  it.each(['', '1', '0.5', '-3', '1e9', '2.1234567', 'two', '$3', '99999999'])('is not %s', (typed) =>
    expect(raisedTo(typed, 1)).toBeUndefined(),
  );
});
