import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { engineOf, RUN, shown, story } from './run-fixture';
import { CONTACT, ANSWER } from './waiting-fixture';

const NOW = '2026-11-20T11:02:14Z';
const AGENTS = [
  { id: 'business_intelligence', name: 'Business Intelligence' },
  { id: 'sales_marketing', name: 'Sales & Marketing' },
  { id: 'operations', name: 'Operations' },
  { id: 'moussa', name: 'Moussa Ɗanladi' },
];
const WORKFLOWS = [
  { id: 'market_expansion', name: 'African Market Expansion' },
  { id: 'business_setup', name: 'Complete Business Setup' },
  { id: 'price_letter', name: 'Price letter' },
];
const TITLES = [
  'Find who buys cold boxes in Mombasa',
  'Write the price letter for the coast',
  'Compare ice plants in Kilifi',
  'Ng’ombe: list the dairies of Nakuru',
  'Rédiger la réponse au distributeur',
  'ابحث عن موزعين في القاهرة',
  'Forecast sales of solar cold boxes',
  'Weekly review of the Nairobi team',
];
const RUNS = TITLES.map((title, index) => ({
  id: `run_${index}`,
  title,
  workflow: index % 2 === 0 ? 'market_expansion' : 'price_letter',
  status: ['done', 'running', 'waiting', 'failed'][index % 4],
  step: 'research',
  steps_done: 1,
  steps_total: 5,
  head_seq: 12,
  cost: 0.12,
  cost_known: 0.12,
  started_at: new Date(Date.parse(NOW) - (index + 1) * 5_000_000).toISOString(),
  updated_at: NOW,
  stop_reason: null,
  usage: { input_tokens: 1, output_tokens: 1 },
}));

function runList({ text, limit }: { text?: string; limit?: number }) {
  const small = (one: string) => one.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const runs = RUNS.filter(({ title }) => !text || small(title).includes(small(text)));
  return { runs: runs.slice(0, limit || undefined), total: runs.length };
}

const lists = {
  'agents.list': { items: AGENTS },
  'workflows.list': { items: WORKFLOWS },
  'workflows.lines': { workflows: WORKFLOWS },
  'run.list': runList,
  'drafts.get': { place: 'home', text: '' },
  'drafts.set': {},
  'home.show': { live: [], suggested: [] },
  'agents.panels': { agents: [] },
  'tasks.list': { tasks: [CONTACT, ANSWER] },
};

async function open(page: Page, path: string, over: Record<string, unknown> = {}) {
  await page.clock.install({ time: new Date(NOW) });
  await page.clock.resume();
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, {
    ...engineOf(story().records, () => shown()),
    'settings.show': settings({ language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' }),
    ...lists,
    ...over,
  });
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
  return { engine, watched };
}

const box = (page: Page) => page.getByRole('combobox', { name: 'Search and commands' });
const option = (page: Page, name: string | RegExp) => page.getByRole('option', { name });
const current = (page: Page) => page.locator('[role=option][aria-selected=true]');

async function openPalette(page: Page) {
  await page.keyboard.press('Control+k');
  await expect(box(page)).toBeFocused();
}

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 900],
  ['phone', 'light', 'en', 480],
] as const) {
  test(`the palette in ${name} breaks no rule and has no sideways scroll`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const { watched } = await open(page, `/run/${RUN}`, {
      'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    });
    await page.keyboard.press('Control+k');
    const field = page.getByRole('combobox').and(page.locator('#palette-field'));
    await expect(field).toBeFocused();
    await expect(page.getByRole('option').filter({ hasText: TITLES[0] ?? '' })).toBeVisible();
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: info.outputPath(`palette-${name}.png`) });
    await expectAccessible(page);
    await field.fill(language === 'ar' ? 'مبيع' : 'fo');
    await expect(page.locator('[role=option] mark').first()).toBeVisible();
    await page.screenshot({ path: info.outputPath(`palette-typed-${name}.png`) });
    await expectAccessible(page);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await page.keyboard.press('?');
    await expect(page.getByRole('dialog')).toBeVisible();
    await page.screenshot({ path: info.outputPath(`keys-${name}.png`) });
    await expectAccessible(page);
    expect(watched.errors).toEqual([]);
  });
}

