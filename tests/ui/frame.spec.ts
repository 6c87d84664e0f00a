import { expect, test } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';

test('the frame shows its places, what waits and the state of today', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, {
    'tasks.list': {
      tasks: [
        { id: 't1', status: 'open' },
        { id: 't2', status: 'open' },
      ],
    },
  });
  await page.goto('/agents');
  const nav = page.getByRole('navigation', { name: 'Main' });
  await expect(nav.getByRole('link')).toHaveText([
    /Home/,
    /Waiting for you/,
    /Runs/,
    /Workflows/,
    /Agents/,
    /Connections/,
    /Usage/,
  ]);
  await expect(nav.getByRole('link', { name: /2 tasks wait for you/ })).toBeVisible();
  await expect(nav.getByRole('link', { name: 'Agents' })).toHaveAttribute('aria-current', 'page');
  await expect(page.getByRole('group', { name: 'State today' })).toHaveText(/Online.*\$0\.42 of \$1\.00/s);
  engine.change([{ topic: 'tasks', id: 't1', op: 'upsert', row: { id: 't1', status: 'decided' } }]);
  await expect(nav.getByRole('link', { name: /1 task waits for you/ })).toBeVisible();
  await expectAccessible(page);
  expect(watched.errors).toEqual([]);
});

test('keys lead to the places, and back returns with its focus', async ({ page }) => {
  await fakeEngine(page);
  await page.goto('/runs');
  await page.getByRole('link', { name: 'Runs' }).focus();
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await expect(page).toHaveURL(/\/agents$/);
  await page.keyboard.press('Control+,');
  await expect(page).toHaveURL(/\/settings\/general$/);
  await page.keyboard.press('Control+[');
  await page.keyboard.press('Control+[');
  await expect(page).toHaveURL(/\/runs$/);
  await expect(page.getByRole('link', { name: 'Runs' })).toBeFocused();
});

test('a label comes where there are no words, and Escape takes it away', async ({ page }) => {
  const watched = await watchPage(page);
  await fakeEngine(page);
  await page.goto('/runs');
  const help = page.locator('#nav-help');
  const tip = page.locator('[role="tooltip"]');
  await help.hover();
  await expect(tip).toContainText('Help');
  await expect(help).toHaveAccessibleDescription(/Help/);
  const [of, words] = [await help.boundingBox(), await tip.boundingBox()];
  expect(words!.y + words!.height).toBeLessThanOrEqual(of!.y);
  expect(words!.x).toBeGreaterThanOrEqual(0);
  await expectAccessible(page);
  // It can be read under the pointer, too.
  await tip.hover();
  await page.keyboard.press('Escape');
  await expect(tip).toBeHidden();
  await expect(help).not.toHaveAttribute('aria-describedby');
  await page.mouse.move(600, 300);

  // Words that stand there already are not said again.
  await help.hover();
  await expect(tip).toBeVisible();
  await page.locator('#nav-runs').hover();
  await expect(tip).toBeHidden();
  await page.locator('#nav-settings').focus();
  await page.keyboard.press('Tab');
  await expect(help).toBeFocused();
  await expect(tip).toContainText('Help');
  await page.keyboard.press('Shift+Tab');
  await expect(tip).toBeHidden();
  expect(watched.errors).toEqual([]);
});

test('a change of language turns the whole window without a reload', async ({ page }) => {
  const engine = await fakeEngine(page);
  await page.goto('/runs');
  await expect(page.getByRole('link', { name: 'Runs' })).toBeVisible();
  engine.change([{ topic: 'settings', id: 'language', op: 'upsert', row: { key: 'language', value: 'ar' } }]);
  await expect(page.getByRole('link', { name: 'عمليات التشغيل' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('dir', 'rtl');
  const side = await page.getByRole('complementary').boundingBox();
  expect(side?.x).toBeGreaterThan(900);
});

test('a narrow window has a rail whose links keep their names', async ({ page }) => {
  await page.setViewportSize({ width: 900, height: 700 });
  await fakeEngine(page, { 'tasks.list': { tasks: [{ id: 't1', status: 'open' }] } });
  await page.goto('/runs');
  const side = page.getByRole('complementary');
  await expect(side.getByRole('link', { name: 'Runs' })).toBeVisible();
  expect((await side.boundingBox())?.width).toBe(56);
  await expect(side.getByRole('link', { name: /1 task waits for you/ })).toBeVisible();
  await expectAccessible(page);
});

test('the sidebar is resized by the keyboard and remembers it', async ({ page }) => {
  await fakeEngine(page);
  await page.goto('/runs');
  await page.getByRole('separator', { name: 'Width of the sidebar' }).focus();
  await page.keyboard.press('End');
  await page.reload();
  await expect(page.getByRole('link', { name: 'Runs' })).toBeVisible();
  expect((await page.getByRole('complementary').boundingBox())?.width).toBe(320);
});

test('a dropped connection is said, dialled again, and changes go on', async ({ page }) => {
  const engine = await fakeEngine(page, { 'settings.show': settings({ language: 'en', time_zone: 'UTC' }) });
  await page.goto('/runs');
  await expect(page.getByText('Online')).toBeVisible();
  await engine.drop();
  await expect.poll(() => engine.calls.filter((call) => call.name === 'changes.watch').length).toBe(2);
  await expect(page.getByText('Online')).toBeVisible();
  engine.change([{ topic: 'tasks', id: 't9', op: 'upsert', row: { id: 't9', status: 'open' } }]);
  await expect(page.getByRole('link', { name: /1 task waits for you/ })).toBeVisible();
});

test('a page without a session says what to open', async ({ page }) => {
  await page.goto('/home');
  await expect(page.getByRole('alert')).toContainText('bwana serve');
  await expectAccessible(page);
});
