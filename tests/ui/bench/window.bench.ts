// The window at work, in Chromium with the real engine.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, type Page } from '@playwright/test';
import { EXAMPLES, Host, test } from '../engine/host';
import { calls, growth, idle, starts } from './program';

const FULL = Boolean(process.env['BWANA_FULL']);
/** Runs in the list of the busy folder. */
const RUNS = 10_000;
const ENTRIES = 100_000;
/** What the window loads ahead is there after this. */
const SETTLES_MS = 3_000;
/** How long a stream is watched, in seconds. */
const WATCHED_S = FULL ? 60 : 20;
/** How long each screen is left alone, in seconds. */
const ALONE_S = 20;
const STARTS = 15;
/** Five agents at once, each at more than 80 pieces a second. */
const TALKERS = ['one', 'two', 'three', 'four', 'five'];
const PIECE_MS = 12;

/** Ten presses a second, as quick hands make them. */
const BETWEEN_MS = 100;

interface Figure {
  what: string;
  measured: string;
  hold: string;
  held: boolean;
}
const figures: Figure[] = [];
const note = (what: string, measured: string, hold: string, held: boolean) => {
  figures.push({ what, measured, hold, held });
  console.info(`${held ? 'held  ' : 'MISSED'}  ${what}: ${measured} (hold ${hold})`);
};
const at = (sorted: readonly number[], percent: number) =>
  sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0;
const ms = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const sort = (values: number[]) => values.sort((a, b) => a - b);

let folder: string;
test.beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bwana-bench-'));
});
test.afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  writeFileSync(resolve('target/bench-ui.json'), `${figures.map((one) => JSON.stringify(one)).join('\n')}\n`);
});

interface Press {
  ms: number;
  what: string;
}

/** From now on the page keeps how long each press took to be seen, in milliseconds. */
const watchPresses = (page: Page) =>
  page.evaluate(() => {
    const taken: Press[] = [];
    Object.assign(window, { taken });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as PerformanceEventTiming[])
        if (entry.interactionId) {
          const on = (entry.target as Element | null)?.textContent?.trim().slice(0, 16) ?? '';
          const [waited, worked] = [
            entry.processingStart - entry.startTime,
            entry.processingEnd - entry.processingStart,
          ].map(Math.round);
          const key = `${location.pathname} ${entry.name} "${on}"`;
          taken.push({ ms: entry.duration, what: `${key} (waited ${waited}, script ${worked}) of` });
        }
    }).observe({
      type: 'event',
      durationThreshold: 16,
      buffered: false,
    } as PerformanceObserverInit);
  });
const presses = (page: Page) => page.evaluate(() => (window as unknown as { taken: Press[] }).taken.slice());
/** The slowest, for whoever wants to make them quicker. */
const slowest = (all: readonly Press[]) =>
  [...all]
    .sort((a, b) => b.ms - a.ms)
    .slice(0, 12)
    .map(({ ms, what }) => `${what} ${String(ms)}`)
    .join(', ');

interface Timer {
  at: string;
  fired: number;
}

/** From its first script on a page keeps how often what it asked to be called for later was called, by who asked. */
const watchTimers = (page: { addInitScript: Page['addInitScript'] }) =>
  page.addInitScript(() => {
    const timers = new Map<string, Timer>();
    Object.assign(window, { timers });
    const counted =
      <Args extends unknown[]>(name: string, callback: (...args: Args) => void) =>
      (...args: Args) => {
        const timer = timers.get(name) ?? { at: name, fired: 0 };
        timer.fired += 1;
        timers.set(name, timer);
        callback(...args);
      };
    const asker = (what: string) => `${what} ${new Error().stack?.split('\n')[3]?.trim() ?? ''}`;
    const { setInterval: each, setTimeout: once, requestAnimationFrame: frame } = window;
    type Later = (callback: () => void, ms?: number) => number;
    const wrap =
      (what: string, of: Later): Later =>
      (callback, ms) =>
        of(counted(asker(what), callback), ms);
    Object.assign(window, {
      setInterval: wrap('setInterval', each as unknown as Later),
      setTimeout: wrap('setTimeout', once as unknown as Later),
      requestAnimationFrame: (callback: FrameRequestCallback) => frame(counted(asker('frame'), callback)),
    });
  });

/** The timer that was called most often while nobody touched the page. */
const busiest = (page: Page, seconds: number) =>
  page.evaluate(async (seconds) => {
    const { timers } = window as unknown as { timers: Map<string, Timer> };
    await new Promise((done) => setTimeout(done, 3_000));
    timers.clear();
    await new Promise((done) => setTimeout(done, seconds * 1_000));
    return [...timers.values()].sort((a, b) => b.fired - a.fired)[0];
  }, seconds);