test('acts that apply here stand with their keys; Enter does one as its key would', async ({ page }) => {
  await open(page, `/run/${RUN}`);
  await openPalette(page);
  const acts = page.getByRole('group', { name: 'Commands' });
  await expect(acts.getByRole('option', { name: 'Fork, F', exact: true })).toBeVisible();
  await expect(acts.getByRole('option', { name: 'Next question', exact: false })).toHaveCount(0);
  await box(page).fill('events');
  await expect(current(page)).toHaveAttribute('aria-label', 'Events, Alt 4');
  await page.keyboard.press('Enter');
  await expect(box(page)).toBeHidden();
  await expect(page).toHaveURL(/lens=events/);
  await openPalette(page);
  await expect(page.getByRole('group', { name: 'Chosen lately' }).getByRole('option')).toHaveText([/Events/]);
});

test('the arrows move through all groups, and the box keeps the focus', async ({ page }) => {
  await open(page, '/agents');
  await openPalette(page);
  const active = () =>
    box(page).evaluate((node) => {
      const id = node.getAttribute('aria-activedescendant') ?? '';
      return document.getElementById(id)?.getAttribute('aria-selected');
    });
  await expect(option(page, new RegExp(TITLES[0] ?? ''))).toBeAttached();
  const all = await page
    .getByRole('option')
    .evaluateAll((nodes) => nodes.map((node) => node.ariaLabel ?? ''));
  const at = async (index: number) => {
    await expect(current(page)).toHaveAttribute('aria-label', all.at(index) ?? '');
    await expect(current(page)).toBeInViewport();
    expect(await active()).toBe('true');
    await expect(box(page)).toBeFocused();
  };
  await at(0);
  await page.keyboard.press('ArrowDown');
  await at(1);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  await at(-1);
  await page.keyboard.press('ArrowDown');
  await at(0);
  await page.keyboard.press('PageDown');
  await at(8);
  await page.keyboard.press('End');
  await at(-1);
  await page.keyboard.press('PageUp');
  await at(-9);
  await page.keyboard.press('Home');
  await at(0);
  // The window's own keys rest under the palette.
  await page.keyboard.press('Control+,');
  await expect(page).toHaveURL(/\/agents$/);
  await page.keyboard.press('Tab');
  await expect(box(page)).toBeFocused();
});

test('Escape and its own key close it, and the focus goes back to where it was', async ({ page }) => {
  await open(page, '/runs');
  const row = page.getByRole('list', { name: 'Runs' }).getByRole('link').nth(2);
  await row.focus();
  for (const close of ['Escape', 'Control+k']) {
    await openPalette(page);
    await box(page).fill('x');
    await page.keyboard.press(close);
    await expect(box(page)).toBeHidden();
    await expect(row).toBeFocused();
  }
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await expect(box(page)).toBeFocused();
  await expect(box(page)).toHaveValue('');
});

test('places, sections of the settings, agents and questions are found by their names', async ({ page }) => {
  await open(page, '/runs');
  for (const [typed, name, address] of [
    ['waiting', 'Waiting for you, G W', /\/waiting$/],
    ['lang', 'Language and region, Settings', /\/settings\/language$/],
    ['danladi', 'Moussa Ɗanladi', /\/agents\/moussa$/],
    ['webhook', /webhook\.send/, new RegExp(`/waiting\\?task=${CONTACT.id}`)],
    ['runs of price', 'Runs of Price letter', /\/runs\?filter=workflow%3Aprice_letter/],
    ['dairies', /list the dairies/, /\/run\/run_3$/],
  ] as const) {
    await openPalette(page);
    await box(page).fill(typed);
    await expect(option(page, name)).toBeVisible();
    await option(page, name).click();
    await expect(page).toHaveURL(address);
  }
});

