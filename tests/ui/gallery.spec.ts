import { expect, test } from '@playwright/test';
import { expectAccessible, watchPage } from './page';

const VIEWS = [
  ['light', 'en', 'ltr'],
  ['dark', 'en', 'ltr'],
  ['hc-light', 'fr', 'ltr'],
  ['hc-dark', 'sw', 'ltr'],
  ['light', 'ar', 'rtl'],
  ['dark', 'ar', 'rtl'],
  ['light', 'en-XA', 'ltr'],
] as const;

for (const [theme, lang, dir] of VIEWS) {
  test(`the gallery in ${theme} and ${lang} breaks no rule of axe or of the policy`, async ({ page }) => {
    const watched = await watchPage(page);
    await page.goto(`/gallery?theme=${theme}&lang=${lang}`);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
    await expect(page.locator('html')).toHaveAttribute('dir', dir);
    await expectAccessible(page);
    const wider = await page.evaluate(
      () => document.querySelector('main')!.scrollWidth - document.querySelector('main')!.clientWidth,
    );
    expect(wider).toBeLessThanOrEqual(0);
    expect(watched.errors).toEqual([]);
  });
}

test('dialog, sheet, menu, select and popover hold the focus and give it back', async ({ page }) => {
  const watched = await watchPage(page);
  await page.goto('/gallery');
  for (const [trigger, role] of [
    ['Dialog', 'dialog'],
    ['Sheet', 'dialog'],
    ['Popover', 'dialog'],
    ['Menu', 'menu'],
  ] as const) {
    const button = page.getByRole('button', { name: trigger, exact: true });
    await button.click();
    const shown = page.getByRole(role);
    await expect(shown).toBeVisible();
    await expect.poll(() => shown.evaluate((node) => node.contains(document.activeElement))).toBe(true);
    await expectAccessible(page, true);
    await page.keyboard.press('Escape');
    await expect(shown).toBeHidden();
    await expect(button).toBeFocused();
  }
  await page.getByRole('combobox', { name: /^Language/ }).click();
  await page.getByRole('option', { name: /العربية/ }).click();
  await expect(page.getByRole('combobox', { name: /^Language: العربية/ })).toBeFocused();
  expect(watched.errors).toEqual([]);
});

test('tabs follow the arrows as they are seen', async ({ page }) => {
  await page.goto('/gallery?lang=ar');
  await page.getByRole('tab', { name: /Chat/ }).focus();
  await page.keyboard.press('ArrowLeft');
  await expect(page.getByRole('tab', { name: /Events/ })).toBeFocused();
  await expect(page.getByRole('tab', { name: /Events/ })).toHaveAttribute('aria-selected', 'true');
});

test('the long list keeps few rows, says where each stands, follows and stops following', async ({
  page,
}) => {
  await page.goto('/gallery');
  const list = page.getByRole('log', { name: 'Events' });
  await list.scrollIntoViewIfNeeded();
  await expect(list.getByText('Event 2000', { exact: true })).toBeVisible();
  const rows = list.locator('[aria-posinset]');
  expect(await rows.count()).toBeLessThan(60);
  await expect(rows.last()).toHaveAttribute('aria-setsize', '2000');
  await page.getByRole('button', { name: 'Add an event' }).click();
  await expect(list.getByText('Event 2001', { exact: true })).toBeVisible();
  await list.hover();
  await page.mouse.wheel(0, -3_000);
  await expect(list.getByText('Event 2001', { exact: true })).toBeHidden();
  const seen = () => list.evaluate((node) => node.scrollTop);
  await expect.poll(async () => (await seen()) === (await seen())).toBe(true);
  const before = await seen();
  await page.getByRole('button', { name: 'Add an event' }).click();
  await expect(page.getByRole('button', { name: '1 new' })).toBeVisible();
  expect(await seen()).toBe(before);
  await page.getByRole('button', { name: '1 new' }).click();
  await expect(list.getByText('Event 2002', { exact: true })).toBeVisible();
});

test('what a model wrote runs nothing and loads nothing', async ({ page }) => {
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).hostname));
  await page.goto('/gallery');
  await expect(page.getByText('onerror="window.__pwned=1"')).toBeVisible();
  await expect(page.getByText('a trap')).toBeVisible();
  await expect(page.getByRole('button', { name: 'a trap' })).toHaveCount(0);
  expect(await page.evaluate(() => (window as unknown as { __pwned?: number }).__pwned)).toBeUndefined();
  expect(new Set(asked)).toEqual(new Set(['127.0.0.1']));
});

test('the theme follows the system live and stands before the first paint', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto('/gallery?theme=system');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await page.emulateMedia({ colorScheme: 'light', contrast: 'more' });
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'hc-light');
});

test('the bundled fonts draw figures of one width and every letter of the five languages', async ({
  page,
}) => {
  await page.goto('/gallery');
  await expect(page.locator('main')).toBeVisible();
  await page.evaluate(() => document.fonts.ready);
  const widths = await page.evaluate(() => {
    const probe = document.createElement('span');
    // Where figures change or stand under each other.
    probe.className = 'num';
    document.body.append(probe);
    const all = [...'0123456789'].map((digit) => {
      probe.textContent = digit.repeat(20);
      return probe.getBoundingClientRect().width;
    });
    probe.remove();
    return new Set(all).size;
  });
  expect(widths).toBe(1);
  const session = await page.context().newCDPSession(page);
  await session.send('DOM.enable');
  await session.send('CSS.enable');
  const { root } = await session.send('DOM.getDocument');
  const fontsOf = async (text: string) => {
    await page.evaluate((letters) => {
      const node = document.createElement('p');
      node.id = 'probe';
      node.textContent = letters;
      document.querySelector('main')!.append(node);
    }, text);
    await page.evaluate(() => document.fonts.ready);
    const { nodeId } = await session.send('DOM.querySelector', { nodeId: root.nodeId, selector: '#probe' });
    let fonts: string[] = [];
    await expect
      .poll(async () => {
        fonts = (await session.send('CSS.getPlatformFontsForNode', { nodeId })).fonts.map(
          (font) => `${font.familyName}${font.isCustomFont ? '' : ' (system)'}`,
        );
        return fonts.some((font) => font.endsWith('(system)'));
      })
      .toBe(false);
    await page.evaluate(() => document.querySelector('#probe')!.remove());
    return fonts;
  };
  expect(await fontsOf('ẹ ọ ṣ ɓ ɗ ƙ é ç ã õ ŋ KSh ₦')).toEqual(
    expect.arrayContaining([expect.stringContaining('Inter')]),
  );
  expect(await fontsOf('القلم والورقة')).toEqual(expect.arrayContaining([expect.stringContaining('Arabic')]));
});
