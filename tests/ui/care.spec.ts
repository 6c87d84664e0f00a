// Care of data: the banner over the window, copies and what is done with one, profiles, and the window that stands in the place
// of everything while the database is damaged.
import { expect, test, type Page } from '@playwright/test';
import { fakeDesktop, fakeEngine, HEALTHY, settings, type FakeEngine } from './engine';
import { expectAccessible, watchPage } from './page';

const ROWS = settings({ language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' });
const FULL = { ...HEALTHY, mode: 'read_only', free_bytes: 5_200_000, since: '2026-11-20T08:00:00.000Z' };
const DAMAGED = {
  ...HEALTHY,
  mode: 'damaged',
  what: 'Tree 4 page 12: btreeInitPage() returns error code 11',
};
const FOLDER = '/home/amina/.local/share/bwana/backups';
const COPY = {
  path: `${FOLDER}/rolling/bwana-backup-2026-11-20T08-00-00`,
  made_at: '2026-11-20T08:00:00.000Z',
  why: 'rolling',
  bytes: 4_200_000,
};
const PREVIEW = {
  path: COPY.path,
  made_at: COPY.made_at,
  program: '0.1.0',
  format: 9,
  files: 14,
  bytes: 4_200_000,
  verifies: true,
  runs: 6,
  entries: 412,
  new: 2,
  equal: 1,
  behind: 1,
  ahead: 1,
  conflict: 1,
};
const LEFT = { run: 'run_06DMHX8ZB5S3N00000000000AB', reason: 'conflict' };
const TAKEN = { added: 2, continued: 1, left_out: [LEFT], undo_until: '2026-12-20T08:00:00.000Z' };
const UNDO = {
  made_at: '2026-11-20T08:00:00.000Z',
  until: '2026-12-20T08:00:00.000Z',
  runs_lost: 1,
  entries_lost: 23,
  needs_restart: false,
};
const PROFILES = {
  profiles: [
    { name: '', path: '/home/amina/.local/share/bwana', is_open: true, has_data: true },
    { name: 'shop', path: '/home/amina/.local/share/bwana/profiles/shop', is_open: false, has_data: true },
  ],
};
const DATA = {
  'settings.show': ROWS,
  'backup.list': { rolling: [COPY], others: [] },
  'backup.preview': PREVIEW,
  'profiles.list': PROFILES,
};
const LOOK = {
  is_damaged: true,
  what: DAMAGED.what,
  backups: [COPY],
  good: { path: COPY.path, made_at: COPY.made_at, runs: 5, entries: 380 },
  readable_runs: 6,
  readable_entries: 401,
};
const REPORT = {
  good: LOOK.good,
  runs: 6,
  entries: 408,
  salvaged_runs: 2,
  left_out: [{ run: 'run_06DMHX8ZB5S3N00000000000CD', reason: 'unreadable', what: 'its entry 7 is cut' }],
  set_aside: ['/home/amina/.local/share/bwana/bwana.db.damaged-1'],
};

const calls = (engine: FakeEngine, name: string) => engine.calls.filter((call) => call.name === name);
const picture = (page: Page, name: string) =>
  page.screenshot({ path: `target/ui-pictures/${name}.png`, animations: 'disabled' });

test('a full disk is said over every screen, and ends when there is room', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, { ...DATA, 'home.health': FULL });
  await page.goto('/settings/data');
  const banner = page.getByRole('status').filter({ hasText: 'The disk is full' });
  await expect(banner).toContainText('5.2 MB');
  await expect(banner).toContainText('goes on by itself');
  await expectAccessible(page);
  await picture(page, 'care-full');
  engine.refusals['backup.now'] = { code: 'store.full', message: 'the disk is full' };
  await page.getByRole('button', { name: 'Make a copy now' }).click();
  await expect(page.getByRole('alert')).toContainText('store.full');
  await banner.getByRole('button', { name: 'What to do' }).press('Enter');
  await expect(page).toHaveURL(/help\/when-things-fail/);
  await expect(banner).toBeVisible();
  engine.answers['home.health'] = HEALTHY;
  engine.change([{ topic: 'home', id: 'health', op: 'upsert', row: HEALTHY }]);
  await expect(banner).toBeHidden();
  expect(watched.errors).toEqual([]);
});

