// The workflows: found, looked at step by step, run, exported, imported and edited as a file.
import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings, type FakeEngine } from './engine';
import { expectAccessible, expectReachable, watchPage } from './page';
import { answersOf, line, OWN, OWN_SHOWN, OWN_TEXT } from './workflow-fixture';

const LANGUAGE = { language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' };
const WEEKLY_PAGE = '/workflows/weekly_operations_review';
const OWN_PAGE = '/workflows/stock_count';
const calls = (engine: FakeEngine, name: string) => engine.calls.filter((call) => call.name === name);
const file = (page: Page) => page.getByLabel('Workflow file');
const sideways = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

test.beforeEach(async ({ page }) => {
  await page.clock.setFixedTime(new Date('2026-11-20T11:02:14Z'));
});

test('the list tells how each workflow went, finds by words, and leads to its run', async ({
  page,
}, info) => {
  const watched = await watchPage(page);
  const { answers, drafts } = answersOf(settings(LANGUAGE));
  drafts.set('home', '@operations Bread for hotels');
  await fakeEngine(page, answers);
  await page.goto('/home');
  await page.getByRole('link', { name: 'Workflows' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Workflows');
  const cards = page
    .getByRole('main')
    .getByRole('listitem')
    .filter({ has: page.getByRole('heading') });
  await expect(cards).toHaveCount(2);
  // A person's own come first.
  await expect(cards.first()).toContainText('Stock count');
  await expect(cards.first()).toContainText('never');
  await expect(cards.last()).toContainText('Weekly Operations Review');
  await expect(cards.last()).toContainText('19 of 20 done');
  await expect(cards.last()).toContainText('$0.46');
  await expect(cards.last()).toContainText('4 min');
  await page.screenshot({ path: info.outputPath('list-light.png') });
  await expectAccessible(page);

  await page.getByLabel('Search workflows').fill('SHELVES count');
  await expect(cards).toHaveCount(1);
  await page.getByLabel('Search workflows').fill('nothing like it');
  await expect(page.getByText('No workflow fits these words.')).toBeVisible();
  await page.getByRole('button', { name: 'Show all' }).click();
  await expect(cards).toHaveCount(2);

  // The name takes the place of another; the wish stays.
  await page.getByRole('button', { name: 'Run: Stock count' }).click();
  await expect(page).toHaveURL(/home$/);
  await expect(page.locator('#composer')).toHaveValue('/stock_count Bread for hotels');
  expect(watched.errors).toEqual([]);
});

test('the steps are a tree that the arrow keys walk, with the step beside it', async ({ page }, info) => {
  const watched = await watchPage(page);
  const { answers } = answersOf(settings(LANGUAGE));
  await fakeEngine(page, answers);
  await page.goto(WEEKLY_PAGE);
  const pane = page.getByRole('region', { name: /^Step/ });
  const tree = page.getByRole('tree', { name: 'Steps' });
  await expect(tree.getByRole('treeitem')).toHaveCount(7);
  await expect(page.getByText('at most 12,000 characters')).toBeVisible();
  await expect(pane).toContainText('Sort the notes.');
  await expect(pane).toContainText('It uses no tools');
  await page.screenshot({ path: info.outputPath('one-light.png') });
  await expectAccessible(page);

  const item = (name: string) => tree.getByRole('treeitem', { name: new RegExp(name) }).first();
  await item('Collect the facts').focus();
  await page.keyboard.press('ArrowDown');
  await expect(item('Look from three sides')).toBeFocused();
  await expect(item('Look from three sides')).toHaveAttribute('aria-selected', 'true');
  await expect(pane).toContainText('At the same time; all have to succeed');
  await page.keyboard.press('ArrowRight');
  await expect(tree.getByRole('treeitem', { name: /2\.1/ })).toBeFocused();
  await expect(pane).toContainText('Look only at money.');
  // A branch sees what the step around it sees.
  await expect(pane).toContainText('Collect the facts');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await expect(tree.getByRole('treeitem')).toHaveCount(4);
  await expect(item('Look from three sides')).toHaveAttribute('aria-expanded', 'false');
  await page.keyboard.press('End');
  await expect(pane).toContainText('One after the other, in this order');
  await expect(pane).toContainText('Each agent uses its own.');
  await page.keyboard.press('ArrowUp');
  await expect(pane).toContainText('You are asked before it starts');
  await expect(pane).toContainText(
    'Business Intelligence Agent spoke last and (the last words hold “AGREED” or the money spent is $0.20)',
  );
  await expect(pane).toContainText('$0.50');
  await expect(pane.getByText('asks first')).toBeVisible();
  await page.screenshot({ path: info.outputPath('one-talk.png') });
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('a workflow is saved as a file, exactly as the engine gives it', async ({ page }, info) => {
  const { answers } = answersOf(settings(LANGUAGE));
  await fakeEngine(page, answers);
  await page.goto(OWN_PAGE);
  await page.getByRole('button', { name: 'Export' }).click();
  const sheet = page.getByRole('dialog', { name: 'Stock count as a file' });
  await expect(sheet).toContainText('Counts what is on the shelves.');
  await page.screenshot({ path: info.outputPath('export.png') });
  await expectAccessible(page);
  const arriving = page.waitForEvent('download');
  await sheet.getByRole('button', { name: 'Save as a file' }).click();
  const download = await arriving;
  expect(download.suggestedFilename()).toBe('stock_count.yaml');
  expect(await readFile(await download.path(), 'utf8')).toBe(OWN_TEXT);
  await expect(sheet).toBeHidden();
  await expect(page.getByRole('button', { name: 'Export' })).toBeFocused();
});

test('a broken file says which line, and a good one is taken only by the button', async ({ page }, info) => {
  const watched = await watchPage(page);
  const { answers } = answersOf(settings(LANGUAGE));
  const engine = await fakeEngine(page, answers);
  await page.goto('/workflows');
  const bring = (name: string, text: string | Buffer) =>
    page
      .locator('input[type=file]')
      .setInputFiles({ name, mimeType: 'application/yaml', buffer: Buffer.from(text) });
  const sheet = page.getByRole('dialog');
  await bring('broken.yaml', OWN_TEXT.replace('agent: operations', 'agnt: operations'));
  await expect(sheet).toContainText('Line 9');
  await expect(sheet).toContainText('Step 1 › agnt');
  await expect(sheet).toContainText('there is no key `agnt`; did you mean `agent`?');
  await expect(sheet.getByRole('button', { name: 'Import' })).toHaveAttribute('aria-disabled', 'true');
  await page.screenshot({ path: info.outputPath('import-broken.png') });
  await expectAccessible(page);
  await page.keyboard.press('Escape');

  await bring('picture.yaml', Buffer.from([0xff, 0xd8, 0x00]));
  await expect(sheet).toContainText('picture.yaml is not a text file.');
  await page.keyboard.press('Escape');

  await bring('good.yaml', OWN_TEXT);
  await expect(sheet).toContainText('becomes a new version of the one you have');
  await page.screenshot({ path: info.outputPath('import-version.png') });
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await expect(sheet).toBeHidden();
  await bring('shipped.yaml', OWN_TEXT.replace('id: stock_count', 'id: weekly_operations_review'));
  await expect(sheet).toContainText('takes the place of the one that comes with Bwana');
  await page.keyboard.press('Escape');
  expect(calls(engine, 'definitions.import')).toHaveLength(0);

  // A file must not pass for one that comes with the program by its name.
  await bring('builtin', OWN_TEXT.replace('id: stock_count', 'id: bread_count'));
  await expect(sheet).toContainText('new');
  await sheet.getByRole('button', { name: 'Import' }).click();
  await expect(page).toHaveURL(/workflows\/bread_count$/);
  await expect(page.getByText('Imported: 1')).toBeVisible();
  expect(calls(engine, 'definitions.import').map(({ params }) => params['file'])).toMatchObject([
    { name: 'builtin.yaml' },
  ]);
  expect(watched.errors).toEqual([]);
});

test('a file that is dropped is looked at as well', async ({ page }) => {
  const { answers } = answersOf(settings(LANGUAGE));
  await fakeEngine(page, answers);
  await page.goto('/workflows');
  await expect(page.getByRole('link', { name: 'Stock count' })).toBeVisible();
  await page.getByRole('region', { name: 'Workflows' }).evaluate((region, text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], 'dropped.yaml'));
    region.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  }, OWN_TEXT);
  await expect(page.getByRole('dialog', { name: 'Import dropped.yaml' })).toContainText('stock_count');
});

test('from the list to a saved edit by keyboard alone', async ({ page }, info) => {
  const watched = await watchPage(page);
  const { answers, drafts } = answersOf(settings(LANGUAGE));
  const engine = await fakeEngine(page, answers);
  await page.goto('/workflows');
  await expect(page.getByRole('link', { name: 'Stock count' })).toBeVisible();
  const tabTo = async (role: 'link' | 'button' | 'textbox', name: string) => {
    const wanted = page.getByRole('main').getByRole(role, { name, exact: true });
    for (let press = 0; press < 30; press += 1) {
      if (await wanted.evaluate((one) => one === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    await expect(wanted).toBeFocused();
  };
  await tabTo('link', 'Stock count');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('tree')).toBeVisible();
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused();
  await tabTo('button', 'Edit');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Edit Stock count');
  await expect(page.getByRole('tree', { name: 'Steps' })).toBeVisible();
  await page.keyboard.press('Alt+2');
  await expect(file(page)).toBeFocused();
  await page.keyboard.press('Control+End');
  // Enter keeps the indentation of the line above.
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Enter');
  await page.keyboard.type('agnt: nobody');
  await expect(page.locator('#workflow-state')).toHaveText('It cannot be saved like this');
  const found = page.getByRole('button', { name: /Line 11/ });
  await expect(found).toContainText('there is no key `agnt`');
  await expect(file(page)).toHaveAttribute('aria-invalid', 'true');
  await page.screenshot({ path: info.outputPath('edit-wrong.png') });
  await expectAccessible(page);
  await page.keyboard.press('Control+s');
  expect(calls(engine, 'definitions.import')).toHaveLength(0);

  await page.keyboard.press('Control+Home');
  await tabTo('button', (await found.textContent())?.replaceAll(/\s+/g, ' ').trim() ?? '');
  await page.keyboard.press('Enter');
  await expect(file(page)).toBeFocused();
  const chosen = await file(page).evaluate((area: HTMLTextAreaElement) =>
    area.value.slice(area.selectionStart, area.selectionEnd),
  );
  expect(chosen).toBe('    agnt: nobody');
  await page.keyboard.type('    tools: []');
  // Saved at once, before the check behind the typing has run.
  await page.keyboard.press('Control+s');
  await expect(page).toHaveURL(/workflows\/stock_count$/);
  await expect(page.getByText('stock_count is saved.')).toBeVisible();
  expect(calls(engine, 'definitions.import').map(({ params }) => params)).toEqual([
    { file: { name: 'edited here', text: `${OWN_TEXT.trimEnd()}\n    tools: []\n` } },
  ]);
  expect(drafts.get('workflow:stock_count')).toBe('');
  expect(watched.errors).toEqual([]);
});

test('checks go one at a time, and the last text is the one that counts', async ({ page }) => {
  const { answers } = answersOf(settings(LANGUAGE));
  const engine = await fakeEngine(page, answers);
  await page.goto(`${OWN_PAGE}?edit=1&view=text`);
  await expect(page.locator('#workflow-state')).toHaveText('Nothing is wrong with it');
  const before = calls(engine, 'definitions.validate').length;
  await file(page).press('Control+End');
  await page.keyboard.type('# one two three four nobody');
  await expect(page.getByRole('button', { name: /Step 2 › Branch 3 › agents › no. 1/ })).toBeVisible();
  expect(calls(engine, 'definitions.validate').length - before).toBeLessThanOrEqual(4);
});

test('nothing is lost by a reload in the middle of an edit', async ({ page }) => {
  const { answers, drafts } = answersOf(settings(LANGUAGE));
  await fakeEngine(page, answers);
  await page.goto(`${OWN_PAGE}?edit=1&view=text`);
  await file(page).press('Control+End');
  await page.keyboard.type('# half a th');
  await expect(page.getByText('Not saved yet; kept as a draft.')).toBeVisible();
  await expect(page.getByText('Lines that begin with # are not kept')).toBeVisible();
  await expect.poll(() => drafts.get('workflow:stock_count') ?? '').toContain('# half a th');
  await page.keyboard.type('ought');
  // The last letters were typed just now: the page keeps them as it goes.
  await page.reload();
  await expect(file(page)).toHaveValue(`${OWN_TEXT}# half a thought`);
  await page.getByRole('button', { name: 'Discard changes' }).click();
  await expect(file(page)).toHaveValue(OWN_TEXT);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(file(page)).toHaveValue(`${OWN_TEXT}# half a thought`);
  await page.getByRole('button', { name: 'Discard changes' }).click();
  await expect.poll(() => drafts.get('workflow:stock_count')).toBe('');
});

test('a version saved elsewhere is said, and is overwritten only by a word', async ({ page }, info) => {
  const { answers, shown } = answersOf(settings(LANGUAGE));
  const engine = await fakeEngine(page, answers);
  await page.goto(`${OWN_PAGE}?edit=1&view=text`);
  await file(page).fill(OWN_TEXT.replace('Counts', 'Weighs'));
  shown.set('stock_count', { ...OWN_SHOWN, hash: 'o2' });
  engine.change([{ topic: 'workflows', id: 'stock_count', op: 'upsert' }]);
  await expect(page.getByRole('alert')).toContainText('Another version of it was saved');
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  const sheet = page.getByRole('dialog', { name: 'Another version was saved since you opened it' });
  await expect(sheet.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await page.screenshot({ path: info.outputPath('conflict.png') });
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await expect(file(page)).toHaveValue(/Weighs/);
  expect(calls(engine, 'definitions.import')).toHaveLength(0);

  // A draft knows with which version it began, so a reload does not hide the conflict.
  await page.reload();
  await expect(page.getByRole('alert')).toContainText('Another version of it was saved');
  await expect(file(page)).toHaveValue(/Weighs/);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await sheet.getByRole('button', { name: 'Overwrite it' }).click();
  await expect(page).toHaveURL(/stock_count$/);
  expect(calls(engine, 'definitions.import')).toHaveLength(1);
});

test('the other version can be loaded in place of what was typed', async ({ page }) => {
  const { answers, shown, drafts } = answersOf(settings(LANGUAGE));
  const engine = await fakeEngine(page, answers);
  await page.goto(`${OWN_PAGE}?edit=1&view=text`);
  await file(page).fill(OWN_TEXT.replace('Counts', 'Weighs'));
  await expect.poll(() => drafts.get('workflow:stock_count') ?? '').toContain('Weighs');
  shown.set('stock_count', { ...OWN_SHOWN, hash: 'o2' });
  engine.answers['workflows.export'] = { id: 'stock_count', text: OWN_TEXT.replace('Counts', 'Lists') };
  engine.change([{ topic: 'workflows', id: 'stock_count', op: 'upsert' }]);
  await page.getByRole('button', { name: 'Load the other version' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Load the other version' }).click();
  await expect(file(page)).toHaveValue(/Lists what/);
  await expect(page.getByRole('alert')).toBeHidden();
  expect(drafts.get('workflow:stock_count')).toBe('');
});

test('one that comes with the program is edited as a copy; a new one begins as one that works', async ({
  page,
}, info) => {
  const watched = await watchPage(page);
  const { answers } = answersOf(settings(LANGUAGE));
  const engine = await fakeEngine(page, answers);
  await page.goto(WEEKLY_PAGE);
  await page.getByRole('button', { name: 'Edit a copy' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your copy of Weekly Operations Review');
  await page.getByRole('tab', { name: 'Text' }).click();
  await expect(file(page)).toHaveValue(/# The week on one page\.\n/);
  await expect(file(page)).toHaveValue(/\nid: weekly_operations_review_copy\nname: "Weekly .* \(copy\)"\n/);
  await expect(page.getByText('saved under the name')).toContainText('weekly_operations_review_copy');
  await page.screenshot({ path: info.outputPath('edit-copy.png') });
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page).toHaveURL(/weekly_operations_review_copy$/);

  await page.getByRole('button', { name: 'All workflows' }).click();
  await page.getByRole('button', { name: 'New workflow' }).click();
  await page.getByRole('tab', { name: 'Text' }).click();
  await expect(file(page)).toHaveValue(/id: my_workflow\nname: "My workflow"/);
  await expect(page.locator('#workflow-state')).toHaveText('Nothing is wrong with it');
  // An id that is taken is asked about.
  await file(page).fill((await file(page).inputValue()).replace('my_workflow', 'stock_count'));
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  const sheet = page.getByRole('dialog', { name: 'There is already a workflow called stock_count' });
  await expect(sheet).toContainText('becomes a new version');
  await page.keyboard.press('Escape');
  await file(page).fill((await file(page).inputValue()).replace('stock_count', 'bread'));
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page).toHaveURL(/workflows\/bread$/);
  expect(calls(engine, 'definitions.import')).toHaveLength(2);

  // A text with agents or with several workflows is a file to import, not an edit.
  await page.goto(`${OWN_PAGE}?edit=1&view=text`);
  await file(page).fill(`${OWN_TEXT}---\nschema: bwana.agent/v1\nid: spy\n`);
  await expect(page.getByText('One workflow is edited here.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Save', exact: true })).toHaveAttribute(
    'aria-disabled',
    'true',
  );
  expect(watched.errors).toEqual([]);
});

test('leaving with something unsaved is asked', async ({ page }) => {
  const { answers, drafts } = answersOf(settings(LANGUAGE));
  await fakeEngine(page, answers);
  await page.goto(`${OWN_PAGE}?edit=1&view=text`);
  await file(page).fill(`${OWN_TEXT}# more`);
  await page.getByRole('link', { name: 'Runs' }).click();
  const sheet = page.getByRole('dialog', { name: 'Leave without saving?' });
  await expect(sheet.getByRole('button', { name: 'Stay here' })).toBeFocused();
  await sheet.getByRole('button', { name: 'Leave, keep the draft' }).click();
  await expect(page).toHaveURL(/runs$/);
  await expect.poll(() => drafts.get('workflow:stock_count') ?? '').toContain('# more');
});

test('what the engine refuses leaves the text as it was', async ({ page }) => {
  const { answers } = answersOf(settings(LANGUAGE));
  const engine = await fakeEngine(page, answers);
  engine.refusals['definitions.import'] = { code: 'store.read_only', message: 'the disk is read-only' };
  await page.goto(`${OWN_PAGE}?edit=1&view=text`);
  await file(page).fill(`${OWN_TEXT}# more`);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('The workflow was not saved');
  await expect(file(page)).toHaveValue(`${OWN_TEXT}# more`);
  await expectAccessible(page);
});

test('names and descriptions from outside are text', async ({ page }) => {
  const watched = await watchPage(page);
  const words = '<img src=x onerror="window.__pwned=1"><script>window.__pwned=1</script>\u202Eevil';
  const { answers, shown, lines } = answersOf(settings(LANGUAGE));
  lines.splice(0, 2, line({ ...OWN, name: words, description: `${words} ${'x'.repeat(600)}` }));
  shown.set('stock_count', {
    ...OWN_SHOWN,
    source: words,
    workflow: {
      ...OWN_SHOWN.workflow,
      name: words,
      steps: [{ name: words, agent: words, task: `{{ ${words} }}` }],
    },
  });
  await fakeEngine(page, answers);
  await page.goto('/workflows');
  await expect(page.getByRole('link', { name: '<img src=x' })).toBeVisible();
  expect(await sideways(page)).toBe(false);
  await page.goto(OWN_PAGE);
  await expect(page.getByRole('tree')).toContainText('<script>window.__pwned=1</script>');
  await expect(page.getByRole('region', { name: /^Step/ })).toContainText('onerror=');
  expect(await sideways(page)).toBe(false);
  expect(await page.evaluate(() => '__pwned' in window)).toBe(false);
  expect(await page.locator('main img, main script').count()).toBe(0);
  expect(watched.errors).toEqual([]);
});

test('an address without a workflow says so', async ({ page }) => {
  const { answers } = answersOf(settings(LANGUAGE));
  const engine = await fakeEngine(page, answers);
  await page.goto('/workflows/gone');
  await expect(page.getByText('There is no workflow at this address.')).toBeVisible();
  engine.refusals['workflows.show'] = { code: 'usage.not_found', message: 'there is no workflow' };
  await page.goto('/workflows/gone?edit=1');
  await expect(page.getByText('There is no workflow at this address.')).toBeVisible();
});

test('what cannot be read says so and is tried again', async ({ page }) => {
  const { answers } = answersOf(settings(LANGUAGE));
  const engine = await fakeEngine(page, answers);
  engine.refusals['workflows.lines'] = { code: 'store.broken', message: 'the database is damaged' };
  for (const path of ['/workflows', OWN_PAGE, `${OWN_PAGE}?edit=1&view=text`]) {
    await page.goto(path);
    await expect(page.getByRole('alert')).toContainText('The workflows could not be read');
    await expectAccessible(page);
  }
  delete engine.refusals['workflows.lines'];
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(file(page)).toHaveValue(OWN_TEXT);
});

for (const [theme, language, width] of [
  ['dark', 'en', 1280],
  ['light', 'ar', 1280],
  ['dark', 'ar', 900],
  ['light', 'fr', 900],
] as const) {
  test(`the screens stand ${theme}, in ${language}, at ${width}`, async ({ page }, info) => {
    await page.addInitScript((name) => localStorage.setItem('bwana.theme', name), theme);
    const { answers } = answersOf(settings({ ...LANGUAGE, language }));
    await fakeEngine(page, answers);
    await page.setViewportSize({ width, height: 800 });
    for (const [name, path, ready] of [
      ['list', '/workflows', 'main li'],
      ['one', WEEKLY_PAGE, '[role=tree]'],
      ['edit', `${WEEKLY_PAGE}?edit=1&view=text`, 'textarea'],
    ] as const) {
      await page.goto(path);
      await expect(page.locator('html')).toHaveAttribute('lang', language);
      await expect(page.locator(ready).first()).toBeVisible();
      if (name === 'edit') await expect(page.locator('#workflow-state')).not.toBeEmpty();
      await page.screenshot({ path: info.outputPath(`${name}-${theme}-${language}-${width}.png`) });
      await expectAccessible(page);
      expect(await sideways(page)).toBe(false);
    }
  });
}

for (const [width, height] of [
  [480, 400],
  [380, 700],
] as const)
  test(`what is done with workflows is within reach at ${width}`, async ({ page }, info) => {
    await page.setViewportSize({ width, height });
    const { answers } = answersOf(settings(LANGUAGE));
    await fakeEngine(page, answers);
    for (const at of ['/workflows', WEEKLY_PAGE, OWN_PAGE]) {
      await page.goto(at);
      await expect(page.locator('main [data-scroll]').first()).toBeVisible();
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: info.outputPath(`flows-${at.split('/').at(-1)}-${width}.png`) });
      await expectReachable(page);
    }
  });
