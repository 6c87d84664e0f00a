import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, expectReachable, watchPage } from './page';
import { engineOf, shown, story } from './run-fixture';

const NOW = '2026-11-24T11:02:14Z';
const DAY = '2026-11-24';
const LANGUAGE = {
  language: 'en',
  region: 'KE',
  time_zone: 'Africa/Nairobi',
  currency: 'KES',
  currency_rate: '129',
  currency_rate_date: '2026-11-20',
};
const TODAY = {
  day: DAY,
  time_zone: 'Africa/Nairobi',
  runs: 6,
  runs_done: 5,
  live: 1,
  waiting: 0,
  spent: 0.42,
  reserved: 0.09,
  limit: 1,
  bytes_in: 1_920_000,
  bytes_out: 1_180_000,
  unpriced_calls: 0,
  troubled_providers: [],
};
const AGENTS = [
  ['business_intelligence', 'Business Intelligence'],
  ['technical_implementation', 'Technical Implementation'],
  ['customer_service', 'Customer Service'],
  ['sales_marketing', 'Sales & Marketing'],
  ['operations', 'Operations'],
  ['kiswahili_editor', 'Kiswahili editor'],
] as const;
const MODELS = [
  'gemini/gemini-2.5-flash',
  'anthropic/claude-haiku-4.5',
  'groq/llama-3.3-70b',
  'local/starter',
];
const WORKFLOWS = [
  { id: 'market', name: 'African Market Expansion' },
  { id: 'setup', name: 'Complete Business Setup' },
];
const EVIL = '=HYPERLINK("http://evil.example","x") \u202egnp.exe <img src=x onerror=alert(1)>';

interface Asked {
  from: string;
  to: string;
  by: 'agent' | 'model' | 'workflow';
}

function keysOf(by: Asked['by']): readonly string[] {
  if (by === 'model') return MODELS;
  return by === 'workflow' ? WORKFLOWS.map(({ id }) => id) : AGENTS.map(([id]) => id);
}

const sums = (cost: number, calls = 3) => ({
  cost,
  calls,
  unpriced_calls: 0,
  input_tokens: calls * 1_210,
  output_tokens: calls * 340,
  estimated: false,
});

