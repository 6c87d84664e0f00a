import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { APPROVE, engineOf, RUN, shown, Story, story, text, wants } from './run-fixture';

const NOW = '2026-11-20T14:14:20Z';
const MINUTE = 60_000;
const READING =
  /^(run\.(at|window|entry|show)|agents\.list|home\.health|changes\..*|settings\.show|usage\.today|tasks\.list|drafts\.get)$/;

/** The run of the fixture, answered after a long wait, with a mail sent, tried again, and one more step. */
function day(): Story {
  const told = story();
  const late = (from: number, ms: number) => {
    for (const record of told.records.slice(from)) record.at_ms += ms;
  };
  const asked = told.records.find(({ kind }) => kind === 'task_opened')!.seq;
  const priced = told.records.filter(({ kind }) => kind === 'call_intended').at(-2)!.seq;
  const open = told.records.at(-1)!.seq;
  told.answer('compete/r3', open, text('Kilifi sells at dawn.'));
  told.post('compete/r3', 'business_intelligence', open);
  const from = told.records.length;
  told.add('task_decided', { task: asked, by: 'local_ui', verdict: { kind: 'approve' } }, 'compete/r2');
  told.use('compete/r2', 'sales_marketing', priced, 0, 'email.send', 'Sent.');
  told.add('step_finished', { outcome: { kind: 'message', message: 20 } }, 'compete');
  told.add('step_started', {}, 'entry');
  const call = told.think('entry/r1', 'operations');
  const usage = { input_tokens: 9, output_tokens: 9 };
  const error = { class: { model: 'overloaded' }, message: 'Busy.', status: 503 };
  told.add('call_failed', { call, cost: 0, error, usage, retry_at: NOW }, 'entry/r1');
  const again = { provider: 'gemini', model: 'gemini-2.5-flash', reserve: { micro_usd: 1, tokens: 1 } };
  told.add('call_retried', { call, attempt: 2, ...again }, 'entry/r1');
  told.answer('entry/r1', call, text('Start in Kilifi.'));
  told.add('person_said', { by: 'local_ui', text: 'Keep it short.', when: 'now' });
  told.think('entry/r1', 'operations');
  late(from, 192 * MINUTE);
  return told;
}

async function openTimeline(page: Page, told: Story, path = `/run/${RUN}?lens=timeline`, over: object = {}) {
  await page.clock.install({ time: new Date(NOW) });
  await page.clock.resume();
  const watched = await watchPage(page);
  const run = () => shown({ head_seq: told.records.length, ...over });
  const engine = await fakeEngine(page, engineOf(told.records, run));
  await page.goto(path);
  await expect(plot(page)).toBeVisible();
  return { engine, watched };
}

const plot = (page: Page) => page.getByRole('group', { name: 'Timeline' });
const slider = (page: Page) => page.getByRole('slider', { name: 'Playhead' });
const inspector = (page: Page) => page.getByRole('complementary', { name: 'Inspector' });
const fact = (page: Page, name: string) => page.locator('dl > div', { hasText: name }).locator('dd');
/** Times of the fixture as the window shows them, in Nairobi. */
const bar = (page: Page, name: string | RegExp) => plot(page).getByRole('button', { name });

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['wide', 'light', 'en', 1600],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 900],
  ['phone', 'light', 'en', 700],
] as const) {
  test(`the timeline in ${name} breaks no rule and has no sideways scroll`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.clock.install({ time: new Date(NOW) });
    await page.clock.resume();
    const watched = await watchPage(page);
    const told = day();
    await fakeEngine(page, {
      ...engineOf(told.records, () => shown()),
      'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    });
    const asked = told.records.find(({ kind }) => kind === 'call_failed')!.seq;
    await page.goto(`/run/${RUN}?lens=timeline&at=${asked}`);
    await expect(page.locator('[data-item]').first()).toBeVisible();
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: info.outputPath(`timeline-${name}.png`) });
    await expectAccessible(page);
    await page.getByRole('button', { name: language === 'ar' ? 'عرض الجدول' : 'Show table' }).click();
    await expect(page.locator('[data-row]').first()).toBeVisible();
    await page.screenshot({ path: info.outputPath(`timeline-table-${name}.png`) });
    await expectAccessible(page);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
    expect(watched.errors).toEqual([]);
  });
}

