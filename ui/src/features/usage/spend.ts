// What the usage screen computes: which days, which series, and which figure of which day. Pure.
import type { DayBytes, Spending, SpendingRow, SpendingSums } from '../../bindings/types';
import type { UsageRoute } from '../../lib/route';

/** As many as one report may span. */
export const DAYS_MOST = 366;
/** Five with a colour of their own, and the rest as one. */
export const SERIES_MOST = 6;
/** The key of that rest. No slug and no name of a model is written like this. */
export const REST = '\u0000rest';

const DAY_MS = 86_400_000;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

export interface Days {
  from: string;
  to: string;
}

/** Noon of the day in UTC, or NaN. */
function noon(day: string): number {
  const at = DAY.test(day) ? Date.parse(`${day}T12:00:00Z`) : Number.NaN;
  // 30 February is read as 2 March.
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day) ? at : Number.NaN;
}

export function isDay(text: string): boolean {
  return !Number.isNaN(noon(text));
}

function dayAt(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** Undefined: these are no days, the wrong way round, or too many. */
export function daysOf(route: UsageRoute, today: string): Days | undefined {
  const end = noon(today);
  if (Number.isNaN(end)) return undefined;
  switch (route.range ?? '30') {
    case '7':
      return { from: dayAt(end - 6 * DAY_MS), to: today };
    case '30':
      return { from: dayAt(end - 29 * DAY_MS), to: today };
    case 'month':
      return { from: `${today.slice(0, 8)}01`, to: today };
    case 'custom': {
      const days = { from: route.from ?? '', to: route.to ?? '' };
      const count = countOf(days);
      return count >= 1 && count <= DAYS_MOST ? days : undefined;
    }
  }
}

/** NaN where one is no day. */
function countOf({ from, to }: Days): number {
  return Math.round((noon(to) - noon(from)) / DAY_MS) + 1;
}

/** Every day from the first to the last. */
export function everyDay(days: Days): string[] {
  const count = countOf(days);
  if (!(count >= 1 && count <= DAYS_MOST)) return [];
  const first = noon(days.from);
  return Array.from({ length: count }, (_, index) => dayAt(first + index * DAY_MS));
}

const NOTHING: SpendingSums = {
  cost: 0,
  calls: 0,
  unpriced_calls: 0,
  input_tokens: 0,
  output_tokens: 0,
  estimated: false,
};

export function add(a: SpendingSums, b: SpendingSums): SpendingSums {
  return {
    // Amounts are exact to a millionth; sums of binary fractions are not.
    cost: Math.round((a.cost + b.cost) * 1e6) / 1e6,
    calls: a.calls + b.calls,
    unpriced_calls: a.unpriced_calls + b.unpriced_calls,
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    estimated: a.estimated || b.estimated,
  };
}

export interface Series {
  key: string;
  sums: SpendingSums;
}

/** The dearest first; what has no colour left is one series at the end. */
export function seriesOf(rows: readonly SpendingRow[], most = SERIES_MOST): Series[] {
  const sums = new Map<string, SpendingSums>();
  for (const row of rows) sums.set(row.key, add(sums.get(row.key) ?? NOTHING, row.sums));
  const all = [...sums]
    .map(([key, one]) => ({ key, sums: one }))
    .sort((a, b) => b.sums.cost - a.sums.cost || b.sums.calls - a.sums.calls || (a.key < b.key ? -1 : 1));
  if (all.length <= most) return all;
  const rest = all.slice(most - 1).reduce((sum, one) => add(sum, one.sums), NOTHING);
  return [...all.slice(0, most - 1), { key: REST, sums: rest }];
}

/** One line a day, one figure a series. */
export function grid(days: readonly string[], series: readonly Series[], rows: readonly SpendingRow[]) {
  const place = new Map(series.map(({ key }, index) => [key, index]));
  const rest = place.get(REST);
  const found = new Map<string, SpendingSums[]>(days.map((day) => [day, series.map(() => NOTHING)]));
  for (const row of rows) {
    const line = found.get(row.day);
    const at = place.get(row.key) ?? rest;
    if (line && at !== undefined) line[at] = add(line[at] ?? NOTHING, row.sums);
  }
  return days.map((day) => ({ day, parts: found.get(day) ?? [] }));
}

export function bytesOf(days: readonly string[], traffic: readonly DayBytes[]) {
  const known = new Map(traffic.map((one) => [one.day, one]));
  return days.map((day) => ({
    day,
    received: known.get(day)?.bytes_in ?? 0,
    sent: known.get(day)?.bytes_out ?? 0,
  }));
}

export function isEmpty({ rows, traffic }: Pick<Spending, 'rows' | 'traffic'>): boolean {
  return rows.length === 0 && traffic.length === 0;
}

/** The columns of an exported report, the same in every language so that a script can read them. */
export function exported(report: Spending): { file: string; head: string[]; rows: (string | number)[][] } {
  return {
    file: `bwana-usage-${report.from}-${report.to}-${report.by}.csv`,
    head: [
      'day',
      report.by,
      'cost_usd',
      'calls',
      'unpriced_calls',
      'input_tokens',
      'output_tokens',
      'estimated',
    ],
    rows: report.rows.map(({ day, key, sums }) => [
      day,
      key,
      sums.cost,
      sums.calls,
      sums.unpriced_calls,
      sums.input_tokens,
      sums.output_tokens,
      sums.estimated ? 'yes' : 'no',
    ]),
  };
}

const AMOUNT = /^\d{1,7}([.,]\d{1,6})?$/;

/** What the engine is told as a new limit; undefined: no amount, or none above the old one. */
export function raisedTo(text: string, limit: number): string | undefined {
  const typed = text.trim();
  if (!AMOUNT.test(typed)) return undefined;
  const amount = typed.replace(',', '.');
  return Number(amount) > limit ? amount : undefined;
}
