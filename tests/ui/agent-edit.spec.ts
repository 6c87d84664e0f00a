// Changing an agent, and the sections of the settings that say what the program is and where keys are kept.
import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings, type FakeEngine } from './engine';
import { expectAccessible, watchPage } from './page';

const LANGUAGE = { language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' };

function panel(over: object = {}) {
  return {
    id: 'customer_service',
    name: 'Customer Service',
    kind: 'support',
    builtin: true,
    capabilities: [],
    description: 'Answers questions of customers.',
    instructions_head: 'You answer',
    model: 'gemini/flash',
    model_problem: null,
    models: ['default'],
    starter_model: false,
    status: 'idle',
    now: null,
    active: [],
    cost_today: 0.12,
    cost_week: 0.38,
    runs_week: 3,
    tools: [{ name: 'web.fetch', risk: 'read_net', effect: 'pure', ready: true, asks: false }],
    ...over,
  };
}

function shown(agent: object = {}, over: object = {}) {
  return {
    id: 'customer_service',
    hash: 'h1',
    source: 'builtin',
    agent: {
      schema: 'bwana.agent/v1',
      id: 'customer_service',
      name: 'Customer Service',
      type: 'support',
      instructions: 'You answer customers.\nSay what you do not know.',
      instructions_small: null,
      model: 'default',
      tools: ['web.fetch'],
      ...agent,
    },
    ...over,
  };
}

const ANSWERS = {
  'settings.show': settings(LANGUAGE),
  'agents.panels': { agents: [panel()] },
  'agents.show': shown(),
  'agents.edit': panel(),
  'agents.reset': panel(),
  'providers.list': {
    providers: [
      { id: 'gemini', model: 'flash' },
      { id: 'office', model: null },
    ],
  },
  'models.list': {
    default_model: null,
    machine: {},
    models: [
      { id: 'starter', status: 'installed' },
      { id: 'big', status: 'available' },
    ],
  },
  'tools.list': {
    tools: [
      {
        id: 'email.send',
        description: 'Sends a message to an address.',
        risk: 'contact',
        effect: 'at_most_once',
      },
      { id: 'web.fetch', description: 'Reads a page.', risk: 'read_net', effect: 'pure' },
    ],
  },
};
const PAGE = '/agents/customer_service';

const PICTURES = process.env['BWANA_PICTURES'];
async function picture(page: Page, name: string) {
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png` });
}

/** Drafts as the engine keeps them: what was set is what is there. */
function withDrafts(answers: Record<string, unknown>) {
  const kept = new Map<string, string>();
  return {
    kept,
    answers: {
      ...answers,
      'drafts.get': ({ place }: { place: string }) => ({ place, text: kept.get(place) ?? '' }),
      'drafts.set': ({ place, text }: { place: string; text: string }) => {
        kept.set(place, text);
        return { place };
      },
    },
  };
}

const calls = (engine: FakeEngine, name: string) => engine.calls.filter((call) => call.name === name);

async function openForm(page: Page) {
  await page.goto(PAGE);
  await page.getByRole('button', { name: 'Edit' }).click();
  await expect(page.getByRole('form', { name: 'Edit' })).toBeVisible();
}

test('only what was changed is sent, and the form waits until the engine has it', async ({ page }) => {
  const watched = await watchPage(page);
  const { answers, kept } = withDrafts(ANSWERS);
  const engine = await fakeEngine(page, answers);
  await openForm(page);
  await expect(page.getByText('47 characters')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Save' })).toHaveAttribute('aria-disabled', 'true');
  await page.getByLabel('Instructions', { exact: true }).fill('You answer in one line.');
  await page.getByLabel('Instructions for small models').fill('Be short.');
  await expect(page.getByText('2 of at most 160 words.')).toBeVisible();
  await page.getByRole('switch', { name: /email.send/ }).click();
  await page.getByRole('button', { name: 'Add a model to fall back on' }).click();
  await expect(page.getByText('contacts people')).toBeVisible();
  await picture(page, 'agent-edit-light');
  await expectAccessible(page);
  await expect.poll(() => kept.get('agent:customer_service') ?? '').toContain('one line');

  await page.getByRole('button', { name: 'Save' }).click();
  await expect
    .poll(() => calls(engine, 'agents.edit').map(({ params }) => params))
    .toEqual([
      {
        id: 'customer_service',
        instructions: 'You answer in one line.',
        instructions_small: 'Be short.',
        models: ['default', 'gemini/flash'],
        tools: ['web.fetch', 'email.send'],
      },
    ]);
  // The engine still shows the old one: nothing is claimed.
  await expect(page.getByRole('button', { name: 'Saving' })).toHaveAttribute('aria-disabled', 'true');
  engine.answers['agents.show'] = shown(
    { instructions: 'You answer in one line.' },
    { hash: 'h2', source: 'edited here' },
  );
  engine.change([{ topic: 'agents', id: 'customer_service', op: 'upsert', row: panel({ builtin: false }) }]);
  await expect(page.getByRole('form')).toBeHidden();
  await expect(page.getByRole('button', { name: 'Edit' })).toBeFocused();
  await expect(page.getByRole('button', { name: 'Back to the original' })).toBeVisible();
  await expect(page.getByText('You answer in one line.')).toBeVisible();
  await expect.poll(() => kept.get('agent:customer_service')).toBe('');
  expect(watched.errors).toEqual([]);
});

test('what the engine refuses stands at its field, and what was typed stays', async ({ page }) => {
  const { answers } = withDrafts(ANSWERS);
  const engine = await fakeEngine(page, answers);
  engine.refusals['agents.edit'] = {
    code: 'definition.invalid',
    message: 'instructions: there is no field called `budget`',
    details: {
      issues: [
        {
          severity: 'error',
          code: 'definition.invalid',
          document: 1,
          path: 'instructions',
          reason: 'there is no field called `budget`',
          hint: 'write `limits`',
        },
      ],
    },
  };
  await openForm(page);
  const field = page.getByLabel('Instructions', { exact: true });
  await field.fill('Mind the {{ budget }}.');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await expect(field).toHaveAccessibleDescription(/no field called `budget`; write `limits`/);
  await expect(page.getByRole('alert')).toContainText('The agent was not changed');
  await expect(field).toHaveValue('Mind the {{ budget }}.');
  await picture(page, 'agent-edit-refused');
  await expectAccessible(page);
  await field.fill('  ');
  await expect(field).toHaveAccessibleDescription(/does not know its role/);
  await expect(page.getByRole('button', { name: 'Save' })).toHaveAttribute('aria-disabled', 'true');
  expect(calls(engine, 'agents.edit')).toHaveLength(1);
});

test('what was typed outlives a reload', async ({ page }) => {
  const { answers, kept } = withDrafts(ANSWERS);
  await fakeEngine(page, answers);
  await openForm(page);
  await page.getByLabel('Instructions', { exact: true }).fill('Half a thought');
  await expect.poll(() => kept.get('agent:customer_service') ?? '').toContain('Half a thought');
  await page.reload();
  await expect(page.getByLabel('Instructions', { exact: true })).toHaveValue('Half a thought');
  await expect(page.getByText('Not saved yet')).toBeVisible();
});

test('leaving with something unsaved is asked: stay, keep the draft, or discard', async ({ page }) => {
  const { answers, kept } = withDrafts(ANSWERS);
  await fakeEngine(page, answers);
  await openForm(page);
  const away = page.getByRole('button', { name: 'All agents' });
  const sheet = page.getByRole('dialog', { name: 'Leave without saving?' });
  const field = page.getByLabel('Instructions', { exact: true });
  await field.fill('Half a thought');
  await away.click();
  await expect(sheet.getByRole('button', { name: 'Stay here' })).toBeFocused();
  await picture(page, 'agent-edit-leave');
  await expectAccessible(page);
  await sheet.getByRole('button', { name: 'Stay here' }).click();
  await expect(sheet).toBeHidden();
  await expect(page).toHaveURL(new RegExp(`${PAGE}$`));
  await expect(field).toHaveValue('Half a thought');

  await away.click();
  await sheet.getByRole('button', { name: 'Leave, keep the draft' }).click();
  await expect(page).toHaveURL(/agents$/);
  await expect.poll(() => kept.get('agent:customer_service') ?? '').toContain('Half a thought');
  await page.goBack();
  await expect(field).toHaveValue('Half a thought');

  await away.click();
  await sheet.getByRole('button', { name: 'Discard changes' }).click();
  await expect(page).toHaveURL(/agents$/);
  await expect.poll(() => kept.get('agent:customer_service')).toBe('');
});

test('an agent that comes with the program can be had back, after a question', async ({ page }) => {
  const { answers } = withDrafts({
    ...ANSWERS,
    'agents.panels': { agents: [panel({ builtin: false })] },
    'agents.show': shown({ instructions: 'Changed words' }, { hash: 'h2', source: 'edited here' }),
  });
  const engine = await fakeEngine(page, answers);
  await page.goto(PAGE);
  await page.getByRole('button', { name: 'Back to the original' }).click();
  const sheet = page.getByRole('dialog', { name: 'Bring Customer Service Agent back as it came?' });
  await expect(sheet.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await expect(sheet).toBeHidden();
  expect(calls(engine, 'agents.reset')).toHaveLength(0);
  await page.getByRole('button', { name: 'Back to the original' }).click();
  await sheet.getByRole('button', { name: 'Back to the original' }).click();
  await expect
    .poll(() => calls(engine, 'agents.reset').map(({ params }) => params))
    .toEqual([{ id: 'customer_service' }]);
  await expect(page.getByRole('button', { name: 'Bringing it back' })).toBeVisible();
  engine.answers['agents.show'] = shown();
  engine.change([{ topic: 'agents', id: 'customer_service', op: 'upsert', row: panel() }]);
  await expect(page.getByText('You answer customers.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Back to the original' })).toBeHidden();
});

test('a browser of `bwana serve` reads agents and does not change them', async ({ page }) => {
  const { answers } = withDrafts(ANSWERS);
  await fakeEngine(page, answers);
  await page.addInitScript(() => sessionStorage.setItem('bwana.caller', 'local_browser'));
  await page.goto(PAGE);
  await expect(page.getByText('Agents are changed in the app.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Edit' })).toBeHidden();
});

test('an agent is changed by keyboard alone', async ({ page }) => {
  const { answers } = withDrafts(ANSWERS);
  const engine = await fakeEngine(page, answers);
  await page.goto(PAGE);
  await page.getByRole('button', { name: 'Edit' }).focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('Instructions', { exact: true }).focus();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(' Always.');
  const save = page.getByRole('button', { name: 'Save' });
  for (let press = 0; press < 20; press += 1) {
    if (await save.evaluate((button) => button === document.activeElement)) break;
    await page.keyboard.press('Tab');
  }
  await expect(save).toBeFocused();
  await page.keyboard.press('Enter');
  await expect
    .poll(() => calls(engine, 'agents.edit').map(({ params }) => params['instructions']))
    .toEqual(['You answer customers.\nSay what you do not know. Always.']);
});

test('the form stands in the dark, in Arabic and in a narrow window', async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem('bwana.theme', 'dark'));
  const { answers } = withDrafts(ANSWERS);
  const engine = await fakeEngine(page, answers);
  await openForm(page);
  await picture(page, 'agent-edit-dark');
  await expectAccessible(page);
  await page.getByLabel('Instructions', { exact: true }).fill('Half a thought');
  await expect.poll(() => calls(engine, 'drafts.set').length).toBe(1);
  engine.answers['settings.show'] = settings({ ...LANGUAGE, language: 'ar' });
  await page.setViewportSize({ width: 900, height: 800 });
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('dir', 'rtl');
  await expect(page.getByRole('form')).toBeVisible();
  await picture(page, 'agent-edit-ar-900');
  await expectAccessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)).toBe(false);
});

const SECRETS = {
  place: 'keyring',
  names: ['provider.gemini'],
  offers: [
    { place: 'keyring', state: 'ready', what: 'Secret Service' },
    { place: 'vault', state: 'new', what: 'vault' },
    { place: 'memory', state: 'ready', what: 'memory' },
  ],
};
const ABOUT = {
  version: '0.1.0',
  licence: 'Apache-2.0',
  platform: 'linux x86_64',
  home: '/home/amina/.local/share/bwana',
  database_bytes: 3_200_000,
  database_format: 3,
  licences: [
    { kind: 'npm', name: 'svelte', licence: 'MIT' },
    { kind: 'rust', name: 'tokio', licence: 'MIT' },
  ],
};
const ROWS = {
  settings: [
    { key: 'language', value: 'en', default: 'en', kind: 'choice' },
    { key: 'region', value: 'KE', default: null, kind: 'text' },
    { key: 'time_zone', value: 'Africa/Nairobi', default: 'UTC', kind: 'text' },
    { key: 'letter_keys', value: true, default: true, kind: 'switch' },
    { key: 'notifications', value: null, default: true, kind: 'switch' },
    { key: 'default_model', value: null, default: null, kind: 'text' },
    { key: 'local_model', value: null, default: null, kind: 'text' },
    { key: 'day_budget', value: 1, default: null, kind: 'money' },
  ],
};
const COPY = {
  path: '/home/amina/.local/share/bwana/backups/rolling/bwana-backup-2026-11-20T08-00-00',
  made_at: '2026-11-20T08:00:00.000Z',
  why: 'rolling',
  bytes: 4_200_000,
};
const REPORT = {
  name: 'bwana-diagnostics-2026-11-25.txt',
  parts: [
    { name: 'program', lines: ['bwana 0.1.0', 'linux x86_64'] },
    { name: 'settings', lines: ['language = "en"'] },
    { name: 'log', lines: ['WARN the tray is not there'] },
    { name: 'crashes', lines: [] },
  ],
};
const SETTINGS = {
  ...ANSWERS,
  'backup.list': { rolling: [COPY] },
  'profiles.list': {
    profiles: [{ name: 'shop', path: '/p/shop', is_open: false, has_data: true }],
  },
  'settings.show': ROWS,
  'settings.set': {},
  'secrets.show': SECRETS,
  'app.about': ABOUT,
  'logs.tail': { file: 'logs/bwana.2026-11-25.log', lines: ['INFO started', 'WARN the tray is not there'] },
  doctor: { ok: true, findings: [{ id: 'database', status: 'ok', message: 'It is sound' }] },
  'budget.show': {
    day: '2026-11-20',
    spent: 0.42,
    limit: 1,
    left: 0.5,
    reserved: 0.08,
    time_zone: 'Africa/Nairobi',
    unpriced_calls: 2,
  },
};

test('keys move into a new vault with a passphrase that was typed twice', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, {
    ...SETTINGS,
    'secrets.use': { ...SECRETS, place: 'vault', moved: ['provider.gemini'] },
  });
  await page.goto('/settings/privacy');
  await expect(page.getByText('provider.gemini')).toBeVisible();
  await page.getByRole('button', { name: 'Choose the place' }).click();
  const sheet = page.getByRole('dialog', { name: 'Where are keys to be kept?' });
  const keep = sheet.getByRole('button', { name: 'Keep keys here' });
  await expect(keep).toHaveAttribute('aria-disabled', 'true');
  await sheet.getByRole('radio', { name: /Memory/ }).check();
  await expect(sheet.getByText('gone when the program ends')).toBeVisible();
  await expect(sheet.getByRole('checkbox')).toBeHidden();
  await sheet.getByRole('radio', { name: /encrypted vault/ }).check();
  await sheet.getByLabel('New passphrase', { exact: true }).fill('correct horse');
  await sheet.getByLabel('New passphrase again').fill('correct');
  await expect(sheet.getByText('The two are not the same.')).toBeVisible();
  await expect(keep).toHaveAttribute('aria-disabled', 'true');
  await picture(page, 'settings-secrets');
  await expectAccessible(page);
  await sheet.getByLabel('New passphrase again').fill('correct horse');
  await keep.click();
  await expect
    .poll(() => calls(engine, 'secrets.use').map(({ params }) => params))
    .toEqual([{ place: 'vault', move: true, passphrase: 'correct horse' }]);
  await expect(page.getByText('1 key was moved here.')).toBeVisible();
  await expect(page.getByText('Keys are kept in the encrypted vault.')).toBeVisible();
  expect(watched.errors).toEqual([]);
});

test('a closed vault opens with its passphrase, and its passphrase changes', async ({ page }) => {
  const closed = { ...SECRETS, place: 'vault', names: null };
  const engine = await fakeEngine(page, {
    ...SETTINGS,
    'secrets.show': closed,
    'secrets.unlock': { ...closed, names: ['provider.gemini'] },
    'secrets.passphrase': { ...closed, names: ['provider.gemini'] },
  });
  engine.refusals['secrets.unlock'] = { code: 'secret.locked', message: 'the passphrase is another' };
  await page.goto('/settings/privacy');
  await page.getByLabel('Passphrase of the vault').fill('wrong one');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('The vault was not opened');
  await expectAccessible(page);
  delete engine.refusals['secrets.unlock'];
  await page.getByLabel('Passphrase of the vault').fill('right one');
  await page.keyboard.press('Enter');
  await expect(page.getByText('provider.gemini')).toBeVisible();
  await page.getByRole('button', { name: 'Change the passphrase' }).click();
  const sheet = page.getByRole('dialog', { name: 'Change the passphrase' });
  await sheet.getByLabel('Passphrase until now').fill('right one');
  await sheet.getByLabel('New passphrase', { exact: true }).fill('better one');
  await sheet.getByLabel('New passphrase again').fill('better one');
  await page.keyboard.press('Enter');
  await expect
    .poll(() => calls(engine, 'secrets.passphrase').map(({ params }) => params))
    .toEqual([{ old: 'right one', new: 'better one' }]);
  await expect(sheet).toBeHidden();
});

test('single letters stop being shortcuts when the setting says so', async ({ page }) => {
  const engine = await fakeEngine(page, SETTINGS);
  await page.goto('/settings/shortcuts');
  await expect(page.getByRole('main').getByText('Fold or unfold the sidebar')).toBeVisible();
  await picture(page, 'settings-shortcuts');
  await expectAccessible(page);
  await page.getByRole('switch', { name: 'Single letters as shortcuts' }).click();
  await expect
    .poll(() => calls(engine, 'settings.set').map(({ params }) => params))
    .toEqual([{ key: 'letter_keys', value: false }]);
  engine.change([
    { topic: 'settings', id: 'letter_keys', op: 'upsert', row: { ...ROWS.settings[3], value: false } },
  ]);
  await expect(page.getByRole('switch', { name: 'Single letters as shortcuts' })).not.toBeChecked();
  await page.getByRole('heading', { level: 1 }).focus();
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  // A key with Ctrl still works, so the letters had their chance.
  await page.keyboard.press('Control+b');
  await expect(page).toHaveURL(/settings\/shortcuts$/);
  engine.change([
    { topic: 'settings', id: 'letter_keys', op: 'upsert', row: { ...ROWS.settings[3], value: true } },
  ]);
  await expect(page.getByRole('switch', { name: 'Single letters as shortcuts' })).toBeChecked();
  await page.getByRole('heading', { level: 1 }).focus();
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await expect(page).toHaveURL(/agents$/);
});

test('the model for everything else is chosen from those that are there', async ({ page }) => {
  const engine = await fakeEngine(page, SETTINGS);
  await page.goto('/settings/models');
  await page.getByRole('combobox', { name: /Model when nothing is named/ }).click();
  await page.getByRole('option', { name: 'local/starter' }).click();
  await expect
    .poll(() => calls(engine, 'settings.set').map(({ params }) => params))
    .toEqual([{ key: 'default_model', value: 'local/starter' }]);
  await expectAccessible(page);
});

test('the program says what it is, and shows its log when asked', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, SETTINGS);
  await page.goto('/settings/about');
  await expect(page.getByText('Version 0.1.0')).toBeVisible();
  await expect(page.getByText('/home/amina/.local/share/bwana')).toBeVisible();
  await page.getByRole('button', { name: 'Made with 2 works of others' }).click();
  await expect(page.getByText('tokio')).toBeVisible();
  await picture(page, 'settings-about');
  await expectAccessible(page);
  await page.goto('/settings/diagnostics');
  await expect(page.getByText('It is sound')).toBeVisible();
  expect(calls(engine, 'logs.tail')).toHaveLength(0);
  await page.getByRole('button', { name: 'The program’s own log' }).click();
  await expect(page.getByText('WARN the tray is not there')).toBeVisible();
  await picture(page, 'settings-log');
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('a report for a helper is shown line by line, and saved as it was shown', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, { ...SETTINGS, 'diagnostics.preview': REPORT });
  await page.goto('/settings/diagnostics');
  await expect(page.getByText('It is sound')).toBeVisible();
  expect(calls(engine, 'diagnostics.preview')).toHaveLength(0);
  await page.getByRole('button', { name: 'A report for somebody who helps you' }).click();
  const report = page.getByRole('region', { name: 'A report for somebody who helps you' });
  await expect(report.getByRole('heading', { name: 'Crashes' })).toBeVisible();
  for (const line of REPORT.parts.flatMap((part) => part.lines)) await expect(report).toContainText(line);
  await expect(page.getByText('4 lines.')).toBeVisible();
  await picture(page, 'settings-report');
  await expectAccessible(page);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save this report' }).click();
  const file = await download;
  expect(file.suggestedFilename()).toBe(REPORT.name);
  const saved = await readFile(await file.path(), 'utf8');
  for (const part of REPORT.parts) expect(saved).toContain([`== ${part.name}`, ...part.lines].join('\n'));
  // It is what was looked at: nothing is asked again.
  expect(calls(engine, 'diagnostics.preview')).toHaveLength(1);
  engine.refusals['diagnostics.preview'] = { code: 'store.failed', message: 'The database does not answer' };
  await page.getByRole('button', { name: 'Read again' }).click();
  await expect(page.getByText('The report could not be put together')).toBeVisible();
  expect(watched.errors).toEqual([]);
});

test('copies of everything are listed, and one more is made on wish', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, { ...SETTINGS, 'backup.list': { rolling: [] } });
  await page.goto('/settings/data');
  await expect(page.getByText('None yet')).toBeVisible();
  engine.answers['backup.now'] = () => {
    engine.answers['backup.list'] = { rolling: [COPY] };
    return { path: COPY.path, files: 4, bytes: 9, runs: 1 };
  };
  await page.getByRole('button', { name: 'Make a copy now' }).click();
  await expect(page.getByText('Everything is copied and checked')).toBeVisible();
  await expect(page.getByRole('button', { name: /Look into it: the copy of/ })).toBeVisible();
  await expect(page.getByRole('button', { name: /Copy the folder of the copy of/ })).toBeVisible();
  expect(calls(engine, 'backup.now')).toHaveLength(1);
  await picture(page, 'settings-data');
  await expectAccessible(page);
  engine.refusals['backup.now'] = { code: 'store.full', message: 'The disk is full' };
  await page.getByRole('button', { name: 'Make a copy now' }).click();
  await expect(page.getByText('No copy was made')).toBeVisible();
  expect(watched.errors).toEqual([]);
});

test('the sections stand in the dark and in Arabic', async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem('bwana.theme', 'dark'));
  const [, ...others] = ROWS.settings;
  const arabic = { settings: [{ ...ROWS.settings[0], value: 'ar' }, ...others] };
  await fakeEngine(page, { ...SETTINGS, 'settings.show': arabic });
  await page.setViewportSize({ width: 900, height: 800 });
  for (const [section, words] of [
    ['privacy', 'provider.gemini'],
    ['about', 'Apache-2.0'],
    ['data', 'bwana --profile shop serve'],
    ['shortcuts', 'Ctrl'],
    ['budgets', '$0.42'],
    ['notifications', 'الأداة'],
  ] as const) {
    await page.goto(`/settings/${section}`);
    await expect(page.locator('html')).toHaveAttribute('dir', 'rtl');
    await expect(page.getByRole('main')).toContainText(words);
    await expectAccessible(page);
    await picture(page, `settings-${section}-ar`);
    expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)).toBe(false);
  }
});

test('the form takes the focus when it is opened', async ({ page }) => {
  const { answers } = withDrafts(ANSWERS);
  await fakeEngine(page, answers);
  await openForm(page);
  await expect(page.getByLabel('Instructions', { exact: true })).toBeFocused();
});
