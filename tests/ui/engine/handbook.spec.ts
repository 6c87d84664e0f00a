// The pictures of the handbook: every screen of the window as a reader meets it, of the plain and the empty fixture, at a time
// that stands still. `npm run test:engine -- handbook.spec -u` takes them anew; look at them before you commit them. Without `-u`
// each must still look like its screen. That every page of a screen shows one is held by ui/build/book.test.ts.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, type BrowserContext, type Page, type TestInfo } from '@playwright/test';
import { sizeOf } from '../../../ui/src/lib/handbook';
import { damage, EXAMPLES, Host, test } from './host';
import { settle } from './settle';

/** Behind the last run of the fixture: Tuesday noon in Nairobi. */
const NOW = '2026-11-24T09:00:00Z';
const FOLDER = resolve(import.meta.dirname, '../../../docs/handbook/pictures');
/** Letters stay sharp and a picture stays far below what ui/build/book.ts allows it. */
const QUALITY = 58;
/** A picture is lossy, and another browser draws letters a little differently: so much may be off before it shows another screen. */
const OFF_LIGHT = 64;
const OFF_SHARE = 0.03;

interface Shot {
  path: string;
  ready: (page: Page) => Promise<unknown>;
  /** It shows something of this machine: it is taken, not compared. */
  machine?: boolean;
  /** Another window of the program than the main one. */
  window?: 'quick';
}

let fixtures: string;

test.beforeAll(() => {
  fixtures = mkdtempSync(join(tmpdir(), 'bwana-fixture-'));
  for (const variant of ['plain', 'empty'])
    execFileSync(join(EXAMPLES, 'bwana-fixture-home'), [join(fixtures, variant), '--variant', variant]);
});

test.afterAll(() => rmSync(fixtures, { recursive: true, force: true }));

const text = (words: string) => (page: Page) => expect(page.getByText(words).first()).toBeVisible();
const heading = (page: Page) => expect(page.getByRole('main').getByRole('heading').first()).toBeVisible();
const box = (page: Page) => expect(page.getByRole('textbox').first()).toBeVisible();

async function found(page: Page) {
  await box(page);
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('combobox')).toBeFocused();
  await page.keyboard.type('pri');
  await expect(page.getByRole('option', { name: /Price List/ }).first()).toBeVisible();
}

async function welcomed(page: Page) {
  await page.getByRole('button', { name: 'Show it again' }).click();
  await expect(page.getByRole('heading', { name: 'Welcome' })).toBeVisible();
}

async function lookedInto(page: Page) {
  await page.getByRole('button', { name: 'Make a copy now' }).click();
  await page
    .getByRole('button', { name: /Look into it/ })
    .first()
    .click();
  await expect(page.getByRole('dialog').getByText('are here already')).toBeVisible();
  await expect(page.getByText('Everything is copied and checked')).toBeHidden();
}

async function copied(page: Page) {
  await page.getByRole('button', { name: 'Make a copy now' }).click();
  await expect(page.getByRole('button', { name: /Look into it/ }).first()).toBeVisible();
  await expect(page.getByText('Everything is copied and checked')).toBeHidden();
}

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
    waiting: { path: `/waiting?task=${task('stock_letter')}`, ready: text('hooks.example.org') },
    'waiting-question': {
      path: `/waiting?task=${task('supplier_check')}`,
      ready: text('Only after the 30th'),
    },
    runs: { path: '/runs', ready: text('120 lamps have arrived') },
    chat: { path: `/run/${done}`, ready: list },
    timeline: {
      path: `/run/${done}?lens=timeline`,
      ready: (page) => expect(page.getByRole('slider').first()).toBeVisible(),
    },
    events: {
      path: `/run/${done}?lens=events&at=6`,
      ready: (page) => expect(page.getByRole('complementary').last()).toBeVisible(),
    },
    files: { path: `/run/${done}?lens=files&file=price-list.md`, ready: list },
    workflows: { path: '/workflows', ready: heading },
    workflow: { path: '/workflows/price_list', ready: text('price_list') },
    'workflow-edit': { path: '/workflows/shop_prices?edit=1', ready: text('Collect the prices') },
    agents: { path: '/agents', ready: text('Shop Writer') },
    agent: { path: '/agents/shop_writer', ready: text('Shop Writer') },
    connections: { path: '/connections', ready: text('Qwen3 1.7B'), machine: true },
    usage: { path: '/usage?range=custom&from=2026-11-18&to=2026-11-24', ready: heading },
    settings: { path: '/settings/budgets', ready: heading },
    'settings-data': { path: '/settings/data', ready: copied, machine: true },
    copy: { path: '/settings/data', ready: lookedInto, machine: true },
    'settings-shortcuts': { path: '/settings/shortcuts', ready: heading },
    palette: { path: '/', ready: found },
    quick: { path: '/', ready: box, window: 'quick' },
  };
}

