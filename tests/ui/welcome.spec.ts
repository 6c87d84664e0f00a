import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { engineOf, RUN, shown, story } from './run-fixture';

const NOW = new Date('2026-11-20T11:02:14Z');
const TODAY = {
  day: '2026-11-20',
  time_zone: 'Africa/Nairobi',
  runs: 0,
  runs_done: 0,
  live: 0,
  waiting: 0,
  spent: 0,
  reserved: 0,
  limit: 1,
  bytes_in: 0,
  bytes_out: 0,
  unpriced_calls: 0,
  troubled_providers: [],
};
const MODEL = {
  id: 'starter',
  title: 'Starter 135M',
  status: 'installed',
  purpose: 'starter',
  size_bytes: 98_000_000,
  ram_min_bytes: 1_000_000_000,
  is_default: false,
  obstacles: [],
};
const PRESETS = [
  {
    id: 'openai',
    title: 'OpenAI',
    base_url: 'https://api.example',
    needs_key: true,
    prices: [{ model: 'big-1' }],
  },
  { id: 'ollama', title: 'Ollama', base_url: 'http://127.0.0.1:11434', needs_key: false, prices: [] },
];
const FOUND = {
  variables: [
    { variable: 'OPENAI_API_KEY', preset: 'openai', title: 'OpenAI', base_url: 'https://api.example' },
    {
      variable: 'GROQ_API_KEY',
      preset: 'groq',
      title: 'Groq',
      base_url: 'https://g.example',
      provider: 'groq',
    },
  ],
  servers: [{ preset: 'ollama', base_url: 'http://127.0.0.1:11434', title: 'Ollama' }],
};

async function open(page: Page, over: Record<string, unknown> = {}, values: object = {}) {
  await page.clock.install({ time: NOW });
  await page.clock.resume();
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, {
    ...engineOf(story().records, () => shown()),
    'settings.show': settings({
      language: 'en',
      region: 'KE',
      time_zone: 'Africa/Nairobi',
      currency: '',
      ...values,
    }),
    'settings.set': {},
    'usage.today': TODAY,
    'run.list': { runs: [], total: 0 },
    'home.show': { live: [], suggested: [] },
    'agents.panels': { agents: [] },
    'workflows.lines': { workflows: [] },
    'models.list': { models: [MODEL], default_model: null },
    'models.default': {},
    'providers.presets': { presets: PRESETS },
    'providers.found': FOUND,
    'providers.import': { added: [{ id: 'ollama', model: 'llama3.1-8b' }] },
    'providers.add': { id: 'openai' },
    'providers.test': { id: 'openai', code: null, models: [], probe: {} },
    'budget.show': { limit: null },
    'budget.set': {},
    'run.start_plan': { run: RUN },
    ...over,
  });
  await page.goto('/home');
  return { engine, watched };
}
const title = (page: Page, name: string) => page.getByRole('heading', { level: 1, name });
const next = (page: Page) => page.getByRole('button', { name: 'Continue' });
const sent = (engine: { calls: { name: string; params: object }[] }, name: string) =>
  engine.calls.filter((call) => call.name === name).map(({ params }) => params);

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 700],
] as const) {
  test(`the first steps in ${name} break no rule and have no sideways scroll`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const { watched } = await open(page, {}, { language });
    for (const step of [1, 2, 3, 4]) {
      await expect(page.locator('ol li').nth(step - 1)).toHaveAttribute('aria-current', 'step');
      if (step === 2) await page.locator('input[type=radio]').nth(1).check();
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: info.outputPath(`welcome-${name}-${step}.png`) });
      await expectAccessible(page);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wider).toBeLessThanOrEqual(0);
      if (step < 4) await page.locator('footer button').last().click();
    }
    expect(watched.errors).toEqual([]);
  });
}

