// Versions of a workflow, dry runs, a test from one step, and what the text of a file offers while it is written.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { engineOf, RUN, shown, story } from './run-fixture';
import { answersOf, OWN_TEXT, TEAM_TEXT } from './workflow-fixture';

const LANGUAGE = { language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' };
const PAGE = '/workflows/stock_count';
const WEEKLY = '/workflows/weekly_operations_review';
const SCHEMA = JSON.parse(
  readFileSync(
    fileURLToPath(
      new URL('../../src-tauri/crates/bwana-workflow/definitions/schema/workflow.v1.json', import.meta.url),
    ),
    'utf8',
  ),
) as unknown;
const file = (page: Page) => page.getByLabel('Workflow file');

async function open(page: Page, path: string, over: Record<string, unknown> = {}, language = 'en') {
  const watched = await watchPage(page);
  const fake = answersOf(settings({ ...LANGUAGE, language }), {
    'definitions.schemas': { schemas: [{ name: 'bwana.workflow/v1', schema: SCHEMA }] },
    'tools.list': { tools: [{ id: 'web.fetch', description: 'Reads a page of the net.', risk: 'read_net' }] },
    'run.list': { runs: [], total: 0 },
    ...over,
  });
  fake.texts.set('stock_count', TEAM_TEXT);
  const engine = await fakeEngine(page, fake.answers);
  await page.goto(path);
  return { ...fake, engine, watched };
}

/** Three versions: each says something else. */
function versions() {
  const texts: Record<string, string> = {
    b3c: OWN_TEXT.replace('task: Count what is there.', 'task: Weigh what is there.\n    tools: []'),
    b3b: OWN_TEXT,
    b3a: OWN_TEXT.replace('name: Stock count', 'name: Stock list'),
  };
  const items = [
    { hash: 'b3c', source: 'edited here', at: '2026-11-20T09:00:00Z' },
    { hash: 'b3b', source: 'workflows/stock.yaml', at: '2026-11-18T08:30:00Z' },
    { hash: 'b3a', source: 'builtin', at: '2026-10-02T15:00:00Z' },
  ];
  return {
    'definitions.versions': () => ({
      items: items.map((one, index) => ({ ...one, version: one.hash, current: index === 0 })),
    }),
    'definitions.version': ({ id, hash }: { id: string; hash: string }) => ({ id, text: texts[hash] }),
    'definitions.restore': ({ id, hash }: { id: string; hash: string }) => {
      // One that is brought back is there twice.
      items.unshift({ hash, source: 'edited here', at: '2026-11-20T11:02:00Z' });
      return { items: [{ kind: 'workflow', id, status: 'updated' }], notes: [] };
    },
  };
}

test.beforeEach(async ({ page }) => {
  await page.clock.setFixedTime(new Date('2026-11-20T11:02:14Z'));
});

test('any two versions are compared, and one is brought back without losing another', async ({
  page,
}, info) => {
  const { engine, watched } = await open(page, PAGE, versions());
  await page.getByRole('button', { name: 'Versions' }).click();
  await expect(page).toHaveURL(/view=versions$/);
  const list = page.getByRole('navigation', { name: 'All versions, the newest first' });
  await expect(list.getByRole('button')).toHaveCount(3);
  await expect(list.getByRole('button').first()).toContainText('in use');
  const table = page.getByRole('table', { name: 'What differs' });
  await expect(table.locator('ins')).toHaveText(['Weigh']);
  await expect(table.locator('del')).toHaveText(['Count']);
  await expect(table).toContainText('tools: []');
  await expect(table.getByRole('columnheader', { name: 'Line' })).toHaveCount(2);
  await page.screenshot({ path: info.outputPath('versions.png') });
  await expectAccessible(page);
  await expect(page.getByRole('button', { name: 'Use this version again' })).toBeHidden();

  await list.getByRole('button').nth(2).click();
  await expect(table.locator('ins')).toHaveText(['list', 'Count']);
  await page.getByLabel('Compared with').click();
  await page.getByRole('option', { name: /18 Nov/ }).click();
  await expect(table.locator('del')).toHaveText(['count']);
  await page.getByRole('button', { name: 'Use this version again' }).click();
  const sheet = page.getByRole('dialog');
  await expect(sheet).toContainText('Nothing is lost');
  await expect(sheet.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await page.screenshot({ path: info.outputPath('restore.png') });
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  // Its button has the name of the one behind it: it leaves first.
  await expect(sheet).toBeHidden();
  expect(engine.calls.some(({ name }) => name === 'definitions.restore')).toBe(false);
  await page.getByRole('button', { name: 'Use this version again' }).click();
  engine.refusals['definitions.restore'] = { code: 'store.read_only', message: 'the disk is read-only' };
  await sheet.getByRole('button', { name: 'Use this version again' }).click();
  await expect(sheet).toContainText('It was not brought back');
  delete engine.refusals['definitions.restore'];
  await sheet.getByRole('button', { name: 'Use this version again' }).click();
  await expect(sheet).toBeHidden();
  expect(engine.calls.findLast(({ name }) => name === 'definitions.restore')?.params).toEqual({
    kind: 'workflow',
    id: 'stock_count',
    hash: 'b3a',
  });
  await expect(page.getByText(/The version of .* is in use again/)).toBeVisible();
  await expect(list.getByRole('button')).toHaveCount(4);
  await expect(list.getByRole('button').first()).toContainText('in use');
  await expect(list.getByRole('button').last()).toContainText('b3a');
  expect(watched.errors).toEqual([]);
});

test('in a narrow window the versions stand one under the other', async ({ page }, info) => {
  await page.setViewportSize({ width: 900, height: 800 });
  const { watched } = await open(page, `${PAGE}?view=versions`, versions(), 'ar');
  const table = page.getByRole('table');
  await expect(table.locator('ins')).toHaveText(['Weigh']);
  await expect(table.getByRole('columnheader')).toHaveCount(4);
  await page.screenshot({ path: info.outputPath('versions-ar-900.png') });
  await expectAccessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)).toBe(false);
  expect(watched.errors).toEqual([]);
});

