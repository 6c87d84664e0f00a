// The engine is gone while the page stands: it is said, nothing goes on by itself, and no words are dropped.
import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { engineOf, RUN, shown, story } from './run-fixture';

const NOW = '2026-11-20T11:02:14Z';
const SAID = 'The engine does not answer.';
const ROWS = [
  { key: 'language', value: 'en', default: 'en', kind: 'choice' },
  { key: 'day_budget', value: 1, default: null, kind: 'money' },
  { key: 'notifications', value: true, default: true, kind: 'switch' },
];
const told = story();
/** Up to the first call of a model: somebody writes. */
const going = told.records.slice(0, told.records.findIndex(({ kind }) => kind === 'call_intended') + 1);

async function open(page: Page, path: string, over: Record<string, unknown> = {}) {
  await page.clock.install({ time: new Date(NOW) });
  await page.clock.resume();
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, {
    ...engineOf(going, () => shown({ head_seq: going.length, status: 'running' })),
    'settings.show': settings({ language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' }),
    'run.say': shown({ status: 'running' }),
    ...over,
  });
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
  return { engine, watched };
}
const banner = (page: Page) => page.getByRole('status').filter({ hasText: SAID });

test('every screen says that the engine is gone, and says it no more when it is back', async ({
  page,
}, info) => {
  const { engine } = await open(page, '/usage');
  const back = await engine.kill();
  await expect(banner(page)).toBeVisible();
  await expect(banner(page)).toContainText('bwana serve');
  for (const [name, link] of [
    ['home', '#nav-home'],
    ['agents', '#nav-agents'],
    ['settings', '#nav-settings'],
    ['help', '#nav-help'],
  ] as const) {
    await page.locator(link).click();
    await expect(banner(page)).toBeVisible();
    await page.screenshot({ path: info.outputPath(`lost-${name}.png`) });
  }
  await expectAccessible(page);
  await page.setViewportSize({ width: 480, height: 400 });
  await page.screenshot({ path: info.outputPath('lost-narrow.png') });
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await back();
  await expect(banner(page)).toHaveCount(0);
});

test('a connection that is back at once is not spoken of', async ({ page }) => {
  const { engine } = await open(page, '/usage');
  await page.evaluate((words) => {
    const seen = { said: false };
    Object.assign(window, { seen });
    new MutationObserver(() => (seen.said ||= document.body.textContent.includes(words))).observe(
      document.body,
      { childList: true, subtree: true },
    );
  }, SAID);
  await engine.drop();
  await expect.poll(() => engine.calls.filter(({ name }) => name === 'changes.watch').length).toBe(2);
  expect(await page.evaluate(() => (window as unknown as { seen: { said: boolean } }).seen.said)).toBe(false);
});

test('a run stands still without its engine, and words to it stay in their field', async ({ page }, info) => {
  const { engine } = await open(page, `/run/${RUN}`);
  await expect(page.getByText(/is writing/)).toBeVisible();
  const field = page.getByRole('textbox', { name: 'Say something to the team' });
  const back = await engine.kill();
  await expect(banner(page)).toBeVisible();
  await expect(page.getByText(/is writing/)).toHaveCount(0);
  const clock = page.locator('header .facts .pair').first();
  const before = await clock.textContent();
  for (const name of ['Pause', 'Stop'])
    await expect(page.getByRole('button', { name, exact: true })).toHaveAttribute('aria-disabled', 'true');
  await field.fill('Use last week’s prices');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByText('Nothing was sent; try again once it is back.')).toBeVisible();
  await expect(field).toHaveValue('Use last week’s prices');
  await page.screenshot({ path: info.outputPath('lost-run.png') });
  expect(await clock.textContent()).toBe(before);
  await expectAccessible(page);
  await back();
  await expect(banner(page)).toHaveCount(0);
  expect(engine.calls.filter(({ name }) => name === 'run.say')).toEqual([]);
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(field).toHaveValue('');
  expect(engine.calls.filter(({ name }) => name === 'run.say')).toHaveLength(1);
  await expect(clock).not.toHaveText(before ?? '');
});

test('a start and a setting that were not sent say so and keep their words', async ({ page }) => {
  const { engine } = await open(page, '/home', {
    'settings.show': { settings: ROWS },
    'drafts.get': { text: '' },
    'drafts.set': {},
    'home.show': { live: [], suggested: [] },
  });
  await page.locator('#composer').fill('Count the loaves');
  await page.locator('#nav-settings').click();
  await page.getByRole('link', { name: 'Budgets' }).click();
  await expect(page.getByLabel('Limit for a day, in dollars')).toBeVisible();
  const back = await engine.kill();
  await expect(banner(page)).toBeVisible();
  await page.getByLabel('Limit for a day, in dollars').fill('4');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main')).toContainText('Nothing was sent; try again once it is back.');
  await expect(page.getByText('Saving')).toHaveCount(0);
  await expect(page.getByLabel('Limit for a day, in dollars')).toHaveValue('4');
  await page.locator('#nav-home').click();
  await page.locator('#composer').fill('Count the loaves');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('Nothing was sent; try again once it is back.');
  await expect(page.getByText('Starting')).toHaveCount(0);
  await expect(page.locator('#composer')).toHaveValue('Count the loaves');
  await back();
  await expect(banner(page)).toHaveCount(0);
  expect(engine.calls.filter(({ name }) => /settings\.set|run\.start/.test(name))).toEqual([]);
});