test('the four steps set what was chosen and end in a run that works', async ({ page }) => {
  const { engine, watched } = await open(page);
  await expect(title(page, 'Welcome')).toBeVisible();
  await page.getByLabel('Region').fill('tz');
  await page.getByRole('combobox', { name: /^Currency/ }).click();
  await page.getByRole('option', { name: 'TZS' }).click();
  await next(page).click();
  await expect(title(page, 'How should your team think?')).toBeFocused();
  expect(sent(engine, 'settings.set')).toEqual([
    { key: 'region', value: 'TZ' },
    { key: 'currency', value: 'TZS' },
  ]);
  await expect(page.getByRole('radio', { name: /Starter 135M/ })).toBeChecked();
  await next(page).click();
  await expect(title(page, 'What may a day cost?')).toBeFocused();
  expect(sent(engine, 'models.default')).toEqual([{ model: 'local/starter' }]);
  const field = page.getByLabel('US dollars a day');
  await expect(field).toHaveValue('1.00');
  await field.fill('much');
  await next(page).click();
  await expect(page.getByText('A sum such as 1.50')).toBeVisible();
  expect(sent(engine, 'budget.set')).toEqual([]);
  await field.fill('2,50');
  await page.keyboard.press('Enter');
  await expect(title(page, 'What should the team do first?')).toBeFocused();
  expect(sent(engine, 'budget.set')).toEqual([{ day_usd: '2.50' }]);
  const start = page.getByRole('button', { name: 'Start the team' });
  await start.click();
  await expect(page.getByText('Write a wish, or choose one below.')).toBeVisible();
  await page.getByRole('button', { name: /unpaid invoice/ }).click();
  engine.refusals['run.start_plan'] = { code: 'model.not_installed', message: 'none' };
  await start.click();
  await expect(page.getByText('The run was not started')).toBeVisible();
  delete engine.refusals['run.start_plan'];
  await start.click();
  await expect(page).toHaveURL(new RegExp(`/run/${RUN}$`));
  await expect(page.getByRole('log')).toBeVisible();
  const [first, second] = sent(engine, 'run.start_plan') as { key: string; text: string }[];
  expect(second?.text).toBe('Write a friendly reminder for an unpaid invoice');
  expect(second?.key).toBe(first?.key);
  await page.reload();
  await expect(page.getByRole('log')).toBeVisible();
  expect(watched.errors).toEqual([]);
});

test('what would be read is listed by name, and only what is ticked is read', async ({ page }) => {
  const { engine, watched } = await open(page);
  await page.getByRole('button', { name: 'Skip this step' }).click();
  await page.getByRole('radio', { name: /Use what is on this computer/ }).check();
  await expect(page.getByText('Nothing was read yet.')).toBeVisible();
  await expect(page.getByRole('checkbox')).toHaveCount(3);
  await expect(page.getByRole('checkbox', { name: /GROQ_API_KEY/ })).toBeDisabled();
  expect(sent(engine, 'providers.import')).toEqual([]);
  await page.getByRole('checkbox', { name: 'The key in OPENAI_API_KEY, for OpenAI' }).check();
  await page.getByRole('checkbox', { name: 'Ollama at http://127.0.0.1:11434' }).check();
  await page.getByRole('checkbox', { name: /OPENAI/ }).uncheck();
  engine.refusals['providers.import'] = { code: 'provider.unreachable', message: 'gone' };
  await next(page).click();
  await expect(page.getByText('provider.unreachable')).toBeVisible();
  delete engine.refusals['providers.import'];
  await next(page).click();
  await expect(title(page, 'What may a day cost?')).toBeVisible();
  expect(sent(engine, 'providers.import').at(-1)).toEqual({
    variables: [],
    servers: ['http://127.0.0.1:11434'],
  });
  expect(watched.errors).toEqual([]);
});

test('a key is added, tested, and leaves the field', async ({ page }) => {
  const { engine } = await open(page, {
    'providers.test': {
      id: 'openai',
      code: 'provider.auth',
      models: [],
      probe: { answer: 'rejected', asked: 'Say yes', kind: 'auth', words: '401' },
    },
  });
  await next(page).click();
  await page.getByRole('radio', { name: /Add a key/ }).check();
  const field = page.getByLabel('Key', { exact: true });
  await expect(field).toHaveAttribute('type', 'password');
  await field.fill('sk-secret');
  await next(page).click();
  await expect(page.getByText('provider.auth')).toBeVisible();
  await expect(page.getByRole('alert')).toContainText('The key is kept, but the provider did not answer');
  await expect(field).toHaveValue('');
  expect(sent(engine, 'providers.add')).toEqual([
    { name: 'openai', preset: 'openai', model: 'big-1', key: 'sk-secret' },
  ]);
  await next(page).click();
  await expect(title(page, 'What may a day cost?')).toBeVisible();
  expect(sent(engine, 'providers.add')).toHaveLength(1);
});

test('each step is skipped, the language holds at once, and Back keeps nothing from being changed', async ({
  page,
}) => {
  const { engine } = await open(page);
  await page.getByRole('radio', { name: 'Kiswahili' }).check();
  expect(sent(engine, 'settings.set')).toEqual([{ key: 'language', value: 'sw' }]);
  for (let step = 0; step < 3; step += 1) await page.getByRole('button', { name: 'Skip this step' }).click();
  await expect(title(page, 'What should the team do first?')).toBeVisible();
  await page.getByRole('button', { name: 'Back' }).click();
  await expect(title(page, 'What may a day cost?')).toBeVisible();
  await page.getByRole('button', { name: 'Not now' }).click();
  await expect(page.locator('#composer')).toBeVisible();
  expect(
    engine.calls.filter(({ name }) => /budget\.set|models\.default|providers\.(add|import)/.test(name)),
  ).toEqual([]);
  await page.reload();
  await expect(page.locator('#composer')).toBeVisible();
  await page.goto('/settings/general');
  await page.getByRole('button', { name: 'Show it again' }).click();
  await expect(title(page, 'Welcome')).toBeVisible();
});

