// Every screen as it looked when it was last found good: the plain and the empty fixture, both clocks standing still.
// `npm run test:engine -- goldens -u` takes the pictures anew; look at them before you commit them.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type BrowserContext, type Locator, type Page, type TestInfo } from '@playwright/test';
import { EXAMPLES, Host, test } from './host';
import { settle } from './settle';

/** Behind the last run of the fixture: Tuesday noon in Nairobi. */
const NOW = '2026-11-24T09:00:00Z';
const FOLDER = join(import.meta.dirname, 'goldens');
/** The browser that drew the pictures; another draws letters and lines a little differently. */
const VERSION = join(FOLDER, 'VERSION');

interface Shot {
  path: string;
  /** Shows in every language that the screen has its content. */
  ready: (page: Page) => Promise<void>;
  /** Covered, because it is about this machine. */
  cover?: (page: Page) => Locator[];
}

let fixtures: string;

test.beforeAll(() => {
  fixtures = mkdtempSync(join(tmpdir(), 'bwana-fixture-'));
  for (const variant of ['plain', 'empty'])
    execFileSync(join(EXAMPLES, 'bwana-fixture-home'), [join(fixtures, variant), '--variant', variant]);
});

test.afterAll(() => rmSync(fixtures, { recursive: true, force: true }));

const text = (words: string) => (page: Page) => expect(page.getByText(words).first()).toBeVisible();
const main = (page: Page) => expect(page.getByRole('main').getByRole('heading').first()).toBeVisible();
const box = (page: Page) => expect(page.getByRole('textbox').first()).toBeVisible();

const SETTINGS = [
  'general',
  'language',
  'appearance',
  'models',
  'budgets',
  'privacy',
  'shortcuts',
  'notifications',
];

async function shots(host: Host): Promise<Record<string, Shot>> {
  const { runs } = await host.rpc<{ runs: { id: string; status: string; workflow: string }[] }>('run.list');
  const run = (workflow: string, status: string) =>
    runs.find((one) => one.workflow === workflow && one.status === status)!.id;
  const { tasks } = await host.rpc<{ tasks: { id: string; run: string }[] }>('tasks.list');
  const task = (workflow: string) => tasks.find((one) => one.run === run(workflow, 'waiting'))!.id;
  const done = run('shop_prices', 'done');
  const list = text('price-list.md');
  return {
    home: { path: '/', ready: box },
    'waiting-approve': { path: `/waiting?task=${task('shop_prices')}`, ready: text('clinic-prices.md') },
    'waiting-question': {
      path: `/waiting?task=${task('supplier_check')}`,
      ready: text('Only after the 30th'),
    },
    'waiting-contact': { path: `/waiting?task=${task('stock_letter')}`, ready: text('hooks.example.org') },
    runs: { path: '/runs', ready: text('120 lamps have arrived') },
    'chat-done': { path: `/run/${done}`, ready: list },
    'chat-waiting': { path: `/run/${run('shop_prices', 'waiting')}`, ready: text('clinic-prices.md') },
    events: { path: `/run/${done}?lens=events`, ready: list },
    files: { path: `/run/${done}?lens=files`, ready: list },
    timeline: {
      path: `/run/${done}?lens=timeline`,
      ready: (page) => expect(page.getByRole('slider').first()).toBeVisible(),
    },
    workflows: { path: '/workflows', ready: main },
    usage: { path: '/usage?range=custom&from=2026-11-18&to=2026-11-24', ready: main },
    inspector: {
      path: `/run/${done}?lens=events&at=6`,
      ready: (page) => expect(page.getByRole('complementary').last()).toBeVisible(),
    },
    agents: { path: '/agents', ready: text('Shop Writer') },
    agent: { path: '/agents/shop_writer', ready: text('Shop Writer') },
    connections: {
      path: '/connections',
      ready: text('scripted'),
      cover: (page) => [page.getByRole('main').locator('section').last()],
    },
    ...Object.fromEntries(
      SETTINGS.map((section) => [`settings-${section}`, { path: `/settings/${section}`, ready: main }]),
    ),
    'settings-diagnostics': { path: '/settings/diagnostics', ready: text('free on the disk of the models') },
    'settings-about': {
      path: '/settings/about',
      ready: text('Apache-2.0'),
      cover: (page) => [
        page.locator('dl > div:nth-child(n + 2) > dd'),
        page.getByRole('main').locator('button[aria-expanded]'),
      ],
    },
  };
}

const major = (version: string) => version.split('.')[0]!;

/** Holds the page against its picture; with another browser than drew it, a difference is only told. */
async function hold(page: Page, name: string, mask: Locator[], info: TestInfo): Promise<void> {
  const options = {
    maxDiffPixelRatio: 0.001,
    animations: 'disabled',
    caret: 'hide',
    mask,
    maskColor: '#8a8a8a',
  } as const;
  const here = major(page.context().browser()!.version());
  if (info.config.updateSnapshots === 'all' || info.config.updateSnapshots === 'changed')
    writeFileSync(VERSION, `${here}\n`);
  const drawn = existsSync(VERSION) ? readFileSync(VERSION, 'utf8').trim() : here;
  if (here === drawn) {
    await expect.soft(page, name).toHaveScreenshot(`${name}.png`, options);
    return;
  }
  try {
    await expect(page).toHaveScreenshot(`${name}.png`, { ...options, timeout: 5_000 });
  } catch {
    const description = `${name} differs, drawn by Chromium ${drawn}, compared in ${here}`;
    info.annotations.push({ type: 'golden', description });
    console.warn(description);
  }
}

async function take(
  host: Host,
  context: BrowserContext,
  all: Record<string, Shot>,
  look: { theme: string; prefix: string },
  info: TestInfo,
): Promise<void> {
  await context.clock.setFixedTime(NOW);
  for (const [name, { path, ready, cover }] of Object.entries(all))
    await test.step(name, async () => {
      const [page, watched] = await host.open(context, path, look.theme);
      await ready(page);
      await settle(page, join(host.home, 'data'));
      await hold(page, `${look.prefix}-${name}`, cover?.(page) ?? [], info);
      expect.soft(watched.errors, 'errors and breaches of the policy').toEqual([]);
      await page.close();
    });
}

const LOOKS = [
  { name: 'light', theme: 'light', prefix: 'light', language: 'en' },
  { name: 'dark', theme: 'dark', prefix: 'dark', language: 'en' },
  { name: 'Arabic', theme: 'light', prefix: 'arabic', language: 'ar' },
];

for (const look of LOOKS)
  test(`every screen looks as it did in ${look.name}`, async ({ context }, info) => {
    for (const variant of ['plain', 'empty']) {
      const host = new Host({ at: NOW, from: join(fixtures, variant) });
      try {
        await host.rpc('settings.set', { key: 'language', value: look.language });
        const all = variant === 'plain' ? await shots(host) : { 'home-empty': { path: '/', ready: box } };
        await take(host, context, all, look, info);
      } finally {
        await host.stop();
      }
    }
  });

const NARROW = [
  'home',
  'waiting-approve',
  'runs',
  'chat-done',
  'events',
  'agents',
  'connections',
  'settings-general',
];

test.describe('in a narrow window', () => {
  test.use({ viewport: { width: 900, height: 800 } });

  test('the main screens look as they did', async ({ context }, info) => {
    const host = new Host({ at: NOW, from: join(fixtures, 'plain') });
    try {
      const all = await shots(host);
      const narrow = Object.fromEntries(NARROW.map((name) => [name, all[name]!]));
      await take(host, context, narrow, { theme: 'light', prefix: 'narrow' }, info);
    } finally {
      await host.stop();
    }
  });
});
