import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { engineOf, RUN, shown, story } from './run-fixture';

const NOW = '2026-11-20T11:02:14Z';
const LANGUAGE = {
  language: 'en',
  region: 'KE',
  time_zone: 'Africa/Nairobi',
  currency: 'KES',
  currency_rate: '129',
  currency_rate_date: '2026-11-20',
};
const TODAY = {
  day: '2026-11-20',
  time_zone: 'Africa/Nairobi',
  runs: 6,
  runs_done: 5,
  live: 1,
  waiting: 0,
  spent: 0.42,
  reserved: 0,
  limit: 1,
  bytes_in: 1_200_000,
  bytes_out: 80_000,
  unpriced_calls: 0,
  troubled_providers: [],
};

function line(id: string, over: object = {}) {
  return {
    id,
    title: 'Complete Business Setup',
    workflow: 'setup',
    status: 'running',
    step: 'Invoice page',
    steps_done: 2,
    steps_total: 5,
    head_seq: 12,
    cost: 0.12,
    cost_known: 0.12,
    started_at: '2026-11-20T10:58:00Z',
    updated_at: '2026-11-20T11:01:00Z',
    stop_reason: null,
    usage: { input_tokens: 1, output_tokens: 1 },
    ...over,
  };
}
const LIVE = [
  line('r3'),
  line('r2', { title: 'Weekly competitor scan', status: 'waiting', started_at: '2026-11-20T10:50:00Z' }),
  line('r1', {
    title: 'Price list, Eldoret dairies',
    status: 'paused',
    stop_reason: { code: 'paused' },
    cost: null,
    started_at: '2026-11-20T10:40:00Z',
  }),
];

function panel(id: string, name: string, over: object = {}) {
  return { id, name, model: 'gemini/flash', starter_model: false, status: 'idle', now: null, ...over };
}
const PANELS = [
  panel('business_intelligence', 'Business Intelligence'),
  panel('technical_implementation', 'Technical Implementation', {
    status: 'working',
    now: { run: 'r3', path: 'p', step: 'Invoice page', doing: 'using', tool: 'web.fetch', since: NOW },
  }),
  panel('sales_marketing', 'Sales & Marketing'),
];

function workflow(id: string, name: string, description: string) {
  return {
    id,
    name,
    description,
    builtin: true,
    agents: ['business_intelligence', 'sales_marketing'],
    steps: ['Look', 'Price', 'Write'],
    last_run: null,
    ended: 5,
    ended_well: 4,
    median_cost: null,
    median_elapsed_ms: null,
  };
}
const WORKFLOWS = [
  workflow(
    'market',
    'African Market Expansion',
    'Finds out who buys, at which price, and how to reach them.',
  ),
  workflow('setup', 'Complete Business Setup', 'Sets up what a small shop needs: prices, invoices, a page.'),
  workflow('scan', 'Weekly competitor scan', 'Reads what others offer and says what has changed.'),
];

const WISH =
  'Find three distributors in Mombasa for the 120-litre solar cold box, and draft a first e-mail to each';
const PLAN = {
  target: { kind: 'workflow', id: 'market', name: 'African Market Expansion' },
  why: 'match',
  words: ['distribut', 'mombasa'],
  text: WISH,
  steps: ['Look', 'Price', 'Check', 'Write', 'Send'].map((name) => ({ id: name, name, agents: [] })),
  agents: [
    { id: 'business_intelligence', name: 'Business Intelligence', model: 'gemini/flash' },
    { id: 'sales_marketing', name: 'Sales & Marketing', model: 'gemini/flash' },
  ],
  asks: [{ tool: 'email.send', risk: 'contact' }],
  starter_model: false,
  estimate: {
    basis: 'median',
    runs: 4,
    usd: 0.05,
    usd_low: 0.03,
    usd_high: 0.08,
    bytes: 45_000,
    elapsed_ms: 180_000,
  },
  problems: [],
};

