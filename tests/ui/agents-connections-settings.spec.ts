import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, expectReachable, watchPage } from './page';

const TODAY = {
  day: '2026-11-20',
  runs: 6,
  runs_done: 5,
  live: 1,
  waiting: 0,
  spent: 0.42,
  reserved: 0,
  limit: 1,
  troubled_providers: [],
  unpriced_calls: 0,
  time_zone: 'Africa/Nairobi',
};

function panel(id: string, name: string, over: object = {}) {
  return {
    id,
    name,
    kind: 'custom',
    builtin: true,
    capabilities: [],
    description: 'Answers questions of customers and keeps the promises of the shop.',
    instructions_head: 'You answer',
    model: 'gemini/gemini-2.5-flash',
    model_problem: null,
    models: ['default'],
    starter_model: false,
    status: 'idle',
    now: null,
    active: [],
    cost_today: 0.12,
    cost_week: 0.38,
    runs_week: 3,
    tools: [
      { name: 'web.fetch', risk: 'read_net', effect: 'pure', ready: true },
      { name: 'email.send', risk: 'contact', effect: 'at_most_once', ready: true },
      { name: 'sql.query', risk: null, effect: null, ready: false },
    ],
    ...over,
  };
}

const WORKING = panel('business_intelligence', 'Business Intelligence', {
  status: 'working',
  now: {
    run: 'r1',
    path: 'p',
    step: 'Size the market',
    doing: 'using',
    tool: 'web.fetch',
    since: '2026-11-20T10:00:00Z',
  },
  active: [
    {
      run: 'r1',
      title: 'Market for ice',
      workflow: 'market',
      status: 'running',
      step: 'Size the market',
      steps_done: 1,
      steps_total: 4,
    },
  ],
});
const PANELS = [
  WORKING,
  panel('technical_implementation', 'Technical Implementation', {
    starter_model: true,
    model: 'local/starter',
  }),
  panel('customer_service', 'Customer Service'),
  panel('sales_marketing', 'Sales & Marketing', { status: 'waiting' }),
  panel('operations', 'Operations', { model: null, model_problem: 'none' }),
];

const PROVIDER = {
  id: 'gemini',
  kind: 'gemini',
  base_url: 'https://models.example/v1',
  model: 'flash',
  context: 100_000,
  is_default: true,
  key: 'keyring',
  key_left_behind: false,
  on_this_machine: false,
  price_in: 0.3,
  price_out: 2.5,
  price_as_of: '2026-11-01',
  replaced: false,
  standing: { state: 'works', last_error: null, last_failure: null, until: null },
  status: 'ready',
};
const ALONE = {
  ...PROVIDER,
  id: 'office',
  is_default: false,
  key: null,
  price_in: null,
  price_out: null,
  price_as_of: null,
  standing: {
    state: 'circuit_open',
    last_error: 'unreachable',
    last_failure: 'no route',
    until: '2026-11-20T10:00:00Z',
  },
};
const MODEL = {
  id: 'starter',
  title: 'Starter 135M',
  purpose: 'starter',
  status: 'available',
  size_bytes: 98_000_000,
  ram_min_bytes: 2_000_000_000,
  obstacles: [],
  licence: 'Apache-2.0',
  recommended: false,
  is_default: false,
  speed: null,
  partial_bytes: null,
};
const BIG = {
  ...MODEL,
  id: 'big',
  title: 'Everyday 8B',
  purpose: 'everyday',
  obstacles: [{ code: 'memory', needed_bytes: 16e9, has_bytes: 8e9 }],
};

const ROWS = [
  { key: 'language', value: 'en', default: 'en', kind: 'choice' },
  { key: 'region', value: 'KE', default: null, kind: 'text' },
  { key: 'currency', value: null, default: null, kind: 'text' },
  { key: 'time_zone', value: 'Africa/Nairobi', default: 'UTC', kind: 'text' },
  { key: 'arabic_digits', value: false, default: false, kind: 'switch' },
  { key: 'letter_keys', value: true, default: true, kind: 'switch' },
  { key: 'day_budget', value: 1, default: null, kind: 'money' },
];