test('a folder of ten thousand runs', async ({ context }) => {
  const home = join(folder, 'busy');
  execFileSync(join(EXAMPLES, 'bwana-fixture-home'), [home, '--variant', 'busy', '--runs', String(RUNS)]);
  const host = new Host({ from: home });
  try {
    const loads: number[] = [];
    for (let n = 0; n < STARTS; n += 1) {
      const [page] = await host.open(context, '/');
      await expect(page.getByRole('textbox').first()).toBeVisible();
      loads.push(
        await page.evaluate(() => performance.getEntriesByName('drawn')[0]?.startTime ?? performance.now()),
      );
      await page.close();
    }
    sort(loads);
    note(
      'page loaded to interactive, 10,000 runs in the folder',
      `${ms(at(loads, 50))}, worst ${ms(at(loads, 100))}`,
      '1,200 ms',
      at(loads, 95) <= 1_200,
    );
    const [page] = await host.open(context, '/');
    await expect(page.getByRole('textbox').first()).toBeVisible();
    await watchPresses(page);
    const nav = page.getByRole('navigation').first();
    let count = 0;
    for (let round = 0; round < 6; round += 1) {
      for (const name of ['Runs', 'Workflows', 'Agents', 'Usage', 'Home']) {
        await nav.getByRole('link', { name }).first().click();
        await expect(page.locator('main h1')).toBeAttached();
        count += 1;
      }
      await nav.getByRole('link', { name: 'Runs' }).first().click();
      for (const key of ['ArrowDown', 'ArrowDown', 'PageDown', 'End', 'Home']) {
        await page.keyboard.press(key);
        await page.waitForTimeout(BETWEEN_MS);
        count += 1;
      }
      await page.keyboard.press('Control+k');
      await page.waitForTimeout(BETWEEN_MS);
      await page.keyboard.type('bakery', { delay: BETWEEN_MS });
      await page.keyboard.press('Escape');
      count += 8;
    }
    // Presses quicker than the shortest an event entry tells of are told by nobody.
    const slow = await presses(page);
    console.info(`        slowest: ${slowest(slow)}`);
    const all = sort([
      ...slow.map(({ ms }) => ms),
      ...Array.from({ length: Math.max(0, count - slow.length) }, () => 8),
    ]);
    note(
      `press to paint, ${String(count)} presses`,
      `p95 ${ms(at(all, 95))}, p99 ${ms(at(all, 99))}, worst ${ms(at(all, 100))}`,
      'p95 100 ms, p99 160 ms',
      at(all, 95) <= 100 && at(all, 99) <= 160,
    );
    const opened: number[] = [];
    for (let n = 0; n < STARTS; n += 1) {
      opened.push(
        await page.evaluate(async () => {
          const began = performance.now();
          dispatchEvent(
            new KeyboardEvent('keydown', {
              key: 'k',
              code: 'KeyK',
              ctrlKey: true,
              bubbles: true,
            }),
          );
          while (!document.querySelector('[role="dialog"] [role="combobox"]'))
            await new Promise(requestAnimationFrame);
          await new Promise(requestAnimationFrame);
          return performance.now() - began;
        }),
      );
      await page.keyboard.press('Escape');
      await expect(page.getByRole('dialog')).toBeHidden();
    }
    sort(opened);
    note(
      'palette open',
      `${ms(at(opened, 50))}, worst ${ms(at(opened, 100))}`,
      '150 ms',
      at(opened, 100) <= 150,
    );
    await page.close();
    await watchTimers(context);
    const { runs } = await host.rpc<{ runs: { id: string }[] }>('run.list', {});
    let most = { at: 'none', fired: 0, path: '' };
    for (const path of ['/', '/runs', `/run/${runs[0]!.id}`, '/usage']) {
      const [page] = await host.open(context, path);
      await expect(page.locator('main h1')).toBeAttached();
      const timer = await busiest(page, ALONE_S);
      if (timer && timer.fired > most.fired) most = { ...timer, path };
      await page.close();
    }
    console.info(`        the busiest timer: ${most.path} ${most.at}`);
    note(
      'the busiest timer of four screens that nobody touches',
      `${(most.fired / ALONE_S).toFixed(2)} a second`,
      '1 a second',
      most.fired <= ALONE_S,
    );
  } finally {
    await host.stop();
  }
});

