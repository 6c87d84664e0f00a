// The handbook in the window: its pages, the ways between them, what is found in it, and the ways to it.
import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';

async function open(page: Page, path: string, answers: Record<string, unknown> = {}) {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, {
    'settings.show': settings({ language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' }),
    'drafts.get': { place: 'home', text: '' },
    'home.show': { live: [], suggested: [] },
    'run.list': { runs: [], total: 0 },
    'agents.list': { items: [] },
    'workflows.list': { items: [] },
    ...answers,
  });
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
  return { engine, watched };
}

const pane = (page: Page) => page.locator('[data-scroll=help]');
const title = (page: Page, name: string) => page.getByRole('heading', { level: 2, name, exact: true });
const contents = (page: Page) => page.getByRole('navigation', { name: 'Contents of the handbook' });
const find = (page: Page) => page.getByRole('searchbox', { name: 'Find in the handbook' });

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 900],
] as const) {
  test(`the handbook in ${name} breaks no rule and has no sideways scroll`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const { watched } = await open(page, '/help', {
      'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    });
    for (const path of ['', '/waiting', '/errors/provider.auth']) {
      if (path) await page.goto(`/help${path}`);
      const article = page.getByRole('article');
      await expect(article.getByRole('heading').first()).toBeVisible();
      for (const picture of await article.getByRole('img').all())
        await expect(picture).toHaveJSProperty('complete', true);
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({ path: info.outputPath(`help-${name}${path.replaceAll('/', '-')}.png`) });
      await expectAccessible(page);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wider).toBeLessThanOrEqual(0);
    }
    await page.getByRole('searchbox').fill('budget');
    await expect(pane(page).locator('mark').first()).toBeVisible();
    await page.screenshot({ path: info.outputPath(`help-${name}-found.png`) });
    await expectAccessible(page);
    // In other languages than its own the handbook says why it is in English.
    await page.goto('/help/home');
    await expect(page.getByRole('article').getByRole('heading').first()).toBeVisible();
    await expect(page.getByText('الدليل مكتوب بالإنجليزية.')).toHaveCount(language === 'ar' ? 1 : 0);
    expect(watched.errors).toEqual([]);
  });
}

test('every picture of every page is drawn', async ({ page }) => {
  await open(page, '/help');
  await expect(contents(page).getByRole('link').nth(5)).toBeVisible();
  const links = await contents(page)
    .locator('a.page')
    .evaluateAll((all) => all.map((one) => one.getAttribute('href') ?? ''));
  expect(links.length).toBeGreaterThan(20);
  let pictures = 0;
  for (const link of links) {
    await contents(page).locator(`a.page[href="${link}"]`).click();
    await expect(page).toHaveURL(link);
    await expect(contents(page).locator('[aria-current=page]')).toHaveAttribute('href', link);
    const shown = await page.getByRole('article').getByRole('img').all();
    for (const picture of shown) {
      await expect
        .poll(() => picture.evaluate((node: HTMLImageElement) => node.naturalWidth))
        .toBeGreaterThan(0);
      expect(await picture.getAttribute('alt')).not.toBe('');
    }
    pictures += shown.length;
  }
  expect(pictures).toBeGreaterThan(18);
});

test('F1 opens it from anywhere, also while one writes, and back leads back', async ({ page }) => {
  await open(page, '/');
  await page.getByRole('textbox').first().fill('A bakery');
  await page.keyboard.press('F1');
  await expect(page.getByRole('heading', { level: 1, name: 'Handbook' })).toBeAttached();
  await expect(title(page, 'The Bwana handbook')).toBeFocused();
  await page.goBack();
  await expect(page).toHaveURL('/home');
});

test('the sidebar and the palette lead to it', async ({ page }) => {
  await open(page, '/runs');
  await page.getByRole('link', { name: 'Help', exact: true }).click();
  await expect(page).toHaveURL('/help');
  await expect(page.getByRole('link', { name: 'Help', exact: true })).toHaveAttribute('aria-current', 'page');
  await page.goBack();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Search and commands' }).fill('handbook');
  await page.getByRole('option', { name: /^Help/ }).click();
  await expect(page).toHaveURL('/help');
});

