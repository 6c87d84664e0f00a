import { readFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { engineOf, RUN, shown, story } from './run-fixture';

const NOW = new Date('2026-11-20T11:02:14Z');
const MARKDOWN =
  '# African Market Expansion\n\nFind out who keeps food cold\n\n## Research target market\n\n' +
  '<script>top.__pwned=1</script> Kilifi sells **at dawn**.\n\n| Town | Ice |\n| --- | --- |\n| Lamu | 2.5 |\n';
const DOCUMENT = {
  schema: 'bwana.run/v1',
  run: 'run_01JD0000000000000000000001',
  workflow: 'expansion',
  program: 'bwana 0.1.0',
  exported_at: '2026-11-19T08:00:00Z',
  definition: {},
  entries: story().records,
  artifacts: [{ file: 'prices.csv', bytes: 12, hash: 'b3' }],
};

async function open(page: Page, path: string, language = 'en') {
  await page.clock.install({ time: NOW });
  await page.clock.resume();
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, {
    ...engineOf(story().records, () => shown()),
    'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    'run.export_as': ({ format }: { format: string }) => ({
      name: `expansion-4f2a.${format === 'html' ? 'html' : 'md'}`,
      text: format === 'html' ? '<!doctype html><p>Kilifi</p>' : MARKDOWN,
    }),
    'run.export': DOCUMENT,
    'run.list': { runs: [], total: 0 },
    'workflows.lines': { workflows: [] },
  });
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
  return { engine, watched };
}

const menu = (page: Page) => page.getByRole('button', { name: 'Export' });

test('a run is saved as Markdown, as a web page and whole', async ({ page }, info) => {
  const { watched } = await open(page, `/run/${RUN}`);
  const save = async (name: string) => {
    await menu(page).click();
    await expect(page.getByRole('menuitem')).toHaveCount(4);
    await page.screenshot({ path: info.outputPath('export-menu.png') });
    const waiting = page.waitForEvent('download');
    await page.getByRole('menuitem', { name }).click();
    const download = await waiting;
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
  };
  expect(await save('As Markdown')).toEqual({ name: 'expansion-4f2a.md', text: MARKDOWN });
  await expect(page.getByText('Saved as expansion-4f2a.md')).toBeVisible();
  expect((await save('As a web page')).text).toContain('<p>Kilifi</p>');
  const whole = await save('Whole run');
  expect(whole.name).toMatch(/^expansion-.{8}\.bwana-run$/);
  expect(JSON.parse(whole.text)).toEqual(JSON.parse(JSON.stringify(DOCUMENT)));
  expect(watched.errors).toEqual([]);
});

test('on paper there is the run alone, and nothing of it runs', async ({ page }, info) => {
  const { watched } = await open(page, `/run/${RUN}`);
  await page.evaluate(() => Object.assign(window, { print: () => Object.assign(window, { printed: true }) }));
  await menu(page).click();
  await page.getByRole('menuitem', { name: 'Print or PDF' }).click();
  await expect.poll(() => page.evaluate(() => 'printed' in window)).toBe(true);
  await expect(page.locator('.paper')).toBeHidden();
  await page.emulateMedia({ media: 'print' });
  await expect(page.locator('.paper')).toBeVisible();
  await expect(page.locator('#app')).toBeHidden();
  await expect(page.locator('.paper')).toContainText('<script>top.__pwned=1</script>');
  await expect(page.locator('.paper').getByRole('cell', { name: 'Lamu' })).toBeVisible();
  await page.screenshot({ path: info.outputPath('export-print.png') });
  await page.emulateMedia({ media: null });
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  await expect(page.locator('.paper')).toHaveCount(0);
  expect(await page.evaluate(() => '__pwned' in window)).toBe(false);
  expect(watched.errors).toEqual([]);
});