test('a workflow is named before the wish in the composer, and nothing is started', async ({ page }) => {
  let text = 'Find hotels';
  const { engine } = await open(page, '/agents', {
    'drafts.get': () => ({ place: 'home', text }),
    'drafts.set': (draft: { text: string }) => {
      ({ text } = draft);
      return {};
    },
  });
  await openPalette(page);
  await box(page).fill('run african');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/home$/);
  await expect(page.locator('#composer')).toHaveValue('/market_expansion Find hotels');
  expect(engine.calls.some(({ name }) => name.startsWith('run.start'))).toBe(false);
});

test('runs are looked for by the engine: after the last key, one at a time, the last one wins', async ({
  page,
}) => {
  const { engine } = await open(page, '/agents');
  await openPalette(page);
  await expect(option(page, new RegExp(TITLES[0] ?? ''))).toBeAttached();
  const asked = () =>
    engine.calls.flatMap(({ name, params }) =>
      name === 'run.list' && params['text'] !== undefined ? [params['text']] : [],
    );
  // Faster than any hand, so that no pause falls between two keys.
  await box(page).evaluate((node: HTMLInputElement) => {
    for (const text of ['n', 'na', 'nai', 'nairo', 'nairobi']) {
      node.value = text;
      node.dispatchEvent(new InputEvent('input', { bubbles: true }));
    }
  });
  await expect.poll(asked).toEqual(['nairobi']);
  await expect(option(page, /Weekly review of the Nairobi team/)).toBeVisible();
  await expect(option(page, /Weekly review/).locator('mark')).toHaveText('Nairobi');
  await box(page).fill('zzzz');
  await expect(page.getByRole('paragraph').filter({ hasText: 'Nothing is found for “zzzz”.' })).toBeVisible();
  await expect(page.getByRole('option')).toHaveCount(0);
  await expect(box(page)).not.toHaveAttribute('aria-activedescendant');
  await expectAccessible(page);
});

/** A hit as the engine tells it: what stands between asterisks is what was looked for. */
function hit(snippet: string, over: object = {}) {
  return {
    run: 'run_6',
    title: 'Forecast sales of solar cold boxes',
    workflow: 'market_expansion',
    seq: 7,
    at: '2026-11-18T09:00:00Z',
    who: 'sales_marketing',
    snippet: snippet.split('*').map((text, index) => ({ text, hit: index % 2 === 1 })),
    ...over,
  };
}
const FOUND = {
  ready: true,
  runs: [
    hit('Compare *ice* plants in Kilifi', { run: 'run_2', title: 'Compare ice plants in Kilifi', seq: 1 }),
    hit('Find who sells *ice* in Lamu', { run: 'run_40', title: 'Coast', seq: 1, who: 'person' }),
  ],
  messages: [
    hit(`${'far away '.repeat(20)}the *ice* plant\nat the harbour`, { run: RUN, title: 'Cold', seq: 9 }),
    hit('يباع *ice* في القاهرة صباحًا', { who: 'person' }),
  ],
  files: [hit('Kilifi;*ice*;12 KES', { file: 'reports/prices.csv', who: null, seq: 11 })],
};

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['phone', 'light', 'en', 480],
] as const) {
  test(`what is found in texts stands with its words marked, in ${name}`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const { watched } = await open(page, '/agents', {
      'search.find': { ...FOUND, ready: false },
      'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    });
    await page.keyboard.press('Control+k');
    await page.locator('#palette-field').fill('ice');
    await expect(page.locator('[role=option] .hit')).toHaveCount(4);
    await expect(page.locator('.hit mark').first()).toHaveText('ice');
    await expect(page.locator('.hit mark').nth(1)).toBeInViewport();
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: info.outputPath(`palette-found-${name}.png`) });
    await expectAccessible(page);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
    expect(watched.errors).toEqual([]);
  });
}

