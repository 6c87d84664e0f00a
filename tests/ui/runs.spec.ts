import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { engineOf, shown, story } from './run-fixture';

const NOW = '2026-11-20T11:02:14Z';
const MINUTE_MS = 60_000;
const STATUSES = ['done', 'done', 'running', 'waiting', 'paused', 'failed', 'cancelled', 'stopped'];
const idOf = (n: number) => `run_${String(n).padStart(6, '0')}`;

function line(n: number, over: object = {}) {
  const started = Date.parse(NOW) - (20_000 - n) * 7 * MINUTE_MS;
  return {
    id: idOf(n),
    title: `Wish ${n}`,
    workflow: n % 3 === 0 ? 'market' : 'setup',
    status: STATUSES[n % STATUSES.length],
    step: 'Invoice page',
    steps_done: 2,
    steps_total: 5,
    head_seq: 12,
    cost: n % 5 === 0 ? null : 0.12,
    cost_known: 0.12,
    started_at: new Date(started).toISOString(),
    updated_at: new Date(started + 3 * MINUTE_MS).toISOString(),
    stop_reason: null,
    usage: { input_tokens: 1, output_tokens: 1 },
    ...over,
  };
}

interface Asked {
  before?: string;
  limit: number;
  status?: string[];
  workflow?: string;
  agent?: string;
  text?: string;
}

/** Pages as the engine gives them, out of `total` runs, newest first. */
function pager(total: number) {
  const all = Array.from({ length: total }, (_, index) => line(total - index));
  return ({ before, limit, status, workflow, agent, text }: Asked) => {
    const fitting = all
      .filter((run) => !status?.length || status.includes(run.status ?? ''))
      .filter((run) => workflow === undefined || run.workflow === workflow)
      .filter((run) => agent === undefined || partOf(run.id, agent))
      .filter((run) => text === undefined || run.title.toLowerCase().includes(text.toLowerCase()));
    return {
      runs: fitting.filter((run) => before === undefined || run.id < before).slice(0, limit),
      total: fitting.length,
    };
  };
}
/** Each agent has a part in every tenth run. */
const partOf = (id: string, agent: string) =>
  Number(id.slice(4)) % 10 === AGENTS.findIndex((one) => one.id === agent);
const AGENTS = [
  { id: 'operations', name: 'Operations' },
  { id: 'sales_marketing', name: 'Sales & Marketing' },
];

const WORKFLOWS = [
  { id: 'market', name: 'African Market Expansion' },
  { id: 'setup', name: 'Complete Business Setup' },
];

async function openRuns(page: Page, total: number, over: Record<string, unknown> = {}, path = '/runs') {
  await page.clock.install({ time: new Date(NOW) });
  await page.clock.resume();
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, {
    ...engineOf(story().records, () => shown()),
    'settings.show': settings({ language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' }),
    'run.list': pager(total),
    'workflows.lines': { workflows: WORKFLOWS },
    'agents.list': { items: AGENTS },
    ...over,
  });
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  return { engine, watched };
}
const list = (page: Page) => page.getByRole('list', { name: 'Runs' });
const rowOf = (page: Page, n: number) =>
  list(page)
    .getByRole('listitem')
    .filter({ has: page.getByRole('link', { name: `Wish ${n}`, exact: true }) });

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 900],
  ['phone', 'light', 'en', 480],
] as const) {
  test(`the runs in ${name} break no rule and have no sideways scroll`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const { watched } = await openRuns(page, 40, {
      'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    });
    await expect(page.getByRole('link', { name: 'Wish 40', exact: true })).toBeVisible();
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: info.outputPath(`runs-${name}.png`) });
    await expectAccessible(page);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
    expect(watched.errors).toEqual([]);
  });
}

test('ten thousand runs scroll to the oldest by pages, with few rows in the document', async ({ page }) => {
  const { engine, watched } = await openRuns(page, 10_000);
  await expect(rowOf(page, 10_000)).toBeVisible();
  const pane = page.locator('[data-scroll=runs]');
  await expect(async () => {
    await pane.evaluate((node) => (node.scrollTop = node.scrollHeight));
    await expect(rowOf(page, 1)).toBeVisible({ timeout: 50 });
  }).toPass({ timeout: 50_000, intervals: [10] });
  expect(await list(page).locator('[aria-posinset]').count()).toBeLessThan(60);
  const pages = engine.calls.filter(({ name }) => name === 'run.list').map(({ params }) => params['before']);
  expect(new Set(pages).size).toBe(pages.length);
  expect(pages.length).toBe(10_000 / 200 + 1);
  await expect(list(page).locator('[aria-posinset]').last()).toHaveAttribute('aria-setsize', '10000');
  await pane.evaluate((node) => (node.scrollTop = 0));
  await expect(rowOf(page, 10_000)).toBeVisible();
  expect(watched.errors).toEqual([]);
});