test('a database that is found damaged leads to the repair', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeDesktop(page, { ...DATA, 'home.health': HEALTHY, 'shell.quit': null });
  await page.goto('/settings/about');
  await expect(page.getByRole('heading', { name: 'Settings', exact: true })).toBeVisible();
  engine.change([{ topic: 'home', id: 'health', op: 'upsert', row: DAMAGED }]);
  const banner = page.getByRole('status').filter({ hasText: 'The database is damaged' });
  await expect(banner).toContainText('btreeInitPage');
  await expectAccessible(page);
  await picture(page, 'care-damaged');
  await banner.getByRole('button', { name: 'Start again and repair' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: /Start again to repair/ });
  await expect(dialog.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  expect(calls(engine, 'shell.quit')).toHaveLength(0);
  await banner.getByRole('button', { name: 'Start again and repair' }).click();
  await dialog.getByRole('button', { name: 'Start again and repair' }).click();
  await expect(banner.getByRole('button', { name: 'Starting again' })).toBeVisible();
  expect(calls(engine, 'shell.quit').map((call) => call.params)).toEqual([{ how: 'repair' }]);
  expect(watched.errors).toEqual([]);
});

test('in a browser a damaged database names the command instead', async ({ page }) => {
  await fakeEngine(page, { ...DATA, 'home.health': DAMAGED });
  await page.goto('/settings/about');
  const banner = page.getByRole('status').filter({ hasText: 'The database is damaged' });
  await expect(banner).toContainText('bwana recover');
  await expect(banner.getByRole('button')).toHaveCount(0);
});

test('settings that cannot be read are said with their line, and the last good ones put back', async ({
  page,
}) => {
  const watched = await watchPage(page);
  const problem = { line: 7, what: 'invalid string, expected "', can_restore: true };
  const engine = await fakeDesktop(page, {
    ...DATA,
    'settings.show': { ...ROWS, problem },
    'shell.reveal_settings': null,
  });
  engine.answers['settings.restore'] = () => {
    engine.answers['settings.show'] = ROWS;
    return { replaced: '/home/amina/.local/share/bwana/settings.toml.replaced-1' };
  };
  await page.goto('/settings/about');
  const banner = page.getByRole('status').filter({ hasText: 'The settings file cannot be used' });
  await expect(banner).toContainText('settings.toml, line 7');
  await expect(banner).toContainText('invalid string');
  await expectAccessible(page);
  await picture(page, 'care-settings');
  await banner.getByRole('button', { name: 'Open its folder' }).press('Enter');
  await expect.poll(() => calls(engine, 'shell.reveal_settings')).toHaveLength(1);
  await banner.getByRole('button', { name: 'Use the last good settings' }).press('Enter');
  await expect(page.getByText('settings.toml.replaced-1')).toBeVisible();
  await expect(banner).toBeHidden();
  expect(watched.errors).toEqual([]);
});

test('whoever mends the settings file by hand comes back to a window without the notice', async ({
  page,
}) => {
  const engine = await fakeEngine(page, {
    ...DATA,
    'settings.show': { ...ROWS, problem: { line: null, what: 'the budget is negative', can_restore: false } },
  });
  await page.goto('/settings/about');
  const banner = page.getByRole('status').filter({ hasText: 'The settings file cannot be used' });
  await expect(banner).toContainText('No earlier settings are kept');
  await expect(banner.getByRole('button')).toHaveCount(0);
  engine.answers['settings.show'] = ROWS;
  await page.evaluate(() => dispatchEvent(new Event('focus')));
  await expect(banner).toBeHidden();
});

