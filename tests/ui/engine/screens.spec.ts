// Every screen with the real engine behind it: found by role and name, accessible, within its policy, in light, dark and
// Arabic.
import { expect, type Page } from '@playwright/test';
import { expectAccessible } from '../page';
import { test, type Host } from './host';

const TEAM = `schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write.
tools: [file.write]
---
schema: bwana.workflow/v1
id: shop_prices
name: Price list
agents: [writer]
steps: [Collect, Write up]
`;

/** One question is open, one run is done. */
async function fill(host: Host): Promise<{ done: string; waiting: string }> {
  const done = await host.start(TEAM.replace('[file.write]', '[]'), 'What a bakery in Kisumu sells');
  await host.until(done, 'done');
  const waiting = await host.start(TEAM, 'Bread, cakes and tea');
  await host.until(waiting, 'waiting');
  return { done, waiting };
}

const SCRIPT = {
  rules: [
    {
      when: { offered: 'file.write', results: 0, schema: false },
      say: { calls: [{ tool: 'file.write', args: { path: 'prices.md', content: '| Bread | KSh 60 |' } }] },
    },
  ],
};

test.use({ options: { script: SCRIPT } });

interface Place {
  path: string;
  /** What must stand there in English, so that a screen that shows nothing is not taken for a good one. */
  shows: (page: Page) => Promise<void>;
}

const heading = (name: string) => (page: Page) =>
  expect(page.getByRole('heading', { level: 1, name })).toBeVisible();

function places({ done, waiting }: { done: string; waiting: string }): Record<string, Place> {
  const text = (words: string) => (page: Page) => expect(page.getByText(words).first()).toBeVisible();
  return {
    home: { path: '/', shows: (page) => expect(page.getByRole('textbox').first()).toBeVisible() },
    waiting: {
      path: '/waiting',
      shows: (page) => expect(page.getByRole('button', { name: /Allow once/ }).first()).toBeVisible(),
    },
    runs: { path: '/runs', shows: text('Bread, cakes and tea') },
    chat: { path: `/run/${done}`, shows: text('What a bakery in Kisumu sells') },
    events: { path: `/run/${done}?lens=events`, shows: text('result.md') },
    files: { path: `/run/${done}?lens=files`, shows: text('result.md') },
    'run that waits': { path: `/run/${waiting}`, shows: text('file.write') },
    timeline: {
      path: `/run/${done}?lens=timeline`,
      shows: (page) => expect(page.getByRole('slider').first()).toBeVisible(),
    },
    workflows: { path: '/workflows', shows: text('Complete Business Setup') },
    workflow: { path: '/workflows/business_setup', shows: heading('Complete Business Setup') },
    usage: { path: '/usage', shows: heading('Usage') },
    data: { path: '/settings/data', shows: heading('Settings') },
    agents: { path: '/agents', shows: text('Operations Agent') },
    agent: { path: '/agents/operations', shows: heading('Operations Agent') },
    connections: { path: '/connections', shows: heading('Connections') },
    settings: { path: '/settings', shows: heading('Settings') },
    language: { path: '/settings/language', shows: heading('Settings') },
    appearance: { path: '/settings/appearance', shows: heading('Settings') },
    shortcuts: { path: '/settings/shortcuts', shows: heading('Settings') },
    models: { path: '/settings/models', shows: heading('Settings') },
    budgets: { path: '/settings/budgets', shows: heading('Settings') },
    network: { path: '/settings/network', shows: heading('Settings') },
    privacy: { path: '/settings/privacy', shows: heading('Settings') },
    notifications: { path: '/settings/notifications', shows: heading('Settings') },
    diagnostics: { path: '/settings/diagnostics', shows: heading('Settings') },
    handbook: { path: '/help', shows: heading('Handbook') },
    'an error explained': { path: '/help/errors/store.full', shows: text('What to do.') },
  };
}

for (const [name, theme, language] of [
  ['light', 'light', 'en'],
  ['dark', 'dark', 'en'],
  ['Arabic', 'light', 'ar'],
] as const)
  test(`every screen is there, accessible and within its policy in ${name}`, async ({
    host,
    context,
  }, info) => {
    const all = places(await fill(host));
    await host.rpc('settings.set', { key: 'language', value: language });
    for (const [place, { path, shows }] of Object.entries(all)) {
      await test.step(place, async () => {
        const [page, watched] = await host.open(context, path, theme);
        await expect(page.getByRole('navigation').first()).toBeVisible();
        await expect(page.locator('html')).toHaveAttribute('dir', language === 'ar' ? 'rtl' : 'ltr');
        if (language === 'en') await shows(page);
        await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
        await page.evaluate(() => document.fonts.ready);
        await page.screenshot({ path: info.outputPath(`${place}.png`) });
        await expectAccessible(page);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(wider, 'no sideways scroll').toBeLessThanOrEqual(0);
        expect(watched.errors, 'errors and breaches of the policy').toEqual([]);
        await page.close();
      });
    }
  });