test('Alt+2 opens it; calls, attempts, questions and the long wait are told with their figures', async ({
  page,
}) => {
  const told = day();
  await page.clock.install({ time: new Date(NOW) });
  await page.clock.resume();
  const watched = await watchPage(page);
  await fakeEngine(
    page,
    engineOf(told.records, () => shown()),
  );
  await page.goto(`/run/${RUN}`);
  await expect(page.getByRole('heading', { level: 1, name: 'African Market Expansion' })).toBeVisible();
  await page.keyboard.press('Alt+2');
  await expect(page).toHaveURL(/lens=timeline/);
  await expect(page.getByRole('tab', { name: /Timeline/ })).toHaveAttribute('aria-selected', 'true');
  await expect(
    bar(page, 'Business Intelligence Agent, model call, 14:00:12, 3 s, $0.00, Failed'),
  ).toHaveCount(0);
  await expect(
    bar(page, 'Business Intelligence Agent, model call, 14:00:12, 3 s, The price is not known, Failed'),
  ).toBeVisible();
  await expect(
    bar(page, 'Business Intelligence Agent, model call, attempt 2, 14:00:18, 3 s, $0.00031, Done'),
  ).toBeVisible();
  await expect(
    bar(page, /^Sales & Marketing Agent, question to you, email\.send, .* Allowed$/),
  ).toBeVisible();
  await expect(bar(page, /^Sales & Marketing Agent, tool call, email\.send, .* Done$/)).toBeVisible();
  await expect(bar(page, /^You, what you said, /)).toBeVisible();
  await expect(page.getByText('3.2 h waiting for you')).toBeVisible();
  expect(watched.errors).toEqual([]);
});

test('a selected bar is the selection of the inspector, the address, the events and the playhead', async ({
  page,
}) => {
  const told = day();
  const { engine, watched } = await openTimeline(page, told);
  const send = told.records.find(({ body }) => JSON.stringify(body).includes('"Sent."'))!.seq;
  await bar(page, /^Sales & Marketing Agent, tool call, email\.send/).click();
  await expect(page).toHaveURL(new RegExp(`lens=timeline&at=${send}$`));
  const side = inspector(page);
  await expect(side.getByRole('heading', { name: 'email.send' })).toBeVisible();
  await expect(side).toContainText('Sales & Marketing Agent');
  await expect(slider(page)).toHaveAttribute('aria-valuenow', String(send));
  await expect(bar(page, /^Sales & Marketing Agent, tool call, email\.send/)).toHaveAttribute(
    'aria-pressed',
    'true',
  );
  await page.keyboard.press('Alt+4');
  await expect(page.locator(`[data-row][data-seq="${send}"]`)).toHaveAttribute('aria-pressed', 'true');
  await page.locator(`[data-row][data-seq="${send - 2}"]`).click();
  await page.keyboard.press('Alt+2');
  await expect(bar(page, /question to you, email\.send/)).toHaveAttribute('aria-pressed', 'true');
  await expect(slider(page)).toHaveAttribute('aria-valuenow', String(send - 2));
  await page.keyboard.press('k');
  await expect(page).toHaveURL(new RegExp(`at=${send - 3}$`));
  expect(engine.calls.every(({ name }) => READING.test(name))).toBe(true);
  expect(watched.errors).toEqual([]);
});

test('one bar takes the tab key; arrow keys move in time and between lanes, Enter selects', async ({
  page,
}) => {
  const { watched } = await openTimeline(page, day());
  await expect(page.locator('[data-item][tabindex="0"]')).toHaveCount(1);
  await page.locator('[data-item][tabindex="0"]').focus();
  const at = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
  expect(await at()).toMatch(/^Business Intelligence Agent, model call, 14:00:12/);
  await page.keyboard.press('ArrowRight');
  expect(await at()).toMatch(/^Business Intelligence Agent, model call, attempt 2, 14:00:18/);
  await page.keyboard.press('End');
  expect(await at()).toMatch(/^Business Intelligence Agent, model call, 14:01:3/);
  await page.keyboard.press('ArrowDown');
  expect(await at()).toMatch(/^Sales & Marketing Agent, model call/);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  expect(await at()).toMatch(/web\.fetch/);
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  await expect(inspector(page).getByRole('heading', { name: 'web.fetch' })).toBeVisible();
  await expect(page.locator('[data-item][tabindex="0"]')).toHaveCount(1);
  await expect(page.locator('[data-item][tabindex="0"]')).toBeFocused();
  expect(watched.errors).toEqual([]);
});