test('a copy is looked into, taken in, and taken back with two presses', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeDesktop(page, { ...DATA, 'shell.quit': null });
  engine.answers['backup.restore'] = () => {
    const path = `${FOLDER}/before-restore/bwana-backup-2026-11-20T09-00-00`;
    const before = { path, made_at: new Date().toISOString(), why: 'before_restore', bytes: 4_300_000 };
    engine.answers['backup.list'] = { rolling: [COPY], others: [before] };
    return TAKEN;
  };
  engine.answers['backup.undo'] = ({ preview }: { preview: boolean }) => ({
    ...UNDO,
    needs_restart: !preview,
  });
  await page.goto('/settings/data');
  const row = page.getByRole('listitem').filter({ hasText: '20 Nov 2026' });
  await expect(row).toContainText('Full copy');
  await expect(row).toContainText('4.2 MB');
  await picture(page, 'care-copies');
  await row.getByRole('button', { name: /Look into it/ }).press('Enter');
  const sheet = page.getByRole('dialog', { name: /Copy of 20 Nov 2026/ });
  await expect(sheet).toContainText('2 are not here');
  await expect(sheet).toContainText('1 went further there');
  await expect(sheet).toContainText('0.1.0');
  await expect(sheet.getByRole('radio', { name: /Take in what is missing/ })).toBeChecked();
  await expectAccessible(page);
  await picture(page, 'care-sheet');
  await sheet.getByRole('button', { name: 'Take in 3 runs' }).press('Enter');
  await expect(sheet).toContainText('2 runs were taken in');
  await expect(sheet).toContainText('1 run went on');
  await expect(sheet).toContainText('It went another way here.');
  expect(calls(engine, 'backup.restore').map((call) => call.params)).toEqual([
    { path: COPY.path, how: 'merge' },
  ]);
  await expectAccessible(page);
  await picture(page, 'care-taken');

  await sheet.getByRole('button', { name: 'Take back what was taken in' }).press('Enter');
  const undo = page.getByRole('dialog', { name: 'Take back what was taken in?' });
  await expect(undo).toContainText('1 run and 23 events');
  await expectAccessible(page);
  await picture(page, 'care-undo');
  const act = undo.getByRole('button', { name: 'Take it back', exact: true });
  const again = undo.getByRole('button', { name: 'Press again to take it back' });
  const done = page.getByRole('dialog', { name: 'It is ready to be taken back' });
  // One press does nothing: one right after the question appeared is not heard, and the next only arms, for three seconds.
  await act.click();
  expect(calls(engine, 'backup.undo').map((call) => call.params)).toEqual([{ preview: true }]);
  await expect(async () => {
    if (await act.isVisible()) await act.click();
    await again.click({ timeout: 1_000 });
    await expect(done).toBeVisible({ timeout: 2_000 });
  }).toPass();
  await done.getByRole('button', { name: 'Start again now' }).press('Enter');
  await expect(done.getByRole('button', { name: 'Starting again' })).toBeVisible();
  expect(calls(engine, 'backup.undo').map((call) => call.params)).toEqual([
    { preview: true },
    { preview: false },
  ]);
  expect(calls(engine, 'shell.quit').map((call) => call.params)).toEqual([{ how: 'again' }]);
  expect(watched.errors).toEqual([]);
});