/** The screen as WebP; the browser's own protocol can do what a screenshot cannot. */
async function picture(page: Page): Promise<Buffer> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
  return Buffer.from(data, 'base64');
}

/** The share of pixels that are off, and the size of the picture that is kept. */
async function compare(page: Page, kept: Buffer, now: Buffer) {
  const blank = await page.context().newPage();
  const compared = await blank.evaluate(
    async ([a, b, off]) => {
      const pixels = async (data: string) => {
        const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
        const image = await createImageBitmap(new Blob([bytes], { type: 'image/webp' }));
        const canvas = new OffscreenCanvas(image.width, image.height);
        const context = canvas.getContext('2d')!;
        context.drawImage(image, 0, 0);
        return context.getImageData(0, 0, image.width, image.height);
      };
      const [before, after] = [await pixels(a), await pixels(b)];
      const light = ({ data }: ImageData, at: number) =>
        data[at]! * 0.3 + data[at + 1]! * 0.6 + data[at + 2]! * 0.1;
      let differ = 0;
      for (let at = 0; at < before.data.length; at += 4)
        if (Math.abs(light(before, at) - light(after, at)) > off) differ += 1;
      return { share: differ / (before.width * before.height), width: before.width, height: before.height };
    },
    [kept.toString('base64'), now.toString('base64'), OFF_LIGHT] as const,
  );
  await blank.close();
  return compared;
}

async function take(host: Host, context: BrowserContext, all: Record<string, Shot>, info: TestInfo) {
  await context.clock.setFixedTime(NOW);
  const anew = info.config.updateSnapshots === 'all' || info.config.updateSnapshots === 'changed';
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, shot] of Object.entries(all))
    await test.step(name, async () => {
      const [page, watched] = await host.open(context, shot.path, 'light', { window: shot.window });
      const size = sizeOf(`${name}.webp`);
      await page.setViewportSize(size);
      await shot.ready(page);
      await settle(page, join(host.home, 'data'));
      const now = await picture(page);
      const file = join(FOLDER, `${name}.webp`);
      if (anew) writeFileSync(file, now);
      expect.soft(existsSync(file), `the handbook has a picture of ${name}`).toBe(true);
      if (!existsSync(file)) return;
      const { share, ...kept } = await compare(page, readFileSync(file), now);
      expect.soft(kept, name).toEqual(size);
      if (!shot.machine) expect.soft(share, `${name}: pixels that are off`).toBeLessThan(OFF_SHARE);
      expect.soft(watched.errors, 'errors and breaches of the policy').toEqual([]);
      await page.close();
    });
}

async function on(variant: string, work: (host: Host) => Promise<void>) {
  const host = new Host({ at: NOW, from: join(fixtures, variant) });
  try {
    await work(host);
  } finally {
    await host.stop();
  }
}

/** So many screens a test: each with a host of its own, so that one alone can be taken anew. */
const A_TEST = 6;
const ALL = 21;

for (let from = 0; from < ALL; from += A_TEST)
  test(`the handbook shows screens ${from + 1} to ${from + A_TEST} as they are`, async ({
    context,
  }, info) => {
    await on('plain', async (host) => {
      const all = Object.entries(await shots(host));
      expect(all).toHaveLength(ALL);
      await take(host, context, Object.fromEntries(all.slice(from, from + A_TEST)), info);
    });
  });

test('the handbook shows the first start as it is', async ({ context }, info) => {
  await on('empty', (host) =>
    take(
      host,
      context,
      { 'home-empty': { path: '/', ready: box }, welcome: { path: '/settings/general', ready: welcomed } },
      info,
    ),
  );
});

test('the handbook shows a damaged database as it is', async ({ context }, info) => {
  const damaged = join(fixtures, 'damaged');
  await on('plain', async (host) => {
    await host.rpc('backup.now');
    cpSync(join(host.home, 'data'), damaged, { recursive: true });
  });
  damage(damaged);
  await on('damaged', (host) =>
    take(
      host,
      context,
      {
        recovery: {
          path: '/',
          ready: (page) => expect(page.getByRole('radio').first()).toBeVisible(),
          machine: true,
        },
      },
      info,
    ),
  );
});