test('five agents stream at once', async ({ context }) => {
  const host = new Host({ latencyMs: 20, betweenMs: PIECE_MS, deltas: 400 });
  try {
    const agents = TALKERS.map(
      (id) => `schema: bwana.agent/v1\nid: ${id}\nname: ${id}\ninstructions: You write.\ntools: []\n---\n`,
    );
    const branches = TALKERS.map((id) => `{name: Part ${id}, agent: ${id}}`).join(', ');
    const steps = Array.from(
      { length: 16 },
      (_, n) => `  - name: All ${n}\n    parallel: {join: all, width: 5, steps: [${branches}]}\n`,
    );
    const file = `${agents.join('')}schema: bwana.workflow/v1\nid: all\nname: All\nagents: [${TALKERS.join(', ')}]\nsteps:\n${steps.join('')}`;
    const run = await host.start(file, 'Tell me everything');
    const [page] = await host.open(context, `/run/${run}`);
    await expect(page.getByRole('log')).toBeVisible();
    await watchPresses(page);
    const cdp = await context.newCDPSession(page);
    await cdp.send('Performance.enable');
    const busy = async () => {
      const { metrics } = await cdp.send('Performance.getMetrics');
      return metrics.find(({ name }) => name === 'TaskDuration')!.value;
    };
    const before = await busy();
    const began = Date.now();
    const frames = page.evaluate(async (seconds) => {
      const gaps: number[] = [];
      const end = performance.now() + seconds * 1_000;
      for (let last = performance.now(); last < end;) {
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        gaps.push(now - last);
        last = now;
      }
      return gaps;
    }, WATCHED_S);
    const box = page.getByRole('textbox', { name: /Say something/ });
    await box.click();
    await page.keyboard.type('x'.repeat(WATCHED_S * 3), { delay: 250 });
    const gaps = sort(await frames);
    const share = ((await busy()) - before) / ((Date.now() - began) / 1_000);
    const typed = sort((await presses(page)).map(({ ms }) => ms));
    note(
      'frames while five agents stream at 80 pieces a second',
      `${(1_000 / at(gaps, 50)).toFixed(0)} a second, longest ${ms(at(gaps, 100))}, page busy ${(share * 100).toFixed(0)} %`,
      '55 a second, 50 ms, 35 %',
      1_000 / at(gaps, 50) >= 55 && at(gaps, 100) <= 50 && share <= 0.35,
    );
    note(
      'key to paint while they stream',
      typed.length === 0
        ? 'under 16 ms'
        : `p99 ${ms(at(typed, 99))}, slower than 16 ms: ${String(typed.length)}`,
      'p99 32 ms',
      at(typed, 99) <= 32,
    );
    // It may have come to its end by itself.
    await host.rpc('run.cancel', { run }).catch(() => undefined);
  } finally {
    await host.stop();
  }
});

/** A data folder with one long run. */
function longHome(): string {
  const home = join(folder, 'long');
  if (!existsSync(home))
    execFileSync(join(EXAMPLES, 'bwana-fixture-home'), [
      join(home, 'data'),
      '--variant',
      'long',
      '--entries',
      String(ENTRIES),
    ]);
  return home;
}

test('a run of a hundred thousand entries', async ({ context }) => {
  const host = new Host({ from: join(longHome(), 'data') });
  try {
    const { runs } = await host.rpc<{ runs: { id: string }[] }>('run.list', {});
    const run = runs[0]!.id;
    const { head_seq: entries, model_calls: calls } = await host.rpc<{
      head_seq: number;
      model_calls: number;
    }>('run.show', { run });
    expect(entries).toBeGreaterThanOrEqual(ENTRIES);
    const [page] = await host.open(context, '/runs');
    await expect(page.locator('main h1')).toBeAttached();
    await page.waitForTimeout(SETTLES_MS);
    const began = () =>
      page.evaluate(async (path) => {
        const began = performance.now();
        history.pushState(null, '', path);
        dispatchEvent(new PopStateEvent('popstate'));
        while (!document.querySelector('[role="log"] [data-seq]')) await new Promise(requestAnimationFrame);
        return performance.now() - began;
      }, `/run/${run}`);
    const first = await began();
    const again: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      await page.getByRole('navigation').first().getByRole('link', { name: 'Runs' }).first().click();
      await expect(page.locator('[role="log"]')).toHaveCount(0);
      again.push(await began());
    }
    sort(again);
    note(
      `opening a run of ${entries.toLocaleString('en')} entries`,
      `${ms(at(again, 50))}, the first time with its screen's code ${ms(first)}`,
      '150 ms',
      Math.max(first, at(again, 100)) <= 150,
    );
    await page.keyboard.press('Alt+4');
    const list = page.getByRole('list', { name: 'Events' });
    await expect(list.locator('[data-seq]').last()).toBeVisible();
    const jumps: number[] = [];
    for (let n = 1; n <= 20; n += 1) {
      const seq = (n * 7_919) % ENTRIES;
      jumps.push(
        await page.evaluate(async (seq) => {
          const box = document.querySelector<HTMLInputElement>('main input[type="search"]')!;
          const began = performance.now();
          box.value = `#${seq}`;
          box.dispatchEvent(new Event('input', { bubbles: true }));
          while (!document.querySelector(`main [data-seq="${seq}"]`))
            await new Promise(requestAnimationFrame);
          return performance.now() - began;
        }, seq),
      );
    }
    sort(jumps);
    note(
      'going to any of its events',
      `${ms(at(jumps, 50))}, worst ${ms(at(jumps, 100))}`,
      '60 ms',
      at(jumps, 95) <= 60,
    );
    await page.keyboard.press('Alt+2');
    const from = Date.now();
    const slider = page.getByRole('slider').first();
    await expect(slider).toHaveAttribute('aria-valuemax', String(entries), { timeout: 120_000 });
    const read = Date.now() - from;
    const moved = await page.evaluate(async () => {
      const track = document.querySelector('[role="slider"]')!;
      const box = track.getBoundingClientRect();
      const took: number[] = [];
      for (let n = 0; n < 60; n += 1) {
        const clientX = box.left + box.width * ((n * 7_919) % 1_000) * 0.001;
        const at = performance.now();
        track.dispatchEvent(new PointerEvent('pointermove', { clientX, buttons: 1, bubbles: true }));
        await new Promise(requestAnimationFrame);
        took.push(performance.now() - at);
      }
      return took;
    });
    sort(moved);
    note(
      `the playhead to any place (the whole timeline was read in ${ms(read)})`,
      `${ms(at(moved, 50))}, worst ${ms(at(moved, 100))}`,
      '150 ms',
      at(moved, 100) <= 150,
    );
    const states: number[] = [];
    for (let n = 1; n <= 40; n += 1) {
      const began = performance.now();
      await host.rpc('run.at', { run, seq: 1 + ((n * 7_919) % entries) });
      states.push(performance.now() - began);
    }
    sort(states);
    note(
      'the state at any of its entries, by replay',
      `${ms(at(states, 50))}, worst ${ms(at(states, 100))}`,
      '150 ms',
      at(states, 100) <= 150,
    );
    const after = await host.rpc<{ head_seq: number; model_calls: number }>('run.show', { run });
    note(
      'model calls and entries made by all this',
      `${String(after.model_calls - calls)} and ${String(after.head_seq - entries)}`,
      'none',
      after.model_calls === calls && after.head_seq === entries,
    );
    const nodes = await page.evaluate(() => document.querySelectorAll('body *').length);
    note('nodes of the document there', String(nodes), '1,500', nodes <= 1_500);
  } finally {
    await host.stop();
  }
});