test('a copy becomes a profile of its own, and one that is cut is marked and offers nothing', async ({
  page,
}) => {
  const watched = await watchPage(page);
  const old = { ...COPY, path: `${COPY.path}-1`, made_at: '2026-11-19T08:00:00.000Z', why: 'asked' };
  const engine = await fakeDesktop(page, {
    ...DATA,
    'backup.list': { rolling: [COPY], others: [old] },
    'shell.profile': null,
  });
  engine.answers['backup.preview'] = ({ path }: { path: string }) =>
    path === COPY.path
      ? { ...PREVIEW, new: 0, ahead: 0 }
      : {
          ...PREVIEW,
          verifies: false,
          problem: { code: 'backup.invalid', what: 'bwana.db has another sum than its manifest says' },
        };
  engine.refusals['backup.restore'] = {
    code: 'settings.invalid',
    message: "'My shop' cannot be the name of a profile",
    hint: 'Use lower-case letters.',
  };
  await page.goto('/settings/data');
  await page.getByRole('button', { name: /Look into it: the copy of 20 Nov/ }).click();
  const sheet = page.getByRole('dialog', { name: /Copy of 20 Nov 2026/ });
  await expect(sheet.getByRole('radio', { name: /Take in what is missing/ })).toBeDisabled();
  await expect(sheet.getByRole('radio', { name: /profile of its own/ })).toBeChecked();
  await sheet.getByRole('textbox', { name: 'Name of the profile' }).fill('My shop');
  await sheet.getByRole('button', { name: 'Make the profile' }).click();
  await expect(sheet.getByRole('alert')).toContainText('It was not brought back');
  delete engine.refusals['backup.restore'];
  engine.answers['backup.restore'] = {
    added: 6,
    continued: 0,
    left_out: [],
    undo_until: null,
    profile: '/home/amina/.local/share/bwana/profiles/stall',
  };
  await sheet.getByRole('textbox', { name: 'Name of the profile' }).fill('stall');
  await picture(page, 'care-profile');
  await sheet.getByRole('button', { name: 'Make the profile' }).click();
  await expect(sheet).toContainText('The profile stall is there');
  expect(calls(engine, 'backup.restore').at(-1)!.params).toEqual({
    path: COPY.path,
    how: 'profile',
    profile: 'stall',
  });
  await sheet.getByRole('button', { name: 'Open the profile: stall' }).click();
  await expect
    .poll(() => calls(engine, 'shell.profile').map((call) => call.params))
    .toEqual([{ name: 'stall' }]);
  await sheet.locator('.acts').getByRole('button', { name: 'Close' }).click();
  await expect(page.getByRole('listitem').filter({ hasText: '20 Nov' })).toContainText('Whole');

  await page.getByRole('button', { name: /Look into it: the copy of 19 Nov/ }).click();
  const cut = page.getByRole('dialog', { name: /Copy of 19 Nov 2026/ });
  await expect(cut.getByRole('alert')).toContainText('This copy cannot be used');
  await expect(cut.getByRole('radio')).toHaveCount(0);
  await picture(page, 'care-cut');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('listitem').filter({ hasText: '19 Nov' })).toContainText('Not usable');
  expect(watched.errors).toEqual([]);
});

test('profiles are listed, made and opened; a browser names the command', async ({ page, browser }) => {
  const watched = await watchPage(page);
  const engine = await fakeDesktop(page, { ...DATA, 'shell.profile': null });
  await page.goto('/settings/data');
  const profiles = page.getByRole('region', { name: 'Profiles' });
  await expect(profiles.getByRole('listitem').first()).toContainText('This one');
  await profiles.getByRole('button', { name: 'Open the profile: shop' }).press('Enter');
  await expect(page.getByText('It opens in a window of its own: shop')).toBeVisible();
  expect(calls(engine, 'shell.profile').map((call) => call.params)).toEqual([{ name: 'shop' }]);
  const name = profiles.getByRole('textbox', { name: 'A new profile' });
  engine.refusals['profiles.create'] = {
    code: 'usage.invalid',
    message: "there is a profile called 'shop' already",
    hint: 'Choose another name; nothing was changed.',
  };
  await name.fill('shop');
  await name.press('Enter');
  await expect(profiles).toContainText("there is a profile called 'shop' already");
  await expect(name).toHaveAttribute('aria-invalid', 'true');
  await expectAccessible(page);
  delete engine.refusals['profiles.create'];
  const made = { name: 'stall', path: '/p/stall', is_open: false, has_data: false };
  engine.answers['profiles.create'] = () => {
    engine.answers['profiles.list'] = { profiles: [...PROFILES.profiles, made] };
    return made;
  };
  await name.fill('stall');
  await name.press('Enter');
  await expect(profiles.getByRole('listitem').filter({ hasText: 'stall' })).toContainText(
    'Nothing stored yet',
  );
  await profiles.scrollIntoViewIfNeeded();
  await picture(page, 'care-profiles');
  expect(watched.errors).toEqual([]);

  const other = await browser.newPage();
  await fakeEngine(other, DATA);
  await other.goto('/settings/data');
  await expect(other.getByRole('region', { name: 'Profiles' })).toContainText('bwana --profile shop serve');
  await other.close();
});