/** An engine that keeps drafts as the real one does, also over a reload. */
function answers(over: Record<string, unknown> = {}) {
  let draft = '';
  return {
    ...engineOf(story().records, () => shown()),
    'settings.show': settings(LANGUAGE),
    'usage.today': TODAY,
    'home.show': { live: LIVE, suggested: WORKFLOWS, today: TODAY },
    'agents.panels': { agents: PANELS },
    'workflows.lines': { workflows: WORKFLOWS },
    'drafts.get': () => ({ place: 'home', text: draft }),
    'drafts.set': (params: { place: string; text: string }) => {
      if (params.place === 'home') draft = params.text;
      return { place: params.place };
    },
    'plan.preview': PLAN,
    ...over,
  };
}

async function openHome(page: Page, over: Record<string, unknown> = {}) {
  await page.clock.install({ time: new Date(NOW) });
  await page.clock.resume();
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, answers(over));
  await page.goto('/');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.locator('#composer')).toBeFocused();
  return { engine, watched };
}
const box = (page: Page) => page.getByRole('textbox', { name: 'What should the team do?' });

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'dark', 'ar', 1280],
  ['swahili', 'light', 'sw', 1280],
  ['narrow', 'light', 'en', 900],
  ['phone', 'light', 'en', 480],
] as const) {
  test(`home in ${name} breaks no rule and has no sideways scroll`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const { watched } = await openHome(page, { 'settings.show': settings({ ...LANGUAGE, language }) });
    await page.keyboard.insertText(WISH);
    await expect(page.getByText('Business Intelligence').first()).toBeVisible();
    await expect(page.getByText('email.send')).toBeVisible();
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: info.outputPath(`home-${name}.png`) });
    await expectAccessible(page);
    await page.locator('[data-scroll=home]').evaluate((pane) => (pane.scrollTop = pane.scrollHeight));
    await page.screenshot({ path: info.outputPath(`home-${name}-end.png`) });
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
    expect(watched.errors).toEqual([]);
  });
}

test('the plan says who, why, what asks and what it may cost, before anything starts', async ({ page }) => {
  const { engine, watched } = await openHome(page);
  await page.keyboard.insertText(WISH);
  const plan = page.getByRole('region', { name: 'What should the team do?' });
  await expect(plan.getByText('African Market Expansion')).toBeVisible();
  await expect(plan.getByText('5 steps')).toBeVisible();
  await expect(plan.getByText('because of distributors and Mombasa')).toBeVisible();
  await expect(plan.getByText('contacting people')).toBeVisible();
  await expect(plan.getByText('KSh 3.9–10')).toBeVisible();
  await expect(plan.getByText('$0.03–0.08')).toBeVisible();
  await expect(plan.getByText('about 3 min')).toBeVisible();
  await expect(plan.getByText('from 4 runs before')).toBeVisible();
  expect(engine.calls.filter(({ name }) => name === 'run.start_plan')).toEqual([]);
  expect(watched.errors).toEqual([]);
});

test('Alt and Enter begin a dry run, also where no model of a provider can work', async ({ page }) => {
  const problems = [{ code: 'plan.no_model', params: {} }];
  const { engine } = await openHome(page, {
    'plan.preview': { ...PLAN, problems },
    'run.start_plan': { run: RUN, head_seq: 0, notes: [], agents: [], steps: [] },
  });
  await page.locator('#composer').fill(WISH);
  await page.keyboard.press('Alt+Enter');
  await expect(page).toHaveURL(new RegExp(`/run/${RUN}$`));
  const started = engine.calls.filter(({ name }) => name === 'run.start_plan');
  expect(started).toMatchObject([{ params: { text: WISH, dry_run: true } }]);
});

test('a price nobody knows is said in words, and a starter model is not praised', async ({ page }) => {
  await openHome(page, {
    'plan.preview': {
      ...PLAN,
      starter_model: true,
      estimate: { basis: 'unknown', missing: ['office/llama'] },
    },
  });
  await page.keyboard.insertText(WISH);
  await expect(
    page.getByText('Nobody can say what it costs: no price is known for office/llama'),
  ).toBeVisible();
  await expect(page.getByText('Starter model: shows how it works, its answers are poor')).toBeVisible();
});

