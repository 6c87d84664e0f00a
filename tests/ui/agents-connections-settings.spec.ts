import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';

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
  { key: 'language', value: 'en', default: 'en', kind: 'choice', needs_restart: false },
  { key: 'region', value: 'KE', default: null, kind: 'text', needs_restart: false },
  { key: 'currency', value: null, default: null, kind: 'text', needs_restart: false },
  { key: 'time_zone', value: 'Africa/Nairobi', default: 'UTC', kind: 'text', needs_restart: false },
  { key: 'arabic_digits', value: false, default: false, kind: 'switch', needs_restart: false },
  { key: 'letter_keys', value: true, default: true, kind: 'switch', needs_restart: false },
  { key: 'day_budget', value: 1, default: null, kind: 'money', needs_restart: true },
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
    needs_restart: false,
    time_zone: 'UTC',
    unpriced_calls: 2,
  },
  'egress.list': { private_hosts: ['server.example:8080'], needs_restart: false },
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