test('a damaged database has the window to itself, is brought back, and the program starts again', async ({
  page,
}) => {
  const watched = await watchPage(page);
  const engine = await fakeDesktop(page, {
    ...DATA,
    'home.health': { ...DAMAGED, is_repair: true },
    'recover.look': LOOK,
    'recover.run': REPORT,
    'shell.quit': null,
  });
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'The database is damaged' })).toBeVisible();
  await expect(page.getByRole('main')).toContainText(
    'The newest copy that is whole is of 20 Nov 2026, 11:00: 5 runs.',
  );
  await expect(page.getByRole('main')).toContainText('6 runs with 401 events can still be read');
  await expect(page.getByRole('navigation')).toHaveCount(0);
  await page.getByRole('button', { name: 'What was found' }).press('Enter');
  await expect(page.getByText('btreeInitPage')).toBeVisible();
  await expect(page.getByRole('radio', { name: /recommended/ })).toBeChecked();
  await expectAccessible(page);
  await picture(page, 'care-recovery');
  await page.getByRole('radio', { name: /recommended/ }).press('ArrowDown');
  await expect(page.getByRole('radio', { name: /Only the copy/ })).toBeChecked();
  engine.refusals['recover.run'] = { code: 'home.in_use', message: 'another program has it open' };
  await page.getByRole('button', { name: 'Bring it back' }).press('Enter');
  await expect(page.getByRole('alert')).toContainText('It could not be brought back');
  delete engine.refusals['recover.run'];
  await page.getByRole('radio', { name: /recommended/ }).check();
  await page.getByRole('button', { name: 'Bring it back' }).press('Enter');
  await expect(page.getByRole('heading', { name: 'It is brought back' })).toBeFocused();
  await expect(page.getByRole('main')).toContainText('6 runs with 408 events are there again.');
  await expect(page.getByRole('main')).toContainText('Something of 2 runs came from the damaged database.');
  await expect(page.getByRole('main')).toContainText('its entry 7 is cut');
  await expect(page.getByRole('main')).toContainText('bwana.db.damaged-1');
  expect(calls(engine, 'recover.run').map((call) => call.params)).toEqual([
    { from: 'backup' },
    { from: 'salvage' },
  ]);
  // Nothing is followed where no database is open.
  expect(calls(engine, 'changes.watch')).toHaveLength(0);
  await expectAccessible(page);
  await picture(page, 'care-recovered');
  await page.getByRole('button', { name: 'Open Bwana' }).press('Enter');
  await expect.poll(() => calls(engine, 'shell.quit').map((call) => call.params)).toEqual([{ how: 'again' }]);
  expect(watched.errors).toEqual([]);
});

test('without a copy only what can be read comes back; a browser is told how to go on', async ({ page }) => {
  await fakeEngine(page, {
    ...DATA,
    'home.health': { ...DAMAGED, is_repair: true },
    'recover.look': { ...LOOK, good: null, backups: [] },
    'recover.run': { ...REPORT, good: null, left_out: [] },
  });
  await page.goto('/');
  await expect(page.getByRole('radio', { name: /Only the copy/ })).toBeDisabled();
  await page.getByRole('button', { name: 'Bring it back' }).click();
  await expect(page.getByRole('main')).toContainText('Start the program again to go on.');
  await expect(page.getByRole('button', { name: 'Open Bwana' })).toHaveCount(0);
});

test('care of data stands in the dark and in Arabic, 900 pixels wide', async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem('bwana.theme', 'dark'));
  const arabic = settings({ language: 'ar', region: 'KE', time_zone: 'Africa/Nairobi' });
  const problem = { line: 7, what: 'invalid string', can_restore: true };
  const engine = await fakeDesktop(page, {
    ...DATA,
    'settings.show': { ...arabic, problem },
    'home.health': FULL,
    'recover.look': LOOK,
    'recover.run': REPORT,
  });
  await page.setViewportSize({ width: 900, height: 800 });
  await page.goto('/settings/data');
  await expect(page.getByRole('status').filter({ hasText: 'القرص ممتلئ' })).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'care-ar-data');
  await page.getByRole('button', { name: /انظر فيها/ }).click();
  await expect(page.getByRole('dialog')).toContainText('0.1.0');
  await expectAccessible(page);
  await picture(page, 'care-ar-sheet');
  engine.answers['home.health'] = { ...DAMAGED, is_repair: true };
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'قاعدة البيانات تالفة' })).toBeVisible();
  await expect(page.getByRole('radio').first()).toBeVisible();
  await expectAccessible(page);
  await picture(page, 'care-ar-recovery');
  expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)).toBe(false);
});