const ANSWERS = {
  'usage.today': TODAY,
  'settings.show': { settings: ROWS },
  'settings.set': {},
  'agents.panels': { agents: PANELS },
  'agents.show': {
    id: 'x',
    hash: 'h',
    source: '',
    agent: { instructions: 'You read the market.\nSay what you do not know.' },
  },
  'providers.list': { providers: [PROVIDER, ALONE] },
  'providers.presets': {
    presets: [
      {
        id: 'gemini',
        title: 'Google Gemini',
        base_url: 'https://models.example/v1',
        key_url: null,
        kind: 'gemini',
        needs_key: true,
        on_this_machine: false,
        prices: [],
        quirks: {},
      },
    ],
  },
  'providers.add': PROVIDER,
  'providers.retry': { id: 'office', was_left_alone: true },
  'providers.test': {
    id: 'gemini',
    code: 'auth',
    models: [],
    probe: { answer: 'rejected', asked: 'Say yes', kind: 'auth', words: '401: no credentials' },
  },
  'models.list': { default_model: null, machine: {}, models: [MODEL, BIG] },
  'budget.show': {
    day: '2026-11-20',
    spent: 0.42,
    limit: 1,
    left: 0.58,
    reserved: 0,
    time_zone: 'UTC',
    unpriced_calls: 2,
  },
  'egress.list': { private_hosts: ['server.example:8080'] },
  'secrets.show': { names: ['provider.gemini'], place: 'keyring', offers: [] },
  doctor: {
    ok: false,
    findings: [{ id: 'database', status: 'broken', message: 'It is damaged', hint: 'Run verify' }],
  },
};

