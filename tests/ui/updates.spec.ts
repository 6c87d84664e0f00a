// Newer versions under Settings, About: what is known, and each step only when the person says so.
import { expect, test, type Page } from '@playwright/test';
import { fakeDesktop, fakeEngine, HEALTHY, type FakeEngine } from './engine';
import { expectAccessible, watchPage } from './page';

const ABOUT = {
  version: '0.1.0',
  licence: 'Apache-2.0',
  platform: 'linux x86_64',
  home: '/home/amina/.local/share/bwana',
  database_bytes: 4_200_000,
  database_format: 5,
  licences: [{ kind: 'rust', name: 'tokio', licence: 'MIT' }],
};
const SETTINGS = (language: string) => ({
  settings: [
    {
      key: 'language',
      value: language,
      default: 'en',
      kind: 'choice',
    },
    {
      key: 'region',
      value: 'KE',
      default: null,
      kind: 'text',
    },
    {
      key: 'time_zone',
      value: 'Africa/Nairobi',
      default: 'UTC',
      kind: 'text',
    },
    {
      key: 'update_daily_check',
      value: false,
      default: false,
      kind: 'switch',
    },
  ],
});
const NOTHING = {
  version: '0.1.0',
  database_format: 5,
  source: 'bwana.example',
  checked_at: null,
  newer: null,
  installed: null,
  runs: 0,
  previous: null,
  backup: null,
};
const FILE = '/home/amina/.local/share/bwana/updates/bwana-desktop_0.2.0_linux-x86_64.deb';
const COMMAND = `sudo apt-get install --yes -o DPkg::Lock::Timeout=120 ${FILE}`;
const NEWER = {
  version: '0.2.0',
  released: '2026-11-20T09:00:00.000Z',
  notes: 'Runs start faster.\nAmounts in naira have two digits.\n<b>Not bold</b>',
  bytes: 24_000_000,
  bytes_here: 0,
  is_fetched: false,
  changes_data: false,
  install: 'system',
  file: null,
  command: null,
};
const FETCHED = {
  ...NEWER,
  bytes_here: 24_000_000,
  is_fetched: true,
  file: FILE,
  command: COMMAND,
};
const BACKUP = {
  path: '/home/amina/.local/share/bwana/backups/before-update/bwana-backup-2026-11-25T08-00-00-1',
  made_at: '2026-11-25T08:00:00.000Z',
};