test('the playhead tells steps, cost and who is at work, and moving it only reads', async ({ page }) => {
  const told = day();
  const { engine, watched } = await openTimeline(page, told);
  await expect(slider(page)).toHaveAttribute('aria-valuemax', String(told.records.length));
  const before = engine.calls.length;
  await slider(page).focus();
  await page.keyboard.press('Home');
  await expect(fact(page, 'Cost so far')).toHaveText('$0.00');
  await expect(fact(page, 'Steps done')).toHaveText('0 of 5');
  await expect(fact(page, 'At work')).toHaveText('Nobody');
  for (let n = 1; n < 4; n += 1) await page.keyboard.press('ArrowRight');
  await expect(slider(page)).toHaveAttribute('aria-valuenow', '4');
  await expect(fact(page, 'At work')).toContainText('Business Intelligence Agent');
  // The attempt that broke has no known price, the next one costs 310 millionths.
  for (let n = 4; n < 9; n += 1) await page.keyboard.press('ArrowRight');
  await expect(fact(page, 'Cost so far')).toHaveText('at least $0.00031');
  await expect(fact(page, 'Steps done')).toHaveText('1 of 5');
  await expect(slider(page)).toHaveAttribute(
    'aria-valuetext',
    '0:24, Event 9, at least $0.00031, 1 of 5 steps done, nobody at work',
  );
  await page.keyboard.press('End');
  await expect(fact(page, 'Cost so far')).toHaveText('at least $0.0019');
  await expect(fact(page, 'Steps done')).toHaveText('2 of 5');
  await expect(fact(page, 'At work')).toContainText('Operations Agent');
  const asked = told.records.find(({ kind }) => kind === 'task_opened')!.seq;
  const box = (await slider(page).boundingBox())!;
  await page.mouse.move(box.x + box.width, box.y + box.height / 2);
  await page.mouse.down();
  const gap = (await slider(page).locator('.gap').boundingBox())!;
  await page.mouse.move(gap.x + gap.width / 2, box.y + box.height / 2);
  await page.mouse.up();
  await expect(fact(page, 'Waits for you')).toHaveText('1');
  const stands = Number(await slider(page).getAttribute('aria-valuenow'));
  expect(stands).toBeGreaterThanOrEqual(asked);
  await expect(page).toHaveURL(new RegExp(`at=${stands}$`));
  await expect(inspector(page)).toContainText(`Event ${stands}`);
  const made = engine.calls.slice(before).map(({ name }) => name);
  expect(made.filter((name) => !READING.test(name))).toEqual([]);
  expect(watched.errors).toEqual([]);
});

test('zoom grows around its place by button, key and wheel, and the names stay', async ({ page }, info) => {
  const { watched } = await openTimeline(page, day());
  const pane = page.locator('[data-scroll="run-timeline"]');
  const wide = () => pane.evaluate((node) => node.scrollWidth - node.clientWidth);
  expect(await wide()).toBeLessThanOrEqual(0);
  await page.getByRole('button', { name: 'Zoom in' }).click();
  expect(await wide()).toBeGreaterThan(100);
  const once = await wide();
  await page.keyboard.press('+');
  await expect.poll(wide).toBeGreaterThan(once);
  await page.keyboard.press('-');
  // The run goes on meanwhile, and with it the width.
  await expect.poll(wide).toBeCloseTo(once, -2);
  await pane.hover();
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -400);
  await page.keyboard.up('Control');
  await expect.poll(wide).toBeGreaterThan(once);
  await pane.evaluate((node) => (node.scrollLeft = node.scrollWidth));
  await expect(bar(page, /^Business Intelligence Agent, model call, 14:00:12/)).toHaveCount(0);
  await expect(bar(page, /^Operations Agent, model call, attempt 2/)).toBeVisible();
  await expect(page.getByTitle('Business Intelligence Agent')).toBeInViewport();
  await page.screenshot({ path: info.outputPath('timeline-zoomed.png') });
  await page.keyboard.press('0');
  await expect.poll(wide).toBeLessThanOrEqual(0);
  const off = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(off).toBeLessThanOrEqual(0);
  expect(watched.errors).toEqual([]);
});