test('words of any run are found, below the names, and a hit opens the run at its entry', async ({
  page,
}) => {
  const { engine, watched } = await open(page, '/agents', { 'search.find': FOUND });
  await openPalette(page);
  await box(page).fill('ice');
  await expect(page.locator('[role=option] .hit')).toHaveCount(4);
  const heads = await page.getByRole('listbox').locator('h3').allTextContents();
  expect(heads.slice(-2)).toEqual(['Messages', 'Files']);
  // A run that is there by its title is not told twice.
  await expect(option(page, /Compare ice plants/)).toHaveCount(1);
  await expect(page.getByRole('status').filter({ hasText: /^\d+ results$/ })).toBeAttached();
  const message = page.getByRole('group', { name: 'Messages' }).getByRole('option').first();
  await expect(message).toHaveAccessibleName(
    /^….* away the ice plant at the harbour, Sales & Marketing Agent · Cold · /,
  );
  await expect(message.locator('mark')).toHaveText('ice');
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  await expect(current(page)).toHaveAccessibleName(/ice plant at the harbour/);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/run/${RUN}\\?at=9$`));
  await expect(page.getByText('Event 9', { exact: true })).toBeVisible();
  // From inside of the same run it goes to the other entry.
  await openPalette(page);
  await box(page).fill('Ice');
  engine.answers['search.find'] = { ...FOUND, messages: [hit('*ice* again', { run: RUN, seq: 4 })] };
  await box(page).fill('ice');
  await option(page, /^ice again/).click();
  await expect(page).toHaveURL(/at=4$/);
  await expect(page.getByText('Event 4', { exact: true })).toBeVisible();
  await openPalette(page);
  await box(page).fill('ice');
  await option(page, /prices\.csv/).click();
  await expect(page).toHaveURL(/run_6\?lens=files&at=11&file=reports%2Fprices\.csv$/);
  expect(watched.errors).toEqual([]);
});

test('while the index is being built it says so, and asks again by itself', async ({ page }) => {
  let ready = false;
  const { engine } = await open(page, '/agents', {
    'search.find': () => (ready ? FOUND : { runs: [], messages: [], files: [], ready }),
  });
  await openPalette(page);
  await box(page).fill('kilifi harbour');
  await expect(page.getByText('Texts are still being indexed').first()).toBeVisible();
  await expect(page.getByRole('paragraph').filter({ hasText: 'Nothing is found for' })).toBeVisible();
  ready = true;
  await expect(page.locator('[role=option] .hit')).toHaveCount(4);
  await expect(page.getByText('Texts are still being indexed').and(page.locator(':visible'))).toHaveCount(0);
  const asked = engine.calls.filter(({ name }) => name === 'search.find');
  expect(asked.length).toBeGreaterThan(1);
  expect(asked.every(({ params }) => params['text'] === 'kilifi harbour')).toBe(true);
});

test('what is found stays text, whatever it holds', async ({ page }) => {
  const evil =
    '<img src=x onerror="window.__pwned=1">*<script>window.__pwned=1</script>*\u202e[x](javascript:1)';
  const { watched } = await open(page, '/agents', {
    'search.find': {
      ready: true,
      runs: [],
      messages: [hit(evil, { title: evil, who: evil })],
      files: [hit('', { file: evil, title: '' })],
    },
  });
  await openPalette(page);
  await box(page).fill('ice');
  await expect(page.locator('.hit mark')).toHaveText('<script>window.__pwned=1</script>');
  expect(await page.evaluate(() => '__pwned' in window)).toBe(false);
  expect(await page.locator('.palette img, .palette script').count()).toBe(0);
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('what cannot be read is said, and the rest is there', async ({ page }) => {
  const { engine } = await open(page, '/agents');
  engine.refusals['run.list'] = { code: 'disk.full', message: 'no room' };
  await openPalette(page);
  await box(page).fill('sales');
  await expect(page.getByRole('alert')).toContainText('disk.full');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/agents\/sales_marketing$/);
});

test('where nobody may answer, acts on questions and the section of secrets are not offered', async ({
  page,
}) => {
  const engine = await fakeEngine(page, lists);
  await page.addInitScript(() => sessionStorage.setItem('bwana.caller', 'local_browser'));
  await page.goto('/agents');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await openPalette(page);
  await box(page).fill('privacy');
  await expect(
    page.getByRole('paragraph').filter({ hasText: 'Nothing is found for “privacy”.' }),
  ).toBeVisible();
  await box(page).fill('allow once');
  await expect(option(page, /Allow once/)).toHaveCount(0);
  expect(engine.calls.some(({ name }) => name.startsWith('tasks.decide'))).toBe(false);
});

test('once loaded, it stands within a frame of its key', async ({ page }) => {
  await open(page, `/run/${RUN}`);
  await openPalette(page);
  await page.keyboard.press('Escape');
  await expect(box(page)).toBeHidden();
  await page.evaluate(() => {
    const times: number[] = [];
    Object.assign(window, { times });
    addEventListener(
      'keydown',
      (event) => {
        if (event.key !== 'k') return;
        const began = performance.now();
        // Frames until the box stands with the focus; the first one comes right after the key's own work.
        let frames = 0;
        const look = () => {
          frames += 1;
          if (document.activeElement?.id === 'palette-field') times.push(frames, performance.now() - began);
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      },
      true,
    );
  });
  for (let round = 0; round < 5; round += 1) {
    await openPalette(page);
    await page.keyboard.press('Escape');
    await expect(box(page)).toBeHidden();
  }
  const times = await page.evaluate(() => (window as unknown as { times: number[] }).times);
  const frames = times.filter((_, index) => index % 2 === 0);
  const spent = times.filter((_, index) => index % 2 === 1);
  console.log(`palette: ${frames.join(' ')} frames, ${spent.map((ms) => ms.toFixed(1)).join(' ')} ms`);
  expect(frames).toHaveLength(5);
  expect(Math.max(...frames)).toBe(1);
});

test('the sheet lists every key once, by area, and can be printed', async ({ page }, info) => {
  const { watched } = await open(page, '/runs');
  await page.keyboard.press('?');
  const sheet = page.getByRole('dialog', { name: 'Shortcuts' });
  await expect(sheet).toBeVisible();
  const headings = await sheet.getByRole('heading', { level: 3 }).allTextContents();
  expect(headings).toEqual([
    'Go to',
    'Everywhere',
    'In the list of runs',
    'In a run',
    'In the editor of workflows',
    'In what waits for you',
    'On a question',
    'In the handbook',
  ]);
  const names = await sheet.locator('dt').allTextContents();
  expect(new Set(names).size).toBe(names.length);
  const ways = await sheet
    .locator('section')
    .evaluateAll((sections) =>
      sections.flatMap((section) =>
        [...section.querySelectorAll('.way')].map(
          (way) => `${section.querySelector('h3')?.textContent}: ${way.textContent}`,
        ),
      ),
    );
  expect(new Set(ways).size).toBe(ways.length);
  await expect(sheet.locator('dl > div').filter({ hasText: 'Deny' })).toContainText('D');
  await page.evaluate(() => Object.assign(window, { print: () => Object.assign(window, { printed: true }) }));
  await sheet.getByRole('button', { name: 'Print' }).click();
  expect(await page.evaluate(() => (window as unknown as { printed?: boolean }).printed)).toBe(true);
  await page.emulateMedia({ media: 'print' });
  await expect(sheet.getByRole('button', { name: 'Print' })).toBeHidden();
  await expect(page.locator('#app')).toBeHidden();
  await expect(sheet.getByText('Deny')).toBeVisible();
  await page.screenshot({ path: info.outputPath('keys-print.png') });
  await page.emulateMedia({ media: null });
  await sheet.getByRole('button', { name: 'Change keys' }).click();
  await expect(page).toHaveURL(/settings\/shortcuts$/);
  expect(watched.errors).toEqual([]);
});

test('a key is given by pressing it, clashes are said, and all that shows keys follows', async ({
  page,
}, info) => {
  const { watched } = await open(page, '/settings/shortcuts');
  const change = (act: string) => page.getByRole('button', { name: `Change the key of ${act}`, exact: true });
  const waiting = page.getByRole('button', { name: 'Press the new key' });
  await change('Fork').click();
  await expect(waiting).toBeFocused();
  await page.keyboard.press('j');
  await expect(page.getByRole('alert')).toHaveText('J already means “Next event”.');
  await page.keyboard.press('Control+c');
  await expect(page.getByRole('alert')).toHaveText('Ctrl+C keeps its own meaning.');
  await page.screenshot({ path: info.outputPath('keys-change.png') });
  await expectAccessible(page);
  await page.keyboard.press('x');
  await expect(change('Fork')).toBeFocused();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await change('Search and commands').click();
  await page.keyboard.press('Control+j');
  await expect(page.getByRole('button', { name: 'Search', exact: true })).toContainText('J');
  await page.reload();
  await expect(change('Fork')).toBeVisible();
  await page.keyboard.press('Control+k');
  await expect(box(page)).toBeHidden();
  await page.keyboard.press('Control+j');
  await expect(box(page)).toBeFocused();
  await box(page).fill('shortcuts');
  await page.keyboard.press('Escape');
  await page.goto(`/run/${RUN}`);
  await expect(page.getByRole('tab', { name: /Chat/ })).toBeVisible();
  await page.keyboard.press('x');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog').locator('dl > div').filter({ hasText: 'Fork' })).toContainText('X');
  await page.getByRole('button', { name: 'Change keys' }).click();
  await page.getByRole('button', { name: 'Reset the key of Fork' }).click();
  await expect(change('Fork')).toBeFocused();
  await page.getByRole('button', { name: 'Reset all keys' }).click();
  await expect(page.getByRole('button', { name: 'Reset all keys' })).toHaveCount(0);
  await page.keyboard.press('Control+k');
  await expect(box(page)).toBeFocused();
  expect(watched.errors).toEqual([]);
});

for (const [language, found] of [
  [
    'en',
    {
      backup: 'Your data',
      restore: 'Your data',
      profile: 'Profiles',
      currency: 'Currency',
      dark: 'Appearance',
      theme: 'Theme',
    },
  ],
  ['fr', { sauvegarde: 'Vos données' }],
  ['sw', { chelezo: 'Data yako' }],
  ['pt', { restaurar: 'Os seus dados' }],
  ['ar', { استعادة: 'بياناتك' }],
] as const)
  test(`settings are found by the words of a person in ${language}`, async ({ page }) => {
    await open(page, '/runs', {
      'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
      'workflows.list': { items: [...WORKFLOWS, { id: 'tender', name: 'Tender Checklist: Required forms' }] },
      'agents.list': { items: [...AGENTS, { id: 'tech', name: 'Technical Implementation Agent' }] },
    });
    await page.keyboard.press('Control+k');
    const field = page.locator('[role="dialog"] input');
    for (const [wish, name] of Object.entries(found)) {
      await field.fill(wish);
      await expect(page.getByRole('option').first()).toContainText(name);
      await expect(page.getByRole('option', { name: /Tender|Technical Implementation/ })).toHaveCount(0);
    }
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/\/settings\//);
  });

test('keys of the browser are refused, and each of two ways is changed by its own name', async ({ page }) => {
  await open(page, '/settings/shortcuts');
  const names = await page
    .getByRole('button', { name: /^Change the key of/ })
    .evaluateAll((all) => all.map((one) => one.getAttribute('aria-label')));
  expect(new Set(names).size).toBe(names.length);
  await page.getByRole('button', { name: 'Change the key of Fork', exact: true }).click();
  await page.getByRole('button', { name: 'Press the new key' }).evaluate((node) =>
    node.dispatchEvent(
      new KeyboardEvent('keydown', {
        key: 'w',
        code: 'KeyW',
        ctrlKey: true,
        bubbles: true,
        cancelable: true,
      }),
    ),
  );
  await expect(page.getByRole('alert')).toContainText('Ctrl+W belongs to the browser');
});