test('links lead from page to page and to headings, and the way back keeps its place', async ({ page }) => {
  await open(page, '/help/troubleshooting');
  const link = page.getByRole('link', { name: 'Usage and budgets' }).last();
  await link.scrollIntoViewIfNeeded();
  const before = await pane(page).evaluate((node) => node.scrollTop);
  expect(before).toBeGreaterThan(0);
  await page.getByRole('article').getByRole('link', { name: 'Usage and budgets' }).click();
  await expect(page).toHaveURL('/help/usage?at=limits');
  await expect(page.getByRole('heading', { name: 'Limits' })).toBeFocused();
  await expect(page.getByRole('heading', { name: 'Limits' })).toBeInViewport();
  await page.goBack();
  await expect(title(page, 'Troubleshooting')).toBeAttached();
  await expect.poll(() => pane(page).evaluate((node) => node.scrollTop)).toBe(before);
});

test('previous and next go through the book with the keyboard, each page from its top', async ({ page }) => {
  await open(page, '/help/home');
  const next = page.getByRole('link', { name: /Next/ });
  await next.focus();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL('/help/waiting');
  await expect(title(page, 'Waiting for you')).toBeFocused();
  expect(await pane(page).evaluate((node) => node.scrollTop)).toBe(0);
  await page.getByRole('link', { name: /Previous/ }).focus();
  await page.keyboard.press('Enter');
  await expect(title(page, 'Home')).toBeFocused();
  // Whoever goes through the contents stays in them.
  await contents(page).getByRole('link', { name: 'Agents' }).focus();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL('/help/agents');
  await expect(contents(page).getByRole('link', { name: 'Agents', exact: true })).toBeFocused();
});

test('a word is found in headings and in texts; Enter opens the best, back brings what was found', async ({
  page,
}) => {
  await open(page, '/help');
  await expect(title(page, 'The Bwana handbook')).toBeVisible();
  await page.keyboard.press('/');
  await expect(find(page)).toBeFocused();
  await page.keyboard.type('disk is full');
  await expect(page.getByRole('status').filter({ hasText: /place/ })).toBeVisible();
  const first = pane(page).getByRole('link').first();
  await expect(first).toContainText('The disk is full');
  await page.keyboard.press('ArrowDown');
  await expect(first).toBeFocused();
  await find(page).focus();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL('/help/when-things-fail?at=the-disk-is-full');
  await expect(page.getByRole('heading', { name: 'The disk is full' })).toBeInViewport();
  await expect(find(page)).toHaveValue('');
  await page.goBack();
  await expect(find(page)).toHaveValue('disk is full');
  await find(page).focus();
  await find(page).fill('xylophone');
  await expect(page.getByText('The handbook says nothing of “xylophone”.')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(title(page, 'The Bwana handbook')).toBeVisible();
  await expect(find(page)).toBeFocused();
});

test('a command is found by the words it is typed with', async ({ page }) => {
  await open(page, '/help?find=bwana%20egress');
  await expect(pane(page).getByRole('link').first()).toHaveAttribute(
    'href',
    '/help/commands?at=bwana-egress',
  );
});

test('an error leads to what its code means', async ({ page }) => {
  const watched = await watchPage(page);
  const engine = await fakeEngine(page);
  engine.refusals['run.list'] = { code: 'store.damaged', message: 'page 7 is broken' };
  await page.goto('/runs');
  const box = page.getByRole('alert');
  await expect(box).toContainText('store.damaged');
  await box.getByRole('button', { name: 'What does this mean?' }).click();
  await expect(page).toHaveURL('/help/errors/store.damaged');
  await expect(title(page, 'store.damaged')).toBeFocused();
  await expect(page.getByRole('article')).toContainText('What to do.');
  // Of all errors the list of all stands in the contents.
  await expect(contents(page).locator('[aria-current=page]')).toHaveText('Every error');
  expect(watched.errors).toEqual([]);
});

test('a code of the window itself has no page, and none is promised', async ({ page }) => {
  const engine = await fakeEngine(page);
  engine.refusals['run.list'] = { code: 'connection_lost', message: 'cut' };
  await page.goto('/runs');
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByRole('button', { name: 'What does this mean?' })).toHaveCount(0);
});

test('a sheet with an error in it is not left for the handbook', async ({ page }) => {
  const { engine } = await open(page, '/connections', {
    'providers.list': { providers: [] },
    'models.list': { models: [] },
  });
  engine.refusals['providers.presets'] = { code: 'store.failed', message: 'the disk did not answer' };
  await page.getByRole('button', { name: 'Add provider' }).first().click();
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('store.failed');
  await expect(page.getByRole('dialog').getByRole('button', { name: 'What does this mean?' })).toHaveCount(0);
});

test('an address without a page says so and leads to the first page', async ({ page }) => {
  await open(page, '/help/errors/no.such');
  await expect(page.getByText('The handbook has no page at this address.')).toBeVisible();
  await page.getByRole('button', { name: 'To its first page' }).click();
  await expect(page).toHaveURL('/help');
});