test('zoom grows around the playhead, and the view goes where the playhead goes', async ({ page }) => {
  const told = day();
  await openTimeline(page, told);
  const pane = page.locator('[data-scroll="run-timeline"]');
  const left = () => pane.evaluate((node) => node.scrollLeft);
  await slider(page).focus();
  await page.keyboard.press('Home');
  await expect(slider(page)).toHaveAttribute('aria-valuenow', '1');
  for (let press = 0; press < 4; press += 1) await page.getByRole('button', { name: 'Zoom in' }).click();
  // The playhead is at the very beginning, and so is the view.
  await expect.poll(left).toBeLessThan(20);
  await slider(page).focus();
  await page.keyboard.press('End');
  await expect.poll(left).toBeGreaterThan(300);
  await page.keyboard.press('Home');
  await expect.poll(left).toBeLessThan(20);
});

test('the beginning of a call says what became of it', async ({ page }) => {
  const told = day();
  const begun = told.records.find(
    ({ kind, body }) => kind === 'call_intended' && JSON.stringify(body).includes('web.fetch'),
  )!.seq;
  await openTimeline(page, told, `/run/${RUN}?lens=timeline&at=${begun}`);
  await expect(inspector(page)).toContainText('Call begins');
  await expect(inspector(page).locator('.what')).toContainText('Done');
  await expect(inspector(page).locator('.what')).not.toContainText('Running');
});

test('the table says the same and selects the same', async ({ page }) => {
  const { watched } = await openTimeline(page, day());
  const bars = await page.locator('[data-item]').count();
  await page.getByRole('button', { name: 'Show table' }).click();
  const table = page.getByRole('list', { name: 'Timeline' });
  await expect(table.getByRole('listitem').first()).toHaveAttribute('aria-setsize', String(bars));
  await table.getByRole('button', { name: /email\.send.*Allowed/i }).click();
  await expect(inspector(page).getByRole('heading', { name: 'email.send' })).toBeVisible();
  await page.getByRole('button', { name: 'Show timeline' }).click();
  await expect(bar(page, /question to you, email\.send/)).toHaveAttribute('aria-pressed', 'true');
  expect(watched.errors).toEqual([]);
});

test('a live run grows, and the playhead stays at its end until it is moved', async ({ page }) => {
  const told = story();
  const { engine, watched } = await openTimeline(page, told);
  const call = told.records.length;
  await expect(bar(page, /^Business Intelligence Agent, model call, 14:01:33, .* Running$/)).toBeVisible();
  await expect(slider(page)).toHaveAttribute('aria-valuenow', String(call));
  const windows = () => engine.calls.filter(({ name }) => name === 'run.window').length;
  const before = windows();
  told.answer('compete/r3', call, text('Kilifi sells at dawn.'));
  engine.change([{ topic: `run:${RUN}`, id: String(call + 1), op: 'upsert', row: told.records.at(-1) }]);
  await expect(
    bar(page, /^Business Intelligence Agent, model call, 14:01:33, 3 s, \$0\.00031, Done$/),
  ).toBeVisible();
  await expect(slider(page)).toHaveAttribute('aria-valuenow', String(call + 1));
  expect(windows()).toBe(before);
  expect(watched.errors).toEqual([]);
});

test('names with markup, of any length and direction, stay text', async ({ page }, info) => {
  const told = new Story();
  const evil = '<img src=x onerror="window.__pwned=1"><script>window.__pwned=1</script>';
  const limits = {};
  told.add('run_created', {
    by: 'local_ui',
    input: 'Go',
    workflow: 'w',
    workflow_hash: '',
    definition: '',
    limits,
  });
  told.add('step_started', {}, evil);
  const call = told.think('s/r1', `${evil}${'x'.repeat(3_000)}`);
  told.answer('s/r1', call, wants(evil, {}));
  told.use('s/r1', `\u202e${evil}`, call, 0, `${evil}${'ش'.repeat(500)}`, 'x');
  told.add('task_opened', { ask: { ...APPROVE, tool: `"><svg onload=alert(1)>`, preview: evil } }, 's/r1');
  const { watched } = await openTimeline(page, told);
  await expect(page.locator('[data-item]')).toHaveCount(3);
  await expect(page.locator('.names').getByText('<img src=x').first()).toBeVisible();
  await page.locator('[data-item]').first().click();
  await page.getByRole('button', { name: 'Show table' }).click();
  await expect(page.locator('[data-row]')).toHaveCount(3);
  await page.getByRole('button', { name: 'Show timeline' }).click();
  await page.screenshot({ path: info.outputPath('timeline-hostile.png') });
  expect(await page.evaluate(() => '__pwned' in window)).toBe(false);
  expect(await page.locator('img, script[src="x"]').count()).toBe(0);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wider).toBeLessThanOrEqual(0);
  expect(watched.errors).toEqual([]);
});