test('one that never changed has one version, and what cannot be read is tried again', async ({ page }) => {
  const one = { hash: 'h1', version: 'h1', source: 'builtin', at: '2026-10-02T15:00:00Z', current: true };
  const { engine } = await open(page, `${WEEKLY}?view=versions`, {
    'definitions.versions': { items: [one] },
    'definitions.version': { id: 'weekly_operations_review', text: OWN_TEXT },
  });
  await expect(page.getByText('There is only this version.')).toBeVisible();
  await expectAccessible(page);
  engine.refusals['definitions.versions'] = { code: 'store.broken', message: 'the database is damaged' };
  await page.reload();
  await expect(page.getByRole('alert')).toContainText('The versions could not be read');
  // What the page reads once more by itself, when its connection stands, must be over before the button is pressed.
  const asked = () => engine.calls.filter(({ name }) => name === 'definitions.versions').length;
  await expect
    .poll(async () => {
      const before = asked();
      await page.evaluate(() => new Promise((later) => setTimeout(later, 400)));
      return asked() - before;
    })
    .toBe(0);
  delete engine.refusals['definitions.versions'];
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByText('There is only this version.')).toBeVisible();
});

const STARTED = { run: RUN, head_seq: 0, notes: [], agents: [], steps: [] };
const LINE = { id: 'r1', head_seq: 44, started_at: '2026-11-19T08:00:00Z', status: 'done' };