test('the keyboard moves through the rows and opens one', async ({ page }) => {
  await openRuns(page, 40);
  await rowOf(page, 40).getByRole('link').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect(rowOf(page, 38).getByRole('link')).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(rowOf(page, 39).getByRole('link')).toBeFocused();
  await page.keyboard.press('End');
  await expect(rowOf(page, 1).getByRole('link')).toBeFocused();
  await page.keyboard.press('Home');
  await expect(rowOf(page, 40).getByRole('link')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/run/${idOf(40)}`));
});

test('new and changed runs come by the feed; what no longer fits the filter goes', async ({ page }) => {
  const { engine } = await openRuns(page, 400, {}, '/runs?filter=status:running');
  await expect(rowOf(page, 394)).toBeVisible();
  await expect(rowOf(page, 395)).toHaveCount(0);
  const upsert = (n: number, over: object) =>
    engine.change([{ topic: 'runs', id: idOf(n), op: 'upsert', row: line(n, over) }]);
  upsert(401, { status: 'running' });
  await expect(list(page).getByRole('listitem').first()).toContainText('Wish 401');
  upsert(402, { status: 'done' });
  upsert(394, { status: 'done' });
  await expect(rowOf(page, 394)).toHaveCount(0);
  await expect(rowOf(page, 402)).toHaveCount(0);
  await expect(list(page).getByRole('listitem').first()).toContainText('Wish 401');
});

test('the filter is the engine’s, stands in the address, and an empty one can be cleared', async ({
  page,
}) => {
  const { engine } = await openRuns(page, 40);
  await page.getByRole('combobox', { name: /^State/ }).click();
  await page.getByRole('option', { name: 'Needs you' }).click();
  await expect(page).toHaveURL(/filter=status%3Awaiting/);
  await expect(rowOf(page, 35)).toBeVisible();
  await expect(rowOf(page, 40)).toHaveCount(0);
  expect(engine.calls.findLast(({ name }) => name === 'run.list')?.params['status']).toEqual(['waiting']);
  await page.getByRole('combobox', { name: /^Workflow/ }).click();
  await page.getByRole('option', { name: 'African Market Expansion' }).click();
  await expect(rowOf(page, 27)).toBeVisible();
  await expect(rowOf(page, 35)).toHaveCount(0);
  await page.reload();
  await expect(rowOf(page, 27)).toBeVisible();
  engine.answers['run.list'] = ({ status }: Asked) => (status ? { runs: [] } : pager(40)({ limit: 200 }));
  await page.getByRole('combobox', { name: /^State/ }).click();
  await page.getByRole('option', { name: 'Stopping' }).click();
  await expect(page.getByText('No run fits the filter.')).toBeVisible();
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await expect(rowOf(page, 40)).toBeVisible();
});

test('the menu of a row pauses, forks and stops; stopping asks first', async ({ page }) => {
  const { engine, watched } = await openRuns(page, 40, {
    'run.pause': {},
    'run.cancel': {},
    'run.fork': { id: 'run_fork' },
  });
  const open = (n: number) => page.getByRole('button', { name: `Acts for Wish ${n}`, exact: true }).click();
  const item = (name: string) => page.getByRole('menuitem', { name, exact: true });
  await open(34);
  await item('Pause').click();
  await expect(rowOf(page, 34)).toContainText('Pausing');
  engine.change([{ topic: 'runs', id: idOf(34), op: 'upsert', row: line(34, { status: 'paused' }) }]);
  await expect(rowOf(page, 34)).toContainText('Paused');
  await open(35);
  await expect(item('Resume')).toHaveCount(0);
  await item('Stop').click();
  await expect(page.getByRole('dialog', { name: 'Stop this run?' })).toContainText('Wish 35');
  expect(engine.calls.some(({ name }) => name === 'run.cancel')).toBe(false);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(page.getByRole('dialog')).toBeHidden();
  expect(engine.calls.find(({ name }) => name === 'run.cancel')?.params).toEqual({ run: idOf(35) });
  await open(40);
  await expect(item('Stop')).toHaveCount(0);
  await item('Fork').click();
  await expect(page).toHaveURL(/run_fork/);
  expect(engine.calls.find(({ name }) => name === 'run.fork')?.params).toEqual({ run: idOf(40), at: 12 });
  expect(watched.errors).toEqual([]);
});

test('an act that is refused says why and the row stays as it was', async ({ page }) => {
  await openRuns(page, 40);
  await page.getByRole('button', { name: 'Acts for Wish 34', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Pause' }).click();
  await expect(page.getByText('This could not be done. unknown_command', { exact: false })).toBeVisible();
  await expect(rowOf(page, 34)).toContainText('Running');
});

test('a price that is not known is a lower bound', async ({ page }) => {
  await openRuns(page, 40);
  await expect(rowOf(page, 40)).toContainText('at least $0.12');
  await expect(rowOf(page, 39)).not.toContainText('at least');
});

test('no runs at all lead to the composer', async ({ page }) => {
  await openRuns(page, 0, { 'drafts.get': { place: 'home', text: '' } });
  await expect(page.getByText('Nothing has run yet.')).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Ask the team' }).click();
  await expect(page.locator('#composer')).toBeFocused();
});

test('a list that cannot be read says so and is read again', async ({ page }) => {
  const { engine } = await openRuns(page, 40, { 'run.list': undefined });
  delete engine.answers['run.list'];
  await page.reload();
  await expect(page.getByText('The runs could not be read')).toBeVisible();
  engine.answers['run.list'] = pager(40);
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(rowOf(page, 40)).toBeVisible();
});

const figure = (page: Page) => page.getByRole('main').locator('header').getByRole('status');
const search = (page: Page) => page.getByRole('searchbox', { name: 'Search in titles' });

test('a text is looked for by the engine, stands in the address and outlives a reload and going back', async ({
  page,
}) => {
  const { engine, watched } = await openRuns(page, 2_009);
  await expect(figure(page)).toHaveText('2,009 runs');
  await rowOf(page, 2_009).getByRole('link').focus();
  await page.keyboard.press('/');
  await expect(search(page)).toBeFocused();
  await search(page).fill('wish 200');
  await expect(figure(page)).toHaveText('11 of 2,009');
  await expect(page).toHaveURL(/text=wish\+200$/);
  await expect(rowOf(page, 2_009)).toBeVisible();
  await expect(rowOf(page, 1_999)).toHaveCount(0);
  await expect(search(page)).toBeFocused();
  await page.reload();
  await expect(search(page)).toHaveValue('wish 200');
  await expect(figure(page)).toHaveText('11 of 2,009');
  await rowOf(page, 2_008).getByRole('link').click();
  await expect(page).toHaveURL(/\/run\//);
  await page.goBack();
  await expect(search(page)).toHaveValue('wish 200');
  await expect(figure(page)).toHaveText('11 of 2,009');
  await search(page).focus();
  await page.keyboard.press('Escape');
  await expect(search(page)).toHaveValue('');
  await expect(page).toHaveURL(/\/runs$/);
  await expect(figure(page)).toHaveText('2,009 runs');
  const texts = engine.calls.flatMap(({ name, params }) => (name === 'run.list' ? [params['text']] : []));
  expect(new Set(texts)).toEqual(new Set([undefined, 'wish 200']));
  expect(watched.errors).toEqual([]);
});

test('the runs of one agent are the engine’s; a new one comes and the figures follow', async ({ page }) => {
  const { engine } = await openRuns(page, 100);
  await page.getByRole('combobox', { name: /^Agent/ }).click();
  await page.getByRole('option', { name: 'Sales & Marketing' }).click();
  await expect(page).toHaveURL(/filter=agent%3Asales_marketing/);
  await expect(figure(page)).toHaveText('10 of 100');
  await expect(rowOf(page, 91)).toBeVisible();
  await expect(rowOf(page, 92)).toHaveCount(0);
  engine.answers['run.list'] = pager(102);
  const upsert = (n: number, over: object = {}) =>
    engine.change([{ topic: 'runs', id: idOf(n), op: 'upsert', row: line(n, over) }]);
  upsert(102);
  upsert(101);
  await expect(figure(page)).toHaveText('11 of 102');
  await expect(rowOf(page, 101)).toBeVisible();
  await expect(rowOf(page, 102)).toHaveCount(0);
  upsert(91, { status: 'failed', title: 'Wish 91', cost_known: 0.5, cost: 0.5 });
  await expect(rowOf(page, 91)).toContainText('$0.50');
});

test('what was typed fits nothing: the list says so, and one button clears it all', async ({ page }) => {
  await openRuns(page, 40, {}, '/runs?filter=status%3Adone&text=nowhere');
  await expect(search(page)).toHaveValue('nowhere');
  await expect(page.getByText('No run fits the filter.')).toBeVisible();
  await expect(figure(page)).toHaveText('0 of 40');
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await expect(search(page)).toHaveValue('');
  await expect(figure(page)).toHaveText('40 runs');
});

test('the present step is said in words', async ({ page }) => {
  const steps = [
    line(4, { status: 'running', workflow: 'market_expansion', step: 'strategy' }),
    line(3, { status: 'running', workflow: 'mine', step: 'send_letters' }),
    line(2, { status: 'running', workflow: 'mine', step: 'send' }),
    line(1, { status: 'running', workflow: 'mine', step: 'ask Amina first' }),
  ];
  await openRuns(page, 4, { 'run.list': { runs: steps, total: 4 } });
  await expect(rowOf(page, 4)).toContainText('Generate market entry strategy');
  await expect(rowOf(page, 3)).toContainText('Send letters');
  await expect(rowOf(page, 2)).toContainText('Send');
  await expect(rowOf(page, 1)).toContainText('ask Amina first');
});