for (const [name, over, caller] of [
  ['who has runs', { 'run.list': { runs: [], total: 3 } }, 'local_person'],
  ['who worked today', { 'usage.today': { ...TODAY, runs: 2 } }, 'local_person'],
  ['who may set nothing', {}, 'local_browser'],
] as const) {
  test(`nobody ${name} is welcomed`, async ({ page }) => {
    await open(page, over);
    await page.addInitScript((who) => sessionStorage.setItem('bwana.caller', who), caller);
    await page.reload();
    await expect(page.locator('#composer')).toBeVisible();
    await expect(title(page, 'Welcome')).toHaveCount(0);
  });
}

const step = (page: Page, name: string) => page.locator('ol li', { hasText: name });

test('what does not exist yet is not chosen, and a step that set nothing is not called done', async ({
  page,
}) => {
  const { watched } = await open(page, { 'models.list': { models: [], default_model: null } });
  await next(page).click();
  await expect(title(page, 'How should your team think?')).toBeFocused();
  await expect(page.getByText('a model must be fetched first')).toBeVisible();
  await expect(page.getByRole('radio', { checked: true })).toHaveCount(0);
  await expectAccessible(page);
  await page.getByRole('radio', { name: /Try it now/ }).check();
  await expect(page.getByText('Fetch one under Connections first')).toBeVisible();
  await page.getByRole('button', { name: 'Go to Connections' }).click();
  await expect(page).toHaveURL(/\/connections/);
  await page.getByRole('button', { name: 'Back to the first steps' }).click();
  await expect(title(page, 'How should your team think?')).toBeVisible();
  await next(page).click();
  await expect(step(page, 'Language')).toContainText('Done');
  await expect(step(page, 'Model')).toContainText('Skipped');
  await page.getByRole('button', { name: 'Skip this step' }).click();
  await expect(step(page, 'Money limit')).toContainText('Skipped');
  expect(watched.errors).toEqual([]);
});

test('what an error means is shown, and the way back finds the steps as they were', async ({ page }) => {
  const { engine } = await open(page);
  engine.refusals['providers.add'] = { code: 'secret.unavailable', message: 'no keyring' };
  await next(page).click();
  await page.getByRole('radio', { name: /Add a key/ }).check();
  await page.getByLabel('Key', { exact: true }).fill('sk-secret');
  await next(page).click();
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('There is no place for the key yet');
  await expect(alert).toContainText('Choose a place for keys in the settings');
  await alert.getByRole('button', { name: 'What does this mean?' }).click();
  await expect(page).toHaveURL(/\/help\/errors\/secret\.unavailable/);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Back to the first steps' }).click();
  await expect(title(page, 'How should your team think?')).toBeVisible();
  await expect(page.locator('ol li').nth(1)).toHaveAttribute('aria-current', 'step');
});

test('a wish outlives a step back, a wrong region is met by the focus, and the end has a place for it', async ({
  page,
}) => {
  await open(page);
  const region = page.getByLabel('Region');
  await region.fill('Kenya');
  await next(page).click();
  await expect(region).toBeFocused();
  await expect(page.getByText('This is no region.')).toBeVisible();
  await expect(page.getByText('Two letters, such as KE', { exact: true })).toHaveCount(0);
  await region.fill('KE');
  await next(page).click();
  for (let at = 0; at < 2; at += 1) await page.getByRole('button', { name: 'Skip this step' }).click();
  await page.getByRole('textbox').fill('Count the loaves');
  await page.getByRole('button', { name: 'Back' }).click();
  await page.getByRole('button', { name: 'Skip this step' }).click();
  await expect(page.getByRole('textbox')).toHaveValue('Count the loaves');
  await page.getByRole('button', { name: 'Not now' }).click();
  await expect(page.locator('#composer')).toBeVisible();
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).not.toBe('BODY');
});

for (const [width, height] of [
  [480, 400],
  [380, 700],
] as const)
  test(`the ways on stand in line at ${width}`, async ({ page }, info) => {
    await page.setViewportSize({ width, height });
    await open(page);
    await next(page).click();
    await expect(title(page, 'How should your team think?')).toBeVisible();
    const box = async (name: string) => (await page.getByRole('button', { name }).boundingBox())!;
    const [back, on, skip] = [await box('Back'), await box('Continue'), await box('Skip this step')];
    await page.screenshot({ path: info.outputPath(`welcome-${width}.png`) });
    expect(Math.abs(back.y + back.height / 2 - on.y - on.height / 2)).toBeLessThan(3);
    expect(skip.y).toBeGreaterThan(on.y);
    expect(on.x + on.width).toBeGreaterThan(width - 40);
  });
