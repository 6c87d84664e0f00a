import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { engineOf, RUN, shown, story } from './run-fixture';

const NOW = '2026-11-20T11:02:14Z';
const READING =
  /^(run\.(at|window|entry|show)|agents\.list|home\.health|changes\..*|settings\.show|usage\.today|tasks\.list|drafts\.get)$/;
const told = story();
/** The first step is over with this entry. */
const DONE = told.records.find(({ kind }) => kind === 'step_finished')!.seq;

/** The state after an entry, as far as the fixture needs it. */
function at({ seq }: { seq: number }) {
  const run = shown();
  const done = seq >= DONE;
  const started = seq > 1;
  const [first, ...rest] = run.steps as { status: string; path: string }[];
  return {
    seq,
    at: NOW,
    head: told.records.length,
    run: {
      ...run,
      head_seq: seq,
      steps_done: done ? 1 : 0,
      model_calls: Math.floor(seq / 4),
      tool_calls: 0,
      turns: 0,
      cost_known: done ? 0.012 : 0,
      steps: [
        { ...first, status: done ? 'done' : started ? 'running' : 'pending' },
        ...rest.map((step) => ({ ...step, status: 'pending' })),
      ],
    },
    results: done ? [{ step: first!.path, text: 'Kilifi and Lamu', cut: true }] : [],
    messages: told.records
      .filter((record) => record.seq <= seq && record.kind === 'message_posted')
      .map((record) => ({
        seq: record.seq,
        who: 'business_intelligence',
        text: `Words of ${record.seq} <img src=x onerror="top.__pwned=1">`,
        cut: false,
      })),
  };
}

async function open(page: Page, path: string, language = 'en') {
  await page.clock.install({ time: new Date(NOW) });
  await page.clock.resume();
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, {
    ...engineOf(told.records, () => shown({ head_seq: told.records.length })),
    'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    'run.at': at,
  });
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
  return { engine, watched };
}
const pane = (page: Page) => page.getByRole('complementary', { name: 'Inspector' });
const stateTab = (page: Page) => pane(page).getByRole('tab', { name: 'State' });
const figure = (page: Page, name: string) => pane(page).locator('dl > div', { hasText: name });

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 900],
] as const) {
  test(`the state in ${name} breaks no rule and has no sideways scroll`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const { watched } = await open(page, `/run/${RUN}?lens=events&at=${DONE}`, language);
    if (width < 1000) await page.keyboard.press('Control+i');
    await page.locator('#run-inspector-tab-state').click();
    await expect(page.locator('.state .changed').first()).toBeVisible();
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: info.outputPath(`state-${name}.png`) });
    await expectAccessible(page);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
    expect(watched.errors).toEqual([]);
  });
}

test('before and after an entry or a whole step stand with what changed, and only reading was done', async ({
  page,
}) => {
  const { engine, watched } = await open(page, `/run/${RUN}?lens=events&at=${DONE}`);
  await stateTab(page).click();
  await expect(pane(page)).toContainText(`From event ${DONE - 1} to event ${DONE}.`);
  await expect(figure(page, 'Steps done')).toHaveText(/0\s*then\s*1/);
  await expect(figure(page, 'Cost')).toHaveText(/\$0\.00\s*then\s*\$0\.012/);
  const first = pane(page).getByRole('listitem').first();
  await expect(first).toContainText('Kilifi and Lamu…');
  await expect(first).toContainText(/Running\s*then\s*Done/);
  await pane(page).getByRole('radio', { name: 'Whole step' }).check();
  const started = told.records.find(({ kind }) => kind === 'step_started')!.seq;
  await expect(pane(page)).toContainText(`From event ${started - 1} to event ${DONE}.`);
  await expect(first).toContainText(/Not started\s*then\s*Done/);
  await expect(
    pane(page)
      .getByText(/· new$/)
      .first(),
  ).toBeVisible();
  await expect(pane(page)).toContainText('no model was asked and no tool was used');
  await page.keyboard.press('Alt+2');
  await expect(pane(page)).toContainText(`From event ${started - 1} to event ${DONE}.`);
  expect(engine.calls.map(({ name }) => name).filter((name) => !READING.test(name))).toEqual([]);
  expect(await page.evaluate(() => '__pwned' in window)).toBe(false);
  expect(watched.errors).toEqual([]);
});

test('the state follows the playhead once it rests; what nothing changed says so', async ({ page }) => {
  const { engine, watched } = await open(page, `/run/${RUN}?lens=timeline&at=${DONE}`);
  await stateTab(page).click();
  await expect(pane(page)).toContainText(`to event ${DONE}.`);
  const asked = () => engine.calls.filter(({ name }) => name === 'run.at').map(({ params }) => params['seq']);
  const before = asked().length;
  const slider = page.getByRole('slider', { name: 'Playhead' });
  await slider.focus();
  await slider.evaluate((node) => {
    for (const key of ['Home', 'ArrowRight', 'ArrowRight', 'ArrowRight', 'Home'])
      node.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  });
  await expect(pane(page)).toContainText('At event 1, the beginning.');
  expect(asked().slice(before)).toEqual([1]);
  await page.keyboard.press('j');
  await expect(pane(page)).toContainText('From event 1 to event 2.');
  engine.refusals['run.at'] = { code: 'store.busy', message: 'later' };
  await page.keyboard.press('End');
  await expect(pane(page)).toContainText('The state could not be read');
  delete engine.refusals['run.at'];
  await pane(page).getByRole('button', { name: 'Try again' }).click();
  await expect(pane(page)).toContainText(`to event ${told.records.length}.`);
  await page.keyboard.press('Alt+1');
  await expect(page.getByRole('tab', { name: 'State' })).toHaveCount(0);
  expect(watched.errors).toEqual([]);
});