test('prices and limits give an upper bound; a model that costs nothing says so', async ({ page }) => {
  const { engine } = await openHome(page, {
    'plan.preview': { ...PLAN, estimate: { basis: 'prices', usd_high: 0.5, bytes: 90_000 } },
  });
  await page.keyboard.insertText(WISH);
  await expect(page.getByText('at most KSh 65')).toBeVisible();
  engine.answers['plan.preview'] = { ...PLAN, estimate: { basis: 'prices', usd_high: 0, bytes: 0 } };
  await page.keyboard.insertText('!');
  await expect(page.getByText('Costs nothing')).toBeVisible();
});

test('a draft is kept while it is written and is there after a reload', async ({ page }) => {
  const { engine } = await openHome(page);
  await page.keyboard.insertText('Half a wish');
  await expect
    .poll(
      () =>
        engine.calls.filter(({ name, params }) => name === 'drafts.set' && params['text'] === 'Half a wish')
          .length,
    )
    .toBe(1);
  await page.reload();
  await expect(box(page)).toHaveValue('Half a wish');
});

test('the same key is sent again until the run has begun, over a reload too; then a new one', async ({
  page,
}) => {
  const { engine } = await openHome(page);
  const keys = () =>
    engine.calls.filter(({ name }) => name === 'run.start_plan').map(({ params }) => params['key']);
  await page.keyboard.insertText(WISH);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('The run did not start');
  await expect(box(page)).toHaveValue(WISH);
  await page.keyboard.press('Enter');
  await expect.poll(() => keys().length).toBe(2);
  await expect
    .poll(() => engine.calls.some(({ name, params }) => name === 'drafts.set' && params['text'] === WISH))
    .toBe(true);
  await page.reload();
  await expect(box(page)).toHaveValue(WISH);
  engine.answers['run.start_plan'] = { run: RUN, head_seq: 0, notes: [], agents: [], steps: [] };
  await box(page).press('Enter');
  await expect(page).toHaveURL(new RegExp(`/run/${RUN}`));
  expect(new Set(keys()).size).toBe(1);
  await page.goBack();
  await expect(box(page)).toHaveValue('');
  await box(page).fill(WISH);
  await box(page).press('Enter');
  await expect.poll(() => new Set(keys()).size).toBe(2);
});