const PICTURES = process.env['BWANA_PICTURES'];
async function picture(page: Page, name: string) {
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png` });
}

test('the agents say what they do, with which tools, and for how much', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, ANSWERS);
  await page.goto('/agents');
  const cards = page.getByRole('region', { name: 'Agents' }).locator('li.card');
  await expect(cards).toHaveCount(5);
  await expect(cards.nth(0)).toContainText('Using');
  await expect(cards.nth(0)).toContainText('Market for ice');
  await expect(cards.nth(3)).toContainText('Waits for your answer');
  await expect(cards.nth(4)).toContainText('No model can be used');
  const heights = await cards.evaluateAll((all) =>
    all.map((one) => Math.round(one.getBoundingClientRect().height)),
  );
  expect(new Set(heights).size).toBe(1);
  await picture(page, 'agents-light');
  await expectAccessible(page);
  engine.change([
    {
      topic: 'agents',
      id: 'operations',
      op: 'upsert',
      row: panel('operations', 'Operations', { status: 'working', now: { doing: 'thinking', step: null } }),
    },
  ]);
  await expect(cards.nth(4)).toContainText('Thinking');
  await page.getByRole('link', { name: 'Business Intelligence' }).click();
  await expect(page.getByText('You read the market.')).toBeVisible();
  await expect(page.getByText('contacts people')).toBeVisible();
  await picture(page, 'agent-light');
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('agents that cannot be read are said, and read at the next try', async ({ page }) => {
  const { ['agents.panels']: panels, ...others } = ANSWERS;
  const engine = await fakeEngine(page, others);
  await page.goto('/agents');
  await expect(page.getByRole('alert')).toContainText('could not be read');
  engine.answers['agents.panels'] = panels;
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('link', { name: 'Customer Service' })).toBeVisible();
});

test('providers stand in words, are tested, tried again and added without showing the key again', async ({
  page,
}) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, ANSWERS);
  await page.goto('/connections');
  await expect(page.getByText('Left alone after failures')).toBeVisible();
  await expect(page.getByText('Price unknown')).toBeVisible();
  await expect(page.getByText(/as of 1 Nov/)).toBeVisible();
  await page.getByRole('button', { name: 'Retry now' }).click();
  await page.getByRole('button', { name: 'Test gemini' }).click();
  await expect(page.getByText('It said: 401: no credentials')).toBeVisible();
  await expect(page.getByText(/16.GB.? of memory; this machine has .?8.GB/)).toBeVisible();
  await picture(page, 'connections-light');
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Add provider' }).click();
  const sheet = page.getByRole('dialog', { name: 'Add provider' });
  await sheet.getByLabel('Key').fill('k-123');
  await sheet.getByRole('button', { name: 'Add provider' }).click();
  await expect(sheet.getByText('It said: 401: no credentials')).toBeVisible();
  await expect(sheet.getByLabel('Key')).toHaveValue('');
  await picture(page, 'connections-add');
  expect(engine.calls.find((call) => call.name === 'providers.add')?.params['key']).toBe('k-123');
  expect(engine.calls.some((call) => call.name === 'providers.retry')).toBe(true);
  expect(watched.errors).toEqual([]);
});

test('a local model is downloaded only after consent', async ({ page }) => {
  const engine = await fakeEngine(page, { ...ANSWERS, 'models.pull': MODEL });
  await page.goto('/connections');
  await page.getByRole('button', { name: 'Download' }).first().click();
  await expect(page.getByRole('dialog')).toContainText('Apache-2.0');
  expect(engine.calls.some((call) => call.name === 'models.pull')).toBe(false);
  await page.getByRole('dialog').getByRole('button', { name: 'Download' }).click();
  await expect
    .poll(() => engine.calls.find((call) => call.name === 'models.pull')?.params['id'])
    .toBe('starter');
});

test('settings change when the engine says so, and the language turns the window', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, ANSWERS);
  await page.goto('/settings/language');
  const digits = page.getByRole('switch', { name: 'Arabic digits' });
  await digits.click();
  await expect
    .poll(() => engine.calls.find((call) => call.name === 'settings.set')?.params)
    .toEqual({ key: 'arabic_digits', value: true });
  await expect(digits).not.toBeChecked();
  engine.change([{ topic: 'settings', id: 'arabic_digits', op: 'upsert', row: { ...ROWS[4], value: true } }]);
  await expect(digits).toBeChecked();
  await picture(page, 'settings-light');
  await expectAccessible(page);
  engine.change([{ topic: 'settings', id: 'language', op: 'upsert', row: { ...ROWS[0], value: 'ar' } }]);
  await expect(page.locator('html')).toHaveAttribute('dir', 'rtl');
  await expect(page.getByRole('heading', { name: 'اللغة والمنطقة' })).toBeVisible();
  await picture(page, 'settings-ar');
  expect(watched.errors).toEqual([]);
});

test('every section of the settings opens and can be read by all', async ({ page }) => {
  await fakeEngine(page, ANSWERS);
  for (const [section, words] of [
    ['shortcuts', 'Single letters'],
    ['budgets', 'Spent today'],
    ['network', 'server.example:8080'],
    ['privacy', 'system’s keyring'],
    ['appearance', 'High contrast, dark'],
    ['diagnostics', 'Run verify'],
  ] as const) {
    await page.goto(`/settings/${section}`);
    await expect(page.getByRole('main')).toContainText(words);
    await expectAccessible(page);
  }
});

for (const [name, at, where] of [
  ['agents', '/agents', 'li.card'],
  ['connections', '/connections', 'h3'],
] as const) {
  test(`${name} stand in the dark, in Arabic and in a narrow window`, async ({ page }) => {
    await page.addInitScript(() => localStorage.setItem('bwana.theme', 'dark'));
    const engine = await fakeEngine(page, ANSWERS);
    await page.goto(at);
    await expect(page.locator(where).first()).toBeVisible();
    await picture(page, `${name}-dark`);
    await expectAccessible(page);
    await page.setViewportSize({ width: 900, height: 800 });
    engine.answers['settings.show'] = settings({ language: 'ar', region: 'KE', time_zone: 'Africa/Nairobi' });
    await page.reload();
    await expect(page.locator(where).first()).toBeVisible();
    await expect(page.locator('html')).toHaveAttribute('dir', 'rtl');
    await picture(page, `${name}-ar-900`);
    await expectAccessible(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(wide).toBe(false);
  });
}

const SET = (engine: { calls: { name: string; params: Record<string, unknown> }[] }) =>
  engine.calls.filter(({ name }) => name === 'settings.set').map(({ params }) => params);

test('a limit that is no number is refused beside its field and the limit stands', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, ANSWERS);
  await page.goto('/settings/budgets');
  const field = page.getByLabel('Limit for a day, in dollars');
  await expect(field).toHaveValue('1');
  for (const [typed, words] of [
    ['abc', 'This is no number'],
    ['$5', 'This is no number'],
    ['1,000', 'This is no number'],
    ['1000001', 'at most $1,000,000'],
  ] as const) {
    await field.fill(typed);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('main')).toContainText(words);
    await expect(field).toHaveAttribute('aria-invalid', 'true');
    await expect(field).toHaveValue(typed);
  }
  await expectAccessible(page);
  expect(SET(engine)).toEqual([]);
  await field.fill('2,50');
  await expect(field).not.toHaveAttribute('aria-invalid');
  await page.keyboard.press('Enter');
  await expect.poll(() => SET(engine)).toEqual([{ key: 'day_budget', value: '2.50' }]);
  // Emptied, it takes the limit away: only when that is asked for.
  await field.fill('');
  await page.keyboard.press('Tab');
  await expect(page.getByText('Not saved yet')).toBeVisible();
  expect(SET(engine)).toHaveLength(1);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect.poll(() => SET(engine).at(-1)).toEqual({ key: 'day_budget', value: null });
  expect(watched.errors).toEqual([]);
});

test('a text of the settings is saved when its field is left, and kept where it cannot be', async ({
  page,
}) => {
  const engine = await fakeEngine(page, ANSWERS);
  await page.goto('/settings/language');
  const zone = page.getByLabel('Time zone');
  await zone.fill('Africa/Kampala');
  await page.keyboard.press('Tab');
  await expect.poll(() => SET(engine)).toEqual([{ key: 'time_zone', value: 'Africa/Kampala' }]);
  engine.refusals['settings.set'] = { code: 'settings.invalid', message: "time_zone is 'Mars'" };
  await zone.fill('Mars');
  await page.getByRole('link', { name: 'Budgets' }).click();
  await expect(page.getByText('“Time zone” was not saved.')).toBeVisible();
  await page.getByRole('link', { name: 'Language and region' }).click();
  await expect(zone).toHaveValue('Mars');
  await page.reload();
  await expect(zone).toHaveValue('Mars');
  await expect(page.getByText('Not saved yet')).toBeVisible();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('This was not understood. Nothing was changed.')).toBeVisible();
  await expect(page.getByRole('main')).not.toContainText('time_zone');
  await zone.fill('Mars/North');
  await expect(page.getByText('This was not understood.')).toHaveCount(0);
});

for (const [width, height] of [
  [480, 400],
  [380, 700],
] as const)
  test(`agents, connections, settings and the handbook have room at ${width}`, async ({ page }, info) => {
    await page.setViewportSize({ width, height });
    await fakeEngine(page, {
      ...ANSWERS,
      'backups.list': { backups: [], undo: null },
      'profiles.list': { profiles: [] },
    });
    for (const at of [
      '/agents',
      '/agents/business_intelligence',
      '/connections',
      '/settings/language',
      '/settings/budgets',
      '/settings/data',
      '/help',
      '/help/first-run',
    ]) {
      await page.goto(at);
      await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
      await expect(page.locator('main [data-scroll]')).toBeVisible();
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: info.outputPath(`${at.replaceAll('/', '-')}-${width}.png`) });
      await expectReachable(page);
      const pane = page.locator('main [data-scroll]').last();
      expect((await pane.boundingBox())!.width).toBeGreaterThan(300);
    }
    // The list of sections is there, in another form.
    await page.goto('/settings/language');
    await page.getByRole('combobox', { name: /Sections of the settings/ }).click();
    await page.getByRole('option', { name: 'Budgets' }).click();
    await expect(page).toHaveURL(/\/settings\/budgets$/);
    await expectAccessible(page);
    await page.goto('/help');
    await page.getByRole('combobox', { name: /Contents/ }).click();
    await page.getByRole('option', { name: 'First run' }).click();
    await expect(page).toHaveURL(/\/help\/first-run$/);
    await expectAccessible(page);
  });

test('the tools of an agent keep their names where there is little room', async ({ page }) => {
  await page.setViewportSize({ width: 380, height: 700 });
  await fakeEngine(page, ANSWERS);
  await page.goto('/agents/business_intelligence');
  const name = page.getByText('web.fetch', { exact: true });
  await expect(name).toBeVisible();
  expect(await name.evaluate((node) => node.scrollWidth <= node.clientWidth)).toBe(true);
});

test('a test that reached nobody does not stand beside "Not used yet"', async ({ page }) => {
  const cause = 'error sending request: Connection refused (os error 111)';
  await fakeEngine(page, {
    ...ANSWERS,
    'providers.list': { providers: [{ ...PROVIDER, standing: null }] },
    'providers.test': {
      id: 'gemini',
      code: 'provider.unreachable',
      models: [],
      probe: { answer: 'unreachable', asked: 'Say yes', cause },
    },
  });
  await page.goto('/connections');
  await expect(page.getByText('Not used yet')).toBeVisible();
  await page.getByRole('button', { name: 'Test gemini' }).click();
  await expect(page.getByText('Could not reach')).toBeVisible();
  await expect(page.getByText('Not used yet')).toHaveCount(0);
  await expect(page.getByText('Saved. It is tried again at the next use.', { exact: true })).toBeVisible();
  await expect(page.getByText(cause)).toBeHidden();
  await page.getByText('Details').click();
  await expect(page.getByText(cause, { exact: true })).toBeVisible();
});

test('a provider is added from its first field on', async ({ page }) => {
  const engine = await fakeEngine(page, ANSWERS);
  engine.pending('providers.presets');
  await page.goto('/connections');
  await page.getByRole('button', { name: 'Add provider' }).click();
  const sheet = page.getByRole('dialog', { name: 'Add provider' });
  await expect(sheet).toBeVisible();
  await expect.poll(() => engine.calls.some(({ name }) => name === 'providers.presets')).toBe(true);
  engine.answerTo('providers.presets', ANSWERS['providers.presets']);
  await expect(sheet.getByRole('combobox')).toBeFocused();
});

test('where no model was found in a place, nothing is called in order', async ({ page }) => {
  await fakeEngine(page, {
    ...ANSWERS,
    doctor: {
      ok: true,
      findings: [
        {
          id: 'default',
          status: 'ok',
          code: 'model.step',
          params: { number: 1, step: 'chosen', outcome: 'empty', value: '' },
          message: '',
          hint: '',
        },
      ],
    },
  });
  await page.goto('/settings/diagnostics');
  const finding = page.locator('.finding', { hasText: 'The chosen model: there is none' });
  await expect(finding).toContainText('Note');
  await expect(finding).not.toContainText('In order');
});