test('a run that could not be read says so and is read again', async ({ page }) => {
  const told = day();
  await page.clock.install({ time: new Date(NOW) });
  await page.clock.resume();
  await watchPage(page);
  const engine = await fakeEngine(
    page,
    engineOf(told.records, () => shown()),
  );
  await page.goto(`/run/${RUN}?lens=events`);
  await expect(page.locator('[data-row]').first()).toBeVisible();
  engine.refusals['run.window'] = { code: 'store.busy', message: 'The store is busy.' };
  await page.keyboard.press('Alt+2');
  await expect(page.getByText('The timeline could not be read')).toBeVisible();
  delete engine.refusals['run.window'];
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(plot(page)).toBeVisible();
});

test('a hundred thousand entries: the document stays small and any place is told at once', async ({
  page,
}, info) => {
  test.setTimeout(180_000);
  const ENTRIES = 100_000;
  const NODES_MOST = 1_500;
  const told = new Story();
  const limits = {};
  told.add('run_created', {
    by: 'local_ui',
    input: 'Go',
    workflow: 'w',
    workflow_hash: '',
    definition: '',
    limits,
  });
  told.add('step_started', {}, 'research');
  const agents = ['business_intelligence', 'sales_marketing', 'operations', 'technical_implementation'];
  for (let n = 0; told.records.length < ENTRIES - 4; n += 1) {
    const agent = agents[n % agents.length]!;
    const call = told.think(`research/r${n}`, agent);
    told.answer(`research/r${n}`, call, wants('web.fetch', { url: `https://h${n}.example` }));
    told.use(`research/r${n}`, agent, call, 0, `tool.number_${n % 12}`, 'x');
  }
  const { engine, watched } = await openTimeline(page, told, undefined, { status: 'done' });
  const from = Date.now();
  await expect(slider(page)).toHaveAttribute('aria-valuemax', String(told.records.length), {
    timeout: 120_000,
  });
  const read = Date.now() - from;
  const nodes = () => page.evaluate(() => document.querySelectorAll('*').length);
  expect(await nodes()).toBeLessThan(NODES_MOST);
  await page.screenshot({ path: info.outputPath('timeline-long.png') });
  await slider(page).focus();
  await page.keyboard.press('Home');
  for (let n = 1; n < 8; n += 1) await page.keyboard.press('ArrowRight');
  await expect(fact(page, 'Cost so far')).toHaveText('$0.00062');
  const scrub = () =>
    page.evaluate(async () => {
      const track = document.querySelector('[role="slider"]')!;
      const box = track.getBoundingClientRect();
      const took: number[] = [];
      for (let n = 0; n < 40; n += 1) {
        const clientX = box.left + box.width * ((n * 7_919) % 1_000) * 0.001;
        const at = performance.now();
        track.dispatchEvent(new PointerEvent('pointermove', { clientX, buttons: 1, bubbles: true }));
        await new Promise(requestAnimationFrame);
        took.push(performance.now() - at);
      }
      took.sort((a, b) => a - b);
      return { middle: took[20]!, worst: took.at(-1)! };
    });
  const fitted = await scrub();
  let largest = 0;
  for (let n = 0; n < 16; n += 1) {
    await page.keyboard.press('+');
    largest = Math.max(largest, await nodes());
  }
  expect(largest).toBeLessThan(NODES_MOST);
  const close = await scrub();
  await page.screenshot({ path: info.outputPath('timeline-long-zoomed.png') });
  const pages = engine.calls.filter(({ name }) => name === 'run.window').length;
  console.info(
    `100,000 entries: read in ${read} ms by ${pages} pages, at most ${largest} nodes, scrub to frame ` +
      `${fitted.middle.toFixed(1)} ms (worst ${fitted.worst.toFixed(1)}), zoomed ${close.middle.toFixed(1)} ms ` +
      `(worst ${close.worst.toFixed(1)})`,
  );
  expect(watched.errors).toEqual([]);
});