test('the program comes up', () => {
  const home = join(folder, 'start');
  execFileSync(join(EXAMPLES, 'bwana-fixture-home'), [
    join(home, 'data'),
    '--variant',
    'busy',
    '--runs',
    String(RUNS),
  ]);
  const found = starts(home, STARTS);
  if (typeof found === 'string') {
    console.info(`SKIPPED: the program comes up\n  because: ${found}`);
    return;
  }
  sort(found);
  note(
    'start of the program to interactive, 10,000 runs in the folder',
    `${ms(at(found, 50))}, worst ${ms(at(found, 100))}`,
    '1,200 ms',
    at(found, 95) <= 1_200,
  );
});

test('what a run of a hundred thousand entries takes of memory', async () => {
  const found = await growth(longHome());
  if (typeof found === 'string') {
    console.info(`SKIPPED: what a run of a hundred thousand entries takes of memory\n  because: ${found}`);
    return;
  }
  const [run, timeline] = [found.run, found.timeline].map((bytes) => `${String(Math.round(bytes / 1e6))} MB`);
  note(
    'memory the program and its pages take more with that run open',
    `${run!}, with its whole timeline ${timeline!}`,
    '60 MB',
    Math.max(found.run, found.timeline) <= 60e6,
  );
});

test('the quick window is called', async () => {
  const found = await calls(join(folder, 'quick'), STARTS);
  if (typeof found === 'string') {
    console.info(`SKIPPED: the quick window is called\n  because: ${found}`);
    return;
  }
  const [first, ...warm] = found;
  sort(warm);
  note(
    'from the keys everywhere to the quick window in front',
    `${ms(at(warm, 50))}, worst ${ms(at(warm, 100))}; the first, which makes it, ${ms(first!)}`,
    '150 ms warm',
    at(warm, 100) <= 150,
  );
});

test('the program with nothing to do', () => {
  const found = idle(join(folder, 'idle'), FULL ? 600 : 60);
  if (typeof found === 'string') {
    console.info(`SKIPPED: the program with nothing to do\n  because: ${found}`);
    return;
  }
  note(
    'the program with nothing to do: processor, memory with its pages',
    `${found.cpu.toFixed(2)} %, ${String(Math.round(found.bytes / 1e6))} MB`,
    '0.3 %, 220 MB',
    found.cpu <= 0.3 && found.bytes <= 220e6,
  );
  if (found.network === undefined)
    console.info('SKIPPED: its bytes on any network\n  because: it cannot have a network of its own here');
  else note('its bytes on any network meanwhile', String(found.network), 'none', found.network === 0);
});