function daysFrom(from: string, to: string): string[] {
  const days = [];
  for (let at = Date.parse(`${from}T12:00:00Z`); at <= Date.parse(`${to}T12:00:00Z`); at += 86_400_000)
    days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/** What the engine would say: quiet at weekends, and never the same twice, but always the same again. */
function report({ from, to, by }: Asked) {
  const days = daysFrom(from, to);
  const rows = days.flatMap((day, index) => {
    const busy = [0, 6].includes(new Date(`${day}T12:00:00Z`).getUTCDay()) ? 0.1 : 1;
    return keysOf(by).map((key, at) => {
      const wave = Math.abs(Math.sin((index + 3) * (at + 2)));
      const cost = Math.round(busy * wave * [14, 22, 6, 9, 3, 4][at % 6]! * 10_000) / 1e6;
      return { day, key, sums: sums(cost, 1 + ((index + at) % 4)) };
    });
  });
  const total = rows.reduce(
    (sum, row) => ({
      ...sum,
      cost: Math.round((sum.cost + row.sums.cost) * 1e6) / 1e6,
      calls: sum.calls + row.sums.calls,
      input_tokens: sum.input_tokens + row.sums.input_tokens,
      output_tokens: sum.output_tokens + row.sums.output_tokens,
    }),
    sums(0, 0),
  );
  return {
    from,
    to,
    today: DAY,
    time_zone: 'Africa/Nairobi',
    by,
    rows,
    total: { ...total, unpriced_calls: 3 },
    traffic: days.map((day, index) => ({
      day,
      bytes_in: Math.round(Math.abs(Math.sin(index + 1)) * 4_100_000),
      bytes_out: Math.round(Math.abs(Math.cos(index + 1)) * 1_300_000),
    })),
    dearest: [
      {
        run: 'run_000003',
        title: 'Find three distributors in Mombasa for the 120-litre solar cold box',
        workflow: 'market',
        cost: 0.31,
        calls: 22,
        unpriced_calls: 0,
      },
      {
        run: 'run_000002',
        title: 'Price list, Eldoret dairies',
        workflow: 'setup',
        cost: 0.12,
        calls: 9,
        unpriced_calls: 2,
      },
    ],
  };
}

const EMPTY = (asked: Asked) => ({ ...report(asked), rows: [], traffic: [], dearest: [], total: sums(0, 0) });

const LINE = {
  id: 'run_000003',
  title: 'African Market Expansion, Mombasa',
  workflow: 'market',
  status: 'paused',
  step: 'Price',
  steps_done: 2,
  steps_total: 5,
  head_seq: 12,
  cost: 0.27,
  cost_known: 0.27,
  started_at: NOW,
  updated_at: NOW,
  stop_reason: null,
  usage: { input_tokens: 1, output_tokens: 1 },
};

async function openUsage(page: Page, over: Record<string, unknown> = {}, path = '/usage') {
  await page.clock.install({ time: new Date(NOW) });
  await page.clock.resume();
  const watched = await watchPage(page);
  let limit = 0.3;
  const engine = await fakeEngine(page, {
    ...engineOf(story().records, () => shown()),
    'settings.show': settings(LANGUAGE),
    'usage.today': TODAY,
    'usage.report': report,
    'agents.list': { items: AGENTS.map(([id, name]) => ({ id, name })) },
    'workflows.list': { items: WORKFLOWS },
    'run.list': { runs: [LINE], total: 1 },
    'run.show': () => ({
      ...shown(),
      id: LINE.id,
      status: 'paused',
      cost: 0.27,
      cost_known: 0.27,
      limits: { usd: limit },
    }),
    'budget.raise': ({ usd }: { usd: string }) => {
      limit = Number(usd);
      return shown();
    },
    ...over,
  });
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  return { engine, watched };
}

const asked = (engine: { calls: { name: string; params: unknown }[] }) =>
  engine.calls.filter(({ name }) => name === 'usage.report').map(({ params }) => params);
const spend = (page: Page) => page.getByRole('slider', { name: 'Spend per day' });

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 900],
  ['dark-arabic-narrow', 'dark', 'ar', 900],
] as const) {
  test(`usage, ${name}: no rule of axe is broken and nothing is wider than the window`, async ({
    page,
  }, info) => {
    await page.setViewportSize({ width, height: 1000 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    const { watched } = await openUsage(page, { 'settings.show': settings({ ...LANGUAGE, language }) });
    await expect(page.getByRole('slider')).toHaveCount(2);
    await expect(page.getByRole('meter')).toHaveCount(3);
    await page.screenshot({ path: info.outputPath(`usage-${name}.png`) });
    await page.evaluate(() => document.querySelector('[data-scroll="usage"]')?.scrollTo(0, 99_999));
    await page.screenshot({ path: info.outputPath(`usage-${name}-end.png`) });
    await expectAccessible(page);
    const wide = await page.evaluate(() =>
      [document.documentElement, document.querySelector('[data-scroll="usage"]')].map(
        (one) => (one?.scrollWidth ?? 0) - (one?.clientWidth ?? 0),
      ),
    );
    expect(wide).toEqual([0, 0]);
    expect(watched.errors).toEqual([]);
  });
}

test('the days and the split are asked of the engine and stand in the address', async ({ page }) => {
  const { engine } = await openUsage(page);
  await expect(spend(page)).toBeVisible();
  expect(asked(engine)).toEqual([{ from: '2026-10-26', to: DAY, by: 'agent' }]);
  await page.getByRole('radio', { name: '7 days' }).check();
  await page.getByRole('radio', { name: 'By model' }).check();
  await expect(page).toHaveURL(/\/usage\?by=model&range=7$/);
  await expect(page.getByRole('listitem').filter({ hasText: 'groq/llama-3.3-70b' })).toBeVisible();
  expect(asked(engine).at(-1)).toEqual({ from: '2026-11-18', to: DAY, by: 'model' });
  await page.getByRole('radio', { name: 'This month' }).check();
  await expect(page.getByText('1 Nov – 24 Nov').first()).toBeVisible();
  expect(asked(engine).at(-1)).toEqual({ from: '2026-11-01', to: DAY, by: 'model' });
  await page.reload();
  await expect(page.getByRole('radio', { name: 'This month' })).toBeChecked();
  await expect(page.getByRole('radio', { name: 'By model' })).toBeChecked();
});

test('other days are typed; wrong ones are said and not asked', async ({ page }) => {
  const { engine } = await openUsage(page);
  await page.getByRole('radio', { name: 'Other days' }).check();
  await expect(page.getByLabel('From')).toHaveValue('2026-10-26');
  await page.getByLabel('From').fill('2026-11-10');
  await page.getByLabel('To', { exact: true }).fill('2026-11-12');
  await page.getByLabel('To', { exact: true }).blur();
  await expect(page.getByText('10 Nov – 12 Nov').first()).toBeVisible();
  const before = asked(engine).length;
  expect(asked(engine).at(-1)).toEqual({ from: '2026-11-10', to: '2026-11-12', by: 'agent' });
  await page.getByLabel('From').fill('2026-11-20');
  await page.getByLabel('From').blur();
  await expect(page.getByText('Choose a first and a last day in that order, at most 366 days')).toBeVisible();
  expect(asked(engine).length).toBe(before);
});

test('a day is looked at with the keyboard, and says the same as the table', async ({ page }) => {
  await openUsage(page, {}, '/usage?range=7');
  await spend(page).focus();
  await expect(spend(page)).toHaveAttribute('aria-valuetext', /^24 Nov: \$/);
  await page.keyboard.press('ArrowLeft');
  const words = (await spend(page).getAttribute('aria-valuetext')) ?? '';
  expect(words).toMatch(/^23 Nov: \$/);
  const total = words.slice('23 Nov: '.length).split(';')[0] ?? '';
  await page.keyboard.press('Home');
  await expect(spend(page)).toHaveAttribute('aria-valuenow', '1');
  await page.keyboard.press('ArrowLeft');
  await expect(spend(page)).toHaveAttribute('aria-valuenow', '1');
  await page.getByRole('button', { name: 'Show table' }).first().click();
  const table = page.getByRole('table', { name: 'Spend per day' });
  await expect(table.getByRole('row')).toHaveCount(8);
  await expect(table.getByRole('row', { name: '23 Nov' }).getByRole('cell').last()).toHaveText(total);
  await expect(page.getByRole('region', { name: 'Spend per day' })).toBeVisible();
  await expectAccessible(page);
});

test('dollars, shillings with their day, and calls without a price are said', async ({ page }) => {
  await openUsage(page);
  await expect(page.getByText('$1.00 is KSh 129 at the rate of 20 Nov')).toBeVisible();
  await expect(page.getByText('3 calls have no known price and are in no sum')).toBeVisible();
  const totals = page.getByRole('region', { name: 'Total' });
  await expect(totals.getByText('KSh 54')).toBeVisible();
  await expect(totals.getByText('$0.49 left today')).toBeVisible();
  await expect(totals.getByText('1.9 MB received, 1.2 MB sent')).toBeVisible();
  await expect(page.getByRole('row', { name: /Price list, Eldoret/ })).toContainText('at least $0.12');
});

test('the dearest runs lead to the run', async ({ page }) => {
  await openUsage(page);
  const table = page.getByRole('table', { name: 'Dearest runs' });
  await expect(table.getByRole('row')).toHaveCount(3);
  await table.getByRole('link', { name: /Find three distributors/ }).click();
  await expect(page).toHaveURL(/\/run\/run_000003$/);
});

test('a run is topped up from its budget, in a dialog that repeats the sum', async ({ page }, info) => {
  const { engine } = await openUsage(page);
  const budgets = page.getByRole('region', { name: 'Budgets', exact: true });
  // The day, the workflow under it, and its run under that.
  await expect(budgets.getByRole('listitem')).toHaveCount(3);
  await expect(budgets.getByRole('listitem').nth(1)).toContainText('1 open run: $0.27 of $0.30');
  await expect(budgets.getByRole('listitem').nth(2)).toContainText('$0.27 of $0.30');
  await budgets.getByRole('button', { name: 'Raise the limit of African Market Expansion' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('textbox')).toHaveValue('0.60');
  await page.screenshot({ path: info.outputPath('usage-raise.png') });
  await expectAccessible(page);
  await dialog.getByRole('textbox').fill('0.3');
  await expect(dialog.getByText('Write an amount above $0.30')).toBeVisible();
  await dialog.getByRole('textbox').fill('0,75');
  await dialog.getByRole('button', { name: 'Raise to $0.75' }).click();
  await expect(dialog).toBeHidden();
  expect(engine.calls.find(({ name }) => name === 'budget.raise')?.params).toEqual({
    run: 'run_000003',
    usd: '0.75',
  });
  await expect(budgets.getByRole('listitem').nth(1)).toContainText('$0.27 of $0.75');
  await expect(budgets.getByRole('listitem').nth(2)).toContainText('$0.27 of $0.75');
  await budgets.getByRole('button', { name: 'Change the limit for a day' }).click();
  await expect(page).toHaveURL(/\/settings\/budgets$/);
});

test('a refusal to raise is said and changes nothing', async ({ page }) => {
  const { engine } = await openUsage(page);
  engine.refusals['budget.raise'] = { code: 'budget.invalid', message: 'the run has ended' };
  await page.getByRole('button', { name: 'Raise the limit of African Market Expansion' }).click();
  await page.getByRole('button', { name: 'Raise to $0.60' }).click();
  await expect(page.getByRole('dialog').getByText('The limit was not raised')).toBeVisible();
});

test('who may only look sees no button that changes money', async ({ page }) => {
  await openUsage(page);
  const budgets = page.getByRole('region', { name: 'Budgets', exact: true });
  await expect(budgets.getByRole('button')).toHaveCount(2);
  // Added behind the engine's own, so that it is the last word.
  await page.addInitScript(() => sessionStorage.setItem('bwana.caller', 'local_browser'));
  await page.reload();
  await expect(budgets.getByRole('meter')).toHaveCount(2);
  await expect(budgets.getByRole('button')).toHaveCount(0);
});

test('a report is exported as CSV, without formulas', async ({ page }) => {
  const rows = [{ day: DAY, key: EVIL, sums: sums(0.25) }];
  await openUsage(page, { 'usage.report': (params: Asked) => ({ ...report(params), rows }) });
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export CSV' }).click();
  const file = await download;
  expect(file.suggestedFilename()).toBe('bwana-usage-2026-10-26-2026-11-24-agent.csv');
  const text = await readFile(await file.path(), 'utf8');
  const quoted = `"'${EVIL.replaceAll('"', '""')}"`;
  expect(text).toBe(
    `\ufeffday,agent,cost_usd,calls,unpriced_calls,input_tokens,output_tokens,estimated\r\n` +
      `${DAY},${quoted},0.25,3,0,3630,1020,no\r\n`,
  );
  const note = page.getByText('Saved as bwana-usage-2026-10-26-2026-11-24-agent.csv');
  await expect(note).toBeVisible();
  // It lies over the heading: forms are filled in below.
  const { y, height } = (await note.boundingBox())!;
  expect(y + height).toBeLessThan(60);
});

test('without a call there is an empty state and nothing to export', async ({ page }, info) => {
  await openUsage(page, {
    'usage.report': EMPTY,
    'run.list': { runs: [], total: 0 },
    'usage.today': { ...TODAY, spent: 0, reserved: 0, limit: null, bytes_in: 0, bytes_out: 0 },
  });
  await expect(page.getByText('Nothing was spent, asked or sent on these days.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Export CSV' })).toHaveAttribute('aria-disabled', 'true');
  await page.screenshot({ path: info.outputPath('usage-empty.png') });
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Ask the team' }).click();
  await expect(page).toHaveURL(/\/home$/);
});

test('names from outside stay names, and long ones break nothing', async ({ page }, info) => {
  const long = `${EVIL} ${'W'.repeat(300)}`;
  const { watched } = await openUsage(page, {
    'usage.report': (params: Asked) => {
      const usual = report(params);
      return {
        ...usual,
        rows: [
          { day: DAY, key: long, sums: sums(0.2) },
          { day: DAY, key: '__proto__', sums: sums(0.1) },
          { day: DAY, key: '', sums: sums(0.05) },
        ],
        dearest: [{ ...usual.dearest[0], title: long, workflow: long }],
      };
    },
    'agents.list': { items: [{ id: '__proto__', name: EVIL }] },
    'run.list': { runs: [{ ...LINE, title: long }], total: 1 },
  });
  await expect(page.getByText('Deleted runs').first()).toBeVisible();
  await page.screenshot({ path: info.outputPath('usage-hostile.png'), fullPage: true });
  const wide = await page.evaluate(() =>
    [document.documentElement, document.querySelector('[data-scroll="usage"]')].map(
      (one) => (one?.scrollWidth ?? 0) - (one?.clientWidth ?? 0),
    ),
  );
  expect(wide).toEqual([0, 0]);
  await expectAccessible(page);
  expect(await page.locator('img').count()).toBe(0);
  expect(watched.errors).toEqual([]);
});

test('an error is said with its code, and another try asks again', async ({ page }) => {
  const { engine } = await openUsage(page, {}, '/runs');
  engine.refusals['usage.report'] = { code: 'store.damaged', message: 'an entry is missing' };
  await page.getByRole('link', { name: 'Usage', exact: true }).click();
  await expect(page.getByText('Usage could not be read')).toBeVisible();
  await expect(page.getByText('store.damaged')).toBeVisible();
  delete engine.refusals['usage.report'];
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(spend(page)).toBeVisible();
});

test('what is paid meanwhile is asked for again, not at every call', async ({ page }) => {
  const { engine } = await openUsage(page);
  await expect(spend(page)).toBeVisible();
  expect(asked(engine).length).toBe(1);
  for (const spent of [0.43, 0.44, 0.45])
    engine.change([{ topic: 'usage', id: 'today', op: 'upsert', row: { ...TODAY, spent } }]);
  await expect(page.getByRole('region', { name: 'Total' }).getByText('$0.45')).toBeVisible();
  await expect.poll(() => asked(engine).length, { timeout: 10_000 }).toBe(2);
});

test('a limit of nothing is said in words', async ({ page }) => {
  await openUsage(page, { 'usage.today': { ...TODAY, spent: 0, limit: 0 } });
  const budgets = page.getByRole('region', { name: 'Budgets', exact: true });
  await expect(budgets).toContainText('The limit is $0.00: nothing may be spent');
  await expect(budgets).not.toContainText('$0.00 of $0.00');
});

for (const [width, height] of [
  [480, 400],
  [380, 700],
] as const)
  test(`the usage has room at ${width}`, async ({ page }, info) => {
    await page.setViewportSize({ width, height });
    await openUsage(page);
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: info.outputPath(`usage-${width}.png`) });
    await expectReachable(page);
    await page.getByRole('radio', { name: 'Other days' }).check();
    await expectReachable(page);
    // The days of the report stand on one line.
    const days = page.locator('header .nowrap');
    expect((await days.boundingBox())!.height).toBeLessThan(30);
  });