test('from Home to a run that works with the keyboard alone', async ({ page }) => {
  const { engine, watched } = await openHome(page, {
    'run.start_plan': { run: RUN, head_seq: 0, notes: [], agents: [], steps: [] },
  });
  await page.keyboard.type('/mar');
  const menu = page.getByRole('listbox', { name: 'Workflow' });
  await expect(menu.getByRole('option')).toHaveCount(1);
  await expect(menu.getByRole('option', { selected: true })).toContainText('African Market Expansion');
  await expectAccessible(page);
  await page.keyboard.press('Enter');
  await expect(box(page)).toHaveValue('/market ');
  await expect(menu).toBeHidden();
  await page.keyboard.type('one line');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('another');
  expect(engine.calls.some(({ name }) => name === 'run.start_plan')).toBe(false);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/run/${RUN}`));
  const started = engine.calls.find(({ name }) => name === 'run.start_plan');
  expect(started?.params['text']).toBe('/market one line\nanother');
  expect(watched.errors).toEqual([]);
});

test('the menu of agents moves by arrows, closes by Escape and offers nothing that does not fit', async ({
  page,
}) => {
  await openHome(page);
  await page.getByRole('button', { name: 'Agent', exact: true }).click();
  const menu = page.getByRole('listbox', { name: 'Agent' });
  await expect(menu.getByRole('option')).toHaveCount(3);
  await page.keyboard.press('ArrowDown');
  await expect(menu.getByRole('option', { selected: true })).toContainText('Technical Implementation');
  await page.keyboard.press('Escape');
  await expect(menu).toBeHidden();
  await page.keyboard.type('sal');
  await expect(menu.getByRole('option')).toHaveCount(1);
  await page.keyboard.press('Tab');
  await expect(box(page)).toHaveValue('@sales_marketing ');
  await box(page).fill('@zzz');
  await expect(menu).toBeHidden();
});

test('Enter that an input method takes sends nothing', async ({ page }) => {
  const { engine } = await openHome(page);
  await page.keyboard.insertText(WISH);
  await box(page).evaluate((field) =>
    field.dispatchEvent(
      new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }),
    ),
  );
  await expect(page.getByText('email.send')).toBeVisible();
  expect(engine.calls.some(({ name }) => name === 'run.start_plan')).toBe(false);
});

test('a wish that cannot start says why, offers the right name, and Enter sends nothing', async ({
  page,
}) => {
  const wrong = {
    ...PLAN,
    problems: [{ code: 'plan.unknown_workflow', params: { slug: 'markt', near: 'market' } }],
  };
  const { engine } = await openHome(page, {
    'plan.preview': ({ text }: { text: string }) => (text.startsWith('/markt') ? wrong : PLAN),
  });
  await page.keyboard.insertText('/markt sell it');
  await expect(page.getByText('There is no workflow called markt. Did you mean market?')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Run', exact: true })).toHaveAttribute(
    'aria-disabled',
    'true',
  );
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Use market' }).click();
  await expect(box(page)).toHaveValue('/market sell it');
  await expect(page.getByText('There is no workflow called')).toBeHidden();
  expect(engine.calls.some(({ name }) => name === 'run.start_plan')).toBe(false);
});

test('a missing model leads to the connections', async ({ page }) => {
  await openHome(page, {
    'plan.preview': { ...PLAN, problems: [{ code: 'provider.no_model', params: { detail: 'none' } }] },
  });
  await page.keyboard.insertText(WISH);
  await expect(page.getByText('No model can be used yet.', { exact: false })).toBeVisible();
  await page.getByRole('button', { name: 'Open connections' }).click();
  await expect(page).toHaveURL(/connections/);
});

test('what a link brought is placed unsent, in place of what stood there', async ({ page }) => {
  const { engine } = await openHome(page);
  await page.keyboard.insertText('old words');
  await page.evaluate(() => undefined);
  engine.answers['drafts.get'] = { place: 'home', text: 'from a link' };
  await page.evaluate(() => dispatchEvent(new CustomEvent('bwana:draft', { detail: 'home' })));
  await expect(box(page)).toHaveValue('from a link');
  expect(engine.calls.some(({ name }) => name === 'run.start_plan')).toBe(false);
});

test('text files fall into the wish; others are refused with their name', async ({ page }) => {
  await openHome(page);
  await page.keyboard.insertText('Read this');
  const drop = (name: string, bytes: number[]) =>
    page.getByRole('region', { name: 'What should the team do?' }).evaluate(
      (node, [file, content]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(content as number[])], file as string));
        node.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
      },
      [name, bytes] as const,
    );
  await drop('prices.csv', [...Buffer.from('box,120\n')]);
  await expect(box(page)).toHaveValue('Read this\n\nprices.csv:\nbox,120\n');
  await drop('photo.png', [0x89, 0x50, 0, 0xff]);
  await expect(page.getByText('photo.png is not a text file.')).toBeVisible();
  await expect(box(page)).toHaveValue('Read this\n\nprices.csv:\nbox,120\n');
});

test('live runs follow the feed: who works, what waits, what is paused', async ({ page }) => {
  const { engine, watched } = await openHome(page, { 'run.resume': {} });
  const list = page.getByRole('region', { name: 'Continue' });
  await expect(list.getByText('Technical Implementation Agent uses web.fetch')).toBeVisible();
  await expect(list.getByText('Step 3 of 5')).toBeVisible();
  await expect(list.getByText('at least $0.12')).toBeVisible();
  await list.getByRole('button', { name: 'Resume' }).click();
  await expect(list.getByRole('button', { name: 'Resuming' })).toBeVisible();
  expect(engine.calls.find(({ name }) => name === 'run.resume')?.params).toEqual({ run: 'r1' });
  engine.change([{ topic: 'runs', id: 'r1', op: 'upsert', row: { ...LIVE[2], status: 'running' } }]);
  await expect(list.getByRole('button', { name: 'Resuming' })).toBeHidden();
  engine.answers['home.show'] = { live: [LIVE[1]], suggested: WORKFLOWS, today: TODAY };
  engine.change([{ topic: 'runs', id: 'r3', op: 'upsert', row: { ...LIVE[0], status: 'done' } }]);
  await expect(list.getByText('Complete Business Setup')).toBeHidden();
  await expect(list.getByRole('listitem').filter({ hasText: 'Weekly' })).toBeVisible();
  await list.getByRole('button', { name: 'Answer' }).click();
  await expect(page).toHaveURL(/waiting/);
  expect(watched.errors).toEqual([]);
});

test('today tells money against its limit, what has no price, and who cannot be reached', async ({
  page,
}) => {
  const hard = { ...TODAY, unpriced_calls: 2, troubled_providers: ['gemini'] };
  const { engine } = await openHome(page, {
    'usage.today': hard,
    'tasks.list': { tasks: [{ id: 't1', status: 'open' }] },
  });
  const today = page.getByRole('region', { name: 'Today' });
  await expect(today.getByText('6 runs')).toBeVisible();
  await expect(today.getByRole('meter', { name: 'Money today' })).toHaveAttribute(
    'aria-valuetext',
    '$0.42 of $1.00',
  );
  await expect(today.getByText('2 calls have no known price and are in no sum')).toBeVisible();
  await expect(today.getByText('Cannot be reached now: gemini')).toBeVisible();
  await expect(today.getByText('↓ 1.2 MB ↑ 80 kB')).toBeVisible();
  await expect(today.getByText('1.2 MB received, 80 kB sent')).toBeAttached();
  engine.change([{ topic: 'usage', id: 'today', op: 'upsert', row: { ...hard, spent: 0.9, limit: null } }]);
  await expect(today.getByRole('link', { name: 'no limit for a day' })).toBeVisible();
  await expect(today.getByRole('meter')).toBeHidden();
  await today.getByRole('link', { name: '1 waiting' }).click();
  await expect(page).toHaveURL(/waiting/);
});

test('a suggested workflow is named before the wish', async ({ page }) => {
  await openHome(page);
  await page.keyboard.insertText('what others offer');
  await page
    .getByRole('region', { name: 'Begin with' })
    .getByRole('button', { name: /Weekly competitor scan/ })
    .click();
  await expect(box(page)).toHaveValue('/scan what others offer');
  await expect(box(page)).toBeFocused();
});

test('the first use says what the starter model can do and offers a provider', async ({ page }, info) => {
  const starter = PANELS.map((one) => ({ ...one, now: null, model: 'local/starter', starter_model: true }));
  const none = { ...TODAY, runs: 0, runs_done: 0, spent: 0 };
  const { watched } = await openHome(page, {
    'agents.panels': { agents: starter },
    'usage.today': none,
    'home.show': { live: [], suggested: WORKFLOWS, today: none },
  });
  await expect(page.getByRole('region', { name: 'You can try it right away' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Continue' })).toBeHidden();
  await page.screenshot({ path: info.outputPath('home-first.png') });
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Add provider' }).click();
  await expect(page).toHaveURL(/connections/);
  expect(watched.errors.filter((error) => !error.includes('providers'))).toEqual([]);
});

test('without any model the team says what it needs', async ({ page }) => {
  await openHome(page, { 'agents.panels': { agents: PANELS.map((one) => ({ ...one, model: null })) } });
  await expect(page.getByRole('region', { name: 'The team needs a model' })).toBeVisible();
});

test('a screen that breaks says so, and the next one stands by itself', async ({ page }) => {
  await fakeEngine(page, answers({ 'agents.panels': { agents: [{ id: 'a', name: 'Broken' }] } }));
  await page.goto('/agents');
  await expect(page.getByText('This screen stopped working')).toBeVisible();
  await page.getByRole('link', { name: 'Runs' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Runs' })).toBeVisible();
  await expect(page.getByText('This screen stopped working')).toBeHidden();
});