test('what the engine refuses to export is said', async ({ page }) => {
  const { engine } = await open(page, `/run/${RUN}`);
  engine.refusals['run.export_as'] = { code: 'store.damaged', message: 'entry 7 cannot be read' };
  for (const name of ['As Markdown', 'Print or PDF']) {
    await menu(page).click();
    await page.getByRole('menuitem', { name }).click();
    await expect(page.getByText('entry 7 cannot be read (store.damaged)').first()).toBeVisible();
  }
});

const chosen = (name: string, value: unknown) => ({
  name,
  mimeType: 'application/json',
  buffer: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
});

for (const [name, language] of [
  ['english', 'en'],
  ['arabic', 'ar'],
] as const) {
  test(`a run is taken in from a file, verified and opened, in ${name}`, async ({ page }, info) => {
    const { engine, watched } = await open(page, '/runs', language);
    const copy = shown({ id: RUN, status: 'paused' });
    engine.answers['run.import_text'] = copy;
    await page.locator('input[type=file]').setInputFiles(chosen('expansion.bwana-run', DOCUMENT));
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('run_01JD0000000000000000000001');
    await expect(dialog).toContainText(String(DOCUMENT.entries.length));
    await page.screenshot({ path: info.outputPath(`import-${name}.png`) });
    await expectAccessible(page);
    expect(engine.calls.some(({ name: asked }) => asked === 'run.import_text')).toBe(false);
    await dialog.getByRole('button').last().click();
    await expect(dialog.getByRole('listitem')).toHaveCount(4);
    await page.screenshot({ path: info.outputPath(`imported-${name}.png`) });
    await expectAccessible(page);
    const sent = engine.calls.find(({ name: asked }) => asked === 'run.import_text');
    expect(JSON.parse(String(sent?.params['text']))).toMatchObject({ schema: 'bwana.run/v1' });
    await expect(page.locator('#run-import-open')).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(new RegExp(`/run/${RUN}$`));
    expect(watched.errors).toEqual([]);
  });
}

test('a file that is no run, of another version, or refused says so and stores nothing', async ({ page }) => {
  const { engine } = await open(page, '/runs');
  const dialog = page.getByRole('dialog');
  for (const [value, words] of [
    ['no json', 'is no exported run'],
    ['[]', 'is no exported run'],
    ['null', 'is no exported run'],
    [{ schema: 'bwana.workflow/v1', entries: [] }, 'is no exported run'],
    [{ ...DOCUMENT, entries: 7 }, 'is no exported run'],
    [{ ...DOCUMENT, schema: 'bwana.run/v2' }, 'another version of this program'],
    [{ ...DOCUMENT, program: 'x'.repeat(460_000) }, 'is larger than 459 kB'],
  ] as const) {
    await page.locator('input[type=file]').setInputFiles(chosen('x.bwana-run', value));
    await expect(dialog.getByRole('alert')).toContainText(words);
    await expect(dialog.getByRole('button', { name: 'Import' })).toHaveAttribute('aria-disabled', 'true');
    await page.keyboard.press('Escape');
    await expect(dialog).toHaveCount(0);
  }
  expect(engine.calls.some(({ name }) => name === 'run.import_text')).toBe(false);
  engine.refusals['run.import_text'] = { code: 'usage.invalid', message: 'time goes back at entry 9' };
  // Dropped onto the list instead of chosen.
  const data = await page.evaluateHandle((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], 'dropped.bwana-run'));
    return transfer;
  }, JSON.stringify(DOCUMENT));
  await page.locator('.page').dispatchEvent('drop', { dataTransfer: data });
  await dialog.getByRole('button', { name: 'Import', exact: true }).click();
  await expect(dialog).toContainText('usage.invalid');
  await expect(dialog).toContainText('The run was not imported');
});

test('where nobody may change this machine, no run is taken in', async ({ page }) => {
  await fakeEngine(page, { 'run.list': { runs: [], total: 0 }, 'workflows.lines': { workflows: [] } });
  await page.addInitScript(() => sessionStorage.setItem('bwana.caller', 'local_browser'));
  await page.goto('/runs');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Import a run' })).toHaveCount(0);
});