/** Where pictures of the states go, for whoever wants to look at them. */
const PICTURES = process.env['BWANA_PICTURES'];
async function picture(page: Page, name: string) {
  if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}.png` });
}

async function open(page: Page, shown: object, more: Record<string, unknown> = {}, language = 'en') {
  const engine = await fakeEngine(page, {
    'app.about': ABOUT,
    'settings.show': SETTINGS(language),
    'updates.show': shown,
    ...more,
  });
  await page.goto('/settings/about');
  return engine;
}

const calls = (engine: FakeEngine, name: string) => engine.calls.filter((call) => call.name === name);

test('a program without a place to ask has no button that does nothing', async ({ page }) => {
  const watched = await watchPage(page);
  await open(page, { ...NOTHING, source: null });
  await expect(page.getByText('this one does not ask for them')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Check for updates' })).toHaveCount(0);
  await expect(page.getByRole('switch')).toHaveCount(0);
  await picture(page, 'updates-none');
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('nobody is asked until the person says so, and the answer is shown as text', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await open(page, NOTHING, {
    'updates.check': {
      ...NOTHING,
      checked_at: '2026-11-25T08:00:00.000Z',
      newer: NEWER,
    },
  });
  await expect(page.getByText('Nobody has asked for a newer version yet.')).toBeVisible();
  expect(calls(engine, 'updates.check')).toHaveLength(0);
  await page.getByRole('button', { name: 'Check for updates' }).click();
  await expect(page.getByText('Version 0.2.0')).toBeVisible();
  await expect(page.getByText('<b>Not bold</b>')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Download' })).toBeVisible();
  await picture(page, 'updates-newer');
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('what is not believed is said, and what was known stays', async ({ page }) => {
  const engine = await open(page, {
    ...NOTHING,
    checked_at: '2026-11-25T08:00:00.000Z',
    newer: NEWER,
  });
  engine.refusals['updates.check'] = {
    code: 'update.refused',
    message: 'the signature of the update manifest is not right: Invalid signature',
  };
  await page.getByRole('button', { name: 'Check for updates' }).click();
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('What came in the publisher’s name is not believed');
  await expect(alert).toContainText('Nothing was changed.');
  await expect(page.getByText('Version 0.2.0')).toBeVisible();
  await picture(page, 'updates-refused');
  await expectAccessible(page);
});

test('a download says how far it is and can be stopped', async ({ page }) => {
  const known = { ...NOTHING, checked_at: '2026-11-25T08:00:00.000Z' };
  const half = { ...known, newer: { ...NEWER, bytes_here: 9_000_000 } };
  let shown: object = { ...known, newer: NEWER };
  const engine = await open(page, () => shown, {});
  engine.pending('updates.download');
  await page.getByRole('button', { name: 'Download' }).click();
  engine.tellOf('updates.download', {
    event: 'progress',
    what: 'update',
    stage: 'downloading',
    done: 9_000_000,
    total: 24_000_000,
    bytes_per_s: 90_000,
    seconds_left: 167,
  });
  const meter = page.getByRole('meter', { name: 'Version 0.2.0' });
  await expect(meter).toBeVisible();
  await expect(page.getByText('3 min')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Check for updates' })).toHaveAttribute(
    'aria-disabled',
    'true',
  );
  await picture(page, 'updates-download');
  await expectAccessible(page);
  shown = half;
  await page.getByRole('button', { name: 'Cancel download' }).click();
  await expect(page.getByRole('button', { name: 'Go on downloading' })).toBeVisible();
});

test('an installation waits for runs, copies, and says what is used when', async ({ page }) => {
  const watched = await watchPage(page);
  const known = {
    ...NOTHING,
    checked_at: '2026-11-25T08:00:00.000Z',
    newer: FETCHED,
    runs: 2,
  };
  let shown: object = known;
  const engine = await open(page, () => shown, {});
  engine.pending('updates.install');
  await expect(page.getByText('2 runs are under way')).toBeVisible();
  await picture(page, 'updates-fetched');
  await page.getByRole('button', { name: 'Install', exact: true }).click();
  expect(calls(engine, 'updates.install').map((call) => call.params)).toEqual([{ wait: true, back: false }]);
  const tell = (stage: string, total: number | null) =>
    engine.tellOf('updates.install', {
      event: 'progress',
      what: 'update',
      stage,
      done: 0,
      total,
    });
  tell('waiting', 2);
  await expect(page.getByText('Waiting for 2 runs to end')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Stop waiting' })).toBeVisible();
  await picture(page, 'updates-waiting');
  await expectAccessible(page);
  tell('backing_up', null);
  await expect(page.getByText('Making a copy of everything…')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Stop waiting' })).toHaveCount(0);
  tell('installing', null);
  await expect(page.getByText('may ask for your password')).toBeVisible();
  shown = {
    ...NOTHING,
    checked_at: '2026-11-25T08:00:00.000Z',
    installed: '0.2.0',
    backup: BACKUP,
  };
  engine.answerTo('updates.install', { version: '0.2.0', is_done: true });
  await expect(
    page.getByText('Version 0.2.0 is installed. It is used when Bwana is started again.'),
  ).toBeVisible();
  await expect(page.getByRole('button', { name: 'Install', exact: true })).toHaveCount(0);
  await picture(page, 'updates-installed');
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('where the system asks nobody, the command is shown after the copy', async ({ page }) => {
  const newer = { ...FETCHED, install: 'command', changes_data: true };
  const known = { ...NOTHING, checked_at: '2026-11-25T08:00:00.000Z', newer };
  let shown: object = known;
  const engine = await open(page, () => shown, {
    'updates.install': { version: '0.2.0', is_done: false },
  });
  await expect(page.getByText(COMMAND)).toHaveCount(0);
  shown = { ...known, backup: BACKUP };
  await page.getByRole('button', { name: 'Copy everything and show how' }).click();
  await expect(page.getByText(COMMAND)).toBeVisible();
  await expect(page.getByRole('button', { name: 'Copy the command that installs' })).toBeVisible();
  expect(calls(engine, 'updates.install')).toHaveLength(1);
  await picture(page, 'updates-by-hand');
  await expectAccessible(page);
});

test('the way back is shown with what it needs', async ({ page }) => {
  const previous = {
    version: '0.0.9',
    file: '/home/amina/.local/share/bwana/updates/bwana-desktop_0.0.9_linux-x86_64.deb',
    command: 'sudo apt-get install --allow-downgrades ./bwana-desktop_0.0.9.deb',
    install: 'system',
    needs_backup: true,
  };
  await open(page, {
    ...NOTHING,
    previous,
    backup: BACKUP,
    checked_at: '2026-11-25T08:00:00.000Z',
  });
  await page.getByRole('button', { name: 'Go back to version 0.0.9' }).click();
  await expect(page.getByText('--allow-downgrades')).toBeVisible();
  await expect(page.getByText(`bwana restore "${BACKUP.path}"`)).toBeVisible();
  await picture(page, 'updates-back');
  await expectAccessible(page);
});

test('a version that opens the data is one press away, and the program starts itself again', async ({
  page,
}) => {
  const watched = await watchPage(page);
  const previous = {
    version: '0.0.9',
    file: '/home/amina/.local/share/bwana/updates/bwana-desktop_0.0.9_linux-x86_64.deb',
    command: 'sudo apt-get install --allow-downgrades ./bwana-desktop_0.0.9.deb',
    install: 'system',
    needs_backup: false,
  };
  let shown: object = {
    ...NOTHING,
    previous,
    backup: BACKUP,
    checked_at: '2026-11-25T08:00:00.000Z',
  };
  const engine = await fakeDesktop(page, {
    'app.about': ABOUT,
    'settings.show': SETTINGS('en'),
    'updates.show': () => shown,
    'shell.quit': null,
  });
  await page.goto('/settings/about');
  engine.pending('updates.install');
  await page.getByRole('button', { name: 'Go back to version 0.0.9' }).click();
  await expect(page.getByText('--allow-downgrades')).toHaveCount(0);
  await picture(page, 'updates-back-itself');
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Go back', exact: true }).click();
  expect(calls(engine, 'updates.install').map((call) => call.params)).toEqual([{ wait: true, back: true }]);
  engine.tellOf('updates.install', {
    event: 'progress',
    what: 'update',
    stage: 'backing_up',
    done: 0,
    total: null,
  });
  await expect(page.getByText('Making a copy of everything…')).toBeVisible();
  shown = {
    ...NOTHING,
    checked_at: '2026-11-25T08:00:00.000Z',
    installed: '0.0.9',
    backup: BACKUP,
  };
  engine.answerTo('updates.install', { version: '0.0.9', is_done: true });
  await expect(page.getByText('Version 0.0.9 is installed.')).toBeVisible();
  await picture(page, 'updates-restart');
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Start again now' }).click();
  await expect.poll(() => calls(engine, 'shell.quit').map((call) => call.params)).toEqual([{ how: 'again' }]);
  expect(watched.errors).toEqual([]);
});

test('a newer version is a dot at Settings, which leads to it', async ({ page }) => {
  const watched = await watchPage(page);
  await fakeEngine(page, {
    'app.about': ABOUT,
    'settings.show': SETTINGS('en'),
    'updates.show': {
      ...NOTHING,
      checked_at: '2026-11-25T08:00:00.000Z',
      newer: NEWER,
    },
    'home.health': { ...HEALTHY, newer: '0.2.0' },
  });
  await page.goto('/settings/general');
  const link = page.getByRole('link', {
    name: 'Settings Version 0.2.0 is there',
  });
  await expect(link).toBeVisible();
  await picture(page, 'updates-dot');
  await expectAccessible(page);
  await link.click();
  await expect(page.getByRole('button', { name: 'Download' })).toBeVisible();
  await page.setViewportSize({ width: 900, height: 800 });
  await picture(page, 'updates-dot-narrow');
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

for (const [name, scheme, language, width] of [
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'fr', 900],
] as const) {
  test(`it reads well: ${name}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 800 });
    await open(
      page,
      {
        ...NOTHING,
        checked_at: '2026-11-25T08:00:00.000Z',
        newer: FETCHED,
        runs: 2,
      },
      {},
      language,
    );
    await expect(page.getByText('0.2.0').first()).toBeVisible();
    await picture(page, `updates-${name}`);
    await expectAccessible(page);
  });
}