test('a dry run says what is not done, and the run says that it is one', async ({ page }, info) => {
  const { engine, watched } = await open(page, '/workflows', {
    ...engineOf(story().records, () => shown({ dry_run: true })),
    'run.list': { runs: [LINE], total: 1 },
    'run.at': { run: shown({ input: 'The week of the bakery' }), results: [] },
    'settings.show': settings(LANGUAGE),
    'run.start': STARTED,
  });
  await expect(page.getByRole('heading', { level: 2, name: 'Stock and daily work' })).toBeVisible();
  await page.getByRole('button', { name: 'Try without a key: Weekly Operations Review' }).click();
  const sheet = page.getByRole('dialog', { name: 'A dry run of Weekly Operations Review' });
  await expect(sheet).toContainText('nobody is written to');
  await expect(sheet.getByLabel('What it is given')).toHaveValue('The week of the bakery');
  await page.screenshot({ path: info.outputPath('dry.png') });
  await expectAccessible(page);
  engine.refusals['run.start'] = { code: 'model.not_installed', message: 'the model is not on this machine' };
  await sheet.getByRole('button', { name: 'Start the dry run' }).click();
  await expect(sheet).toContainText('The built-in model is not on this machine yet.');
  await expect(sheet.getByRole('button', { name: 'Get the built-in model' })).toBeVisible();
  delete engine.refusals['run.start'];
  await sheet.getByRole('button', { name: 'Start the dry run' }).click();
  await expect(page).toHaveURL(new RegExp(`/run/${RUN}$`));
  expect(engine.calls.findLast(({ name }) => name === 'run.start')?.params).toEqual({
    what: { workflow: 'weekly_operations_review' },
    input: 'The week of the bakery',
    options: { dry_run: true },
  });
  await expect(page.getByText('dry run', { exact: true })).toBeVisible();
  await page.screenshot({ path: info.outputPath('dry-run.png') });
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('a test begins with one step, and the results before it are given', async ({ page }, info) => {
  const pinned = { steps: shown({}) as { steps: object[] } };
  const { engine, watched } = await open(page, WEEKLY, {
    ...engineOf(story().records, () =>
      shown({ steps: pinned.steps.steps.map((step, n) => ({ ...step, pinned: n === 0 })) }),
    ),
    'settings.show': settings(LANGUAGE),
    'run.list': { runs: [LINE], total: 1 },
    'run.at': {
      run: shown({ input: 'The week' }),
      results: [
        { step: 'facts', text: 'Sold: 40 loaves', cut: false },
        { step: 'views/money', text: 'of a branch', cut: false },
        { step: 'views', text: 'Three views…', cut: true },
      ],
    },
    'run.start': STARTED,
  });
  const tree = page.getByRole('tree', { name: 'Steps' });
  await tree.locator('.row', { hasText: 'Agree on priorities' }).click();
  await page.getByRole('button', { name: 'Test from this step' }).click();
  const sheet = page.getByRole('dialog', { name: 'Test from step 3: Agree on priorities' });
  await expect(sheet.getByLabel('Result of Collect the facts')).toHaveValue('Sold: 40 loaves');
  await expect(sheet.getByLabel('Result of Look from three sides')).toHaveValue('Three views…');
  await expect(sheet).toContainText('Only its beginning is here');
  await sheet.getByLabel('Result of Collect the facts').fill('Sold: nothing');
  await sheet.getByLabel('Only this step').check();
  await page.screenshot({ path: info.outputPath('from.png') });
  await expectAccessible(page);
  await sheet.getByLabel('As a dry run').uncheck();
  await sheet.getByRole('button', { name: 'Start the test' }).click();
  await expect(page).toHaveURL(new RegExp(`/run/${RUN}$`));
  expect(engine.calls.findLast(({ name }) => name === 'run.start')?.params).toEqual({
    what: { workflow: 'weekly_operations_review' },
    input: 'The week',
    options: { from: 'priorities', only: true, pinned: { facts: 'Sold: nothing', views: 'Three views…' } },
  });
  await expect(page.getByText('result was given')).toHaveCount(1);
  await page.screenshot({ path: info.outputPath('pinned.png') });
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('what is typed before the last run is known stays', async ({ page }) => {
  const { engine } = await open(page, WEEKLY, {
    'settings.show': settings(LANGUAGE),
    'run.at': {
      run: shown({ input: 'The week' }),
      results: [{ step: 'facts', text: 'Forty loaves', cut: false }],
    },
  });
  engine.pending('run.list');
  await page.getByRole('tree', { name: 'Steps' }).locator('.row', { hasText: 'Agree on priorities' }).click();
  await page.getByRole('button', { name: 'Test from this step' }).click();
  const sheet = page.getByRole('dialog', { name: 'Test from step 3: Agree on priorities' });
  const input = sheet.getByLabel('What it is given');
  await input.fill('Another week');
  await expect.poll(() => engine.calls.some(({ name }) => name === 'run.list')).toBe(true);
  engine.answerTo('run.list', { runs: [LINE], total: 1 });
  await expect(sheet.getByLabel('Result of Collect the facts')).toHaveValue('Forty loaves');
  await expect(input).toHaveValue('Another week');
  await expect(sheet).not.toContainText('From the run of');
});

test('a test from a branch says where it begins, and why', async ({ page }) => {
  await open(page, `${PAGE}?edit=1`);
  await page.getByRole('tree', { name: 'Steps' }).locator('.row', { hasText: 'Money' }).click();
  await page.getByRole('button', { name: 'Test from this step' }).click();
  const sheet = page.getByRole('dialog', { name: 'Test from step 2: Look' });
  await expect(sheet).toContainText('A branch does not run alone: the test begins with step 2, “Look”');
});

test('what stands in the editor is tried, saved or not', async ({ page }) => {
  const { engine } = await open(page, `${PAGE}?edit=1`, { 'run.start': STARTED });
  await page.getByLabel('Name').fill('Count twice');
  await page.getByRole('button', { name: 'Dry run' }).click();
  const sheet = page.getByRole('dialog');
  await expect(sheet).toContainText('saved or not');
  await sheet.getByLabel('What it is given').fill('Shelves');
  await sheet.getByRole('button', { name: 'Start the dry run' }).click();
  await expect.poll(() => engine.calls.filter(({ name }) => name === 'run.start').length).toBe(1);
  expect(engine.calls.find(({ name }) => name === 'run.start')?.params).toMatchObject({
    what: { file: { name: 'edited here', text: TEAM_TEXT.replace('name: Count', 'name: Count twice') } },
    options: { dry_run: true },
  });
});

test('the text offers keys, agents and words, by keyboard', async ({ page }, info) => {
  const { watched } = await open(page, `${PAGE}?edit=1&view=text`);
  await expect(file(page)).toHaveValue(TEAM_TEXT);
  await file(page).press('Control+End');
  await page.keyboard.type('  - name: Write\n');
  // Enter kept the indentation.
  await page.keyboard.type('  ag');
  const offered = page.getByRole('listbox', { name: 'What may be written here' });
  await expect(offered.getByRole('option')).toHaveCount(2);
  await expect(offered.getByRole('option', { selected: true })).toContainText('agent');
  await page.screenshot({ path: info.outputPath('offered.png') });
  await expectAccessible(page);
  await page.keyboard.press('Enter');
  await page.keyboard.type('op');
  await expect(offered.getByRole('option')).toHaveText(/operations/);
  await page.keyboard.press('Tab');
  await expect(offered).toBeHidden();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Control+Space');
  await expect(offered.getByRole('option', { selected: true })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Escape');
  await expect(offered).toBeHidden();
  await page.keyboard.type('reads: [lo');
  await page.keyboard.press('Enter');
  await page.keyboard.type(']');
  await expect(
    page.getByText('Earlier results this step sees, by step id; default: all before it.'),
  ).toBeVisible();
  await expect(file(page)).toHaveValue(
    `${TEAM_TEXT}  - name: Write\n    agent: operations\n    reads: [look]`,
  );
  // Back over what was taken from the list as over everything else.
  await page.keyboard.press('Control+z');
  await expect(file(page)).not.toHaveValue(/look\]/);
  expect(watched.errors).toEqual([]);
});

test('that the built-in model is missing is said before anything is written', async ({ page }) => {
  await open(page, '/workflows', { 'models.list': { models: [], default_model: null } });
  await page
    .getByRole('button', { name: /^Try without a key/ })
    .first()
    .click();
  const sheet = page.getByRole('dialog');
  await expect(sheet.getByRole('status')).toContainText('The built-in model is not on this machine yet.');
  await expectAccessible(page);
  await sheet.getByRole('button', { name: 'Get the built-in model' }).click();
  await expect(page).toHaveURL(/\/connections/);
});
