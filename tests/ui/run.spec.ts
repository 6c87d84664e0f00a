import { expect, test, type Page } from '@playwright/test';
import { fakeEngine, settings } from './engine';
import { expectAccessible, watchPage } from './page';
import { APPROVE, engineOf, RUN, shown, Story, story, text } from './run-fixture';

const PRICED =
  'Renting at KSh 29,000 a month undercuts all three and pays back the box in 14 months. Before I fix the distributor margin I need Bahari’s trade price list.';

async function openRun(page: Page, path = `/run/${RUN}`, told = story(), run: () => object = () => shown()) {
  await page.clock.install({ time: new Date('2026-11-20T11:02:14Z') });
  await page.clock.resume();
  const watched = await watchPage(page);
  const engine = await fakeEngine(page, engineOf(told.records, run));
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1, name: 'African Market Expansion' })).toBeVisible();
  return { engine, watched };
}
const ended = (seq: number) => ({
  seq,
  at_ms: Date.parse('2026-11-20T11:02:14Z'),
  v: 1,
  kind: 'run_ended',
  body: { reason: { code: 'completed' } },
});
const chat = (page: Page) => page.getByRole('log', { name: 'Conversation of the team' });
const inspector = (page: Page) => page.getByRole('complementary', { name: 'Inspector' });

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 900],
  ['phone', 'light', 'en', 700],
] as const) {
  test(`the run in ${name} breaks no rule and has no sideways scroll`, async ({ page }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.clock.install({ time: new Date('2026-11-20T11:02:14Z') });
    await page.clock.resume();
    const watched = await watchPage(page);
    await fakeEngine(page, {
      ...engineOf(story().records, () => shown()),
      'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    });
    await page.goto(`/run/${RUN}?at=15`);
    await expect(page.getByText('undercuts all three')).toBeVisible();
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: info.outputPath(`run-${name}.png`) });
    await expectAccessible(page);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
    expect(watched.errors).toEqual([]);
  });
}

test('the chat shows who said what, tools in one line, and what broke off as a footnote', async ({
  page,
}) => {
  const { watched } = await openRun(page);
  const log = chat(page);
  await expect(log.getByText('undercuts all three')).toBeVisible();
  await log.evaluate((node) => (node.scrollTop = 0));
  await expect(log.getByRole('region', { name: 'You' })).toContainText('Find out who keeps food cold');
  await expect(
    log.getByText('Attempt 1 broke off: the provider is overloaded. It was tried again.'),
  ).toBeVisible();
  await expect(log.getByText('Kenya’s cold-chain market has')).toBeHidden();
  await log.getByRole('button', { name: /Attempt 1 broke off/ }).click();
  await expect(log.getByText('Kenya’s cold-chain market has')).toBeVisible();
  await expect(log.getByText(/market grew by 14 % last year/)).toBeVisible();
  const more = log.getByRole('button', { name: /3 more calls/ });
  await more.click();
  await expect(log.getByRole('button', { name: /likoni.example/ })).toBeVisible();
  await expect(log.getByText('Chosen to speak next: Sales & Marketing')).toBeVisible();
  expect(watched.errors).toEqual([]);
});

test('a selected call is told by the inspector, with its raw entry and its own address', async ({ page }) => {
  const { engine } = await openRun(page);
  await chat(page)
    .getByRole('button', { name: /hotels.example\/suppliers/ })
    .click();
  await expect(page).toHaveURL(/at=15$/);
  const side = inspector(page);
  await expect(side.getByRole('heading', { name: 'web.fetch' })).toBeVisible();
  await expect(side).toContainText('Business Intelligence');
  await expect(side).toContainText('2 · Analyse competition');
  await expect(side).toContainText('Reads only');
  await expect(side).toContainText('From hotels.example, untrusted');
  expect(engine.calls.some(({ name, params }) => name === 'run.entry' && params['seq'] === 15)).toBe(true);
  await page.keyboard.press('Control+i');
  await expect(side).toBeHidden();
});

test('text on its way is replaced by the entry that ends the call', async ({ page }) => {
  const told = story();
  const { engine } = await openRun(page, `/run/${RUN}`, told);
  const call = told.records.length;
  await expect(chat(page).getByText('Thinking')).toBeVisible();
  const stream = {
    event: 'stream',
    run: RUN,
    call,
    attempt: 1,
    path: 'compete/r3',
    agent: 'business_intelligence',
  };
  engine.tell({ ...stream, offset: 0, text: 'Kilifi sells ' });
  engine.tell({ ...stream, offset: 13, text: 'every day at dawn' });
  await expect(chat(page).getByText('Kilifi sells every day at')).toBeVisible();
  told.answer('compete/r3', call, text('Kilifi sells at dawn.'));
  engine.change([{ topic: `run:${RUN}`, id: String(call + 1), op: 'upsert', row: told.records.at(-1) }]);
  await expect(chat(page).getByText('Kilifi sells at dawn.')).toBeVisible();
  await expect(chat(page).getByText('every day at')).toHaveCount(0);
});

test('reading above holds still while the team goes on, and n new leads to the end', async ({ page }) => {
  const told = new Story();
  told.add('run_created', {
    by: 'local_ui',
    input: 'Go',
    workflow: 'w',
    workflow_hash: '',
    definition: '',
    limits: {},
  });
  const turn = (n: number) => {
    const call = told.think(`compete/r${n}`, 'operations');
    told.answer(`compete/r${n}`, call, text(`Message ${n}. ${'Ice and boats. '.repeat(12)}`));
  };
  for (let n = 1; n <= 80; n += 1) turn(n);
  const { engine } = await openRun(page, `/run/${RUN}`, told);
  await expect(chat(page).getByText(/^Message 80\./)).toBeVisible();
  await chat(page).hover();
  await page.mouse.wheel(0, -1_500);
  const topmost = () =>
    chat(page).evaluate((log) => {
      const top = log.getBoundingClientRect().top;
      const seen = [...log.querySelectorAll('[data-seq]')].find(
        (node) => node.getBoundingClientRect().top > top,
      );
      return seen
        ? `${seen.getAttribute('data-seq')} ${Math.round(seen.getBoundingClientRect().top - top)}`
        : '';
    });
  await expect.poll(async () => (await topmost()) === (await topmost())).toBe(true);
  const before = await topmost();
  for (let n = 81; n <= 90; n += 1) {
    const from = told.records.length;
    turn(n);
    engine.change(
      told.records
        .slice(from)
        .map((row) => ({ topic: `run:${RUN}`, id: String(row.seq), op: 'upsert', row })),
    );
  }
  await expect(page.getByRole('button', { name: '10 new' })).toBeVisible();
  expect(await topmost()).toBe(before);
  await page.getByRole('button', { name: '10 new' }).click();
  await expect(chat(page).getByText(/^Message 90\./)).toBeVisible();
});

test('pause says that it is pausing until the engine says paused', async ({ page }) => {
  let status = 'running';
  const { engine } = await openRun(page, `/run/${RUN}`, story(), () => shown({ status }));
  engine.answers['run.pause'] = () => shown({ status });
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('Pausing')).toBeVisible();
  await expect(page.getByText('Running', { exact: true }).first()).toBeVisible();
  status = 'paused';
  engine.change([{ topic: 'runs', id: RUN, op: 'upsert', row: { id: RUN, status } }]);
  await expect(page.getByRole('button', { name: 'Resume' })).toBeVisible();
  await expect(page.getByText('Pausing')).toBeHidden();
});

test('stop asks once; the second press, here by key, stops', async ({ page }) => {
  const { engine } = await openRun(page);
  engine.answers['run.cancel'] = () => shown({ status: 'stopping' });
  const cancels = () => engine.calls.filter(({ name }) => name === 'run.cancel').length;
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Press again to stop' })).toBeVisible();
  expect(cancels()).toBe(0);
  await page.keyboard.press('Control+.');
  await expect(page.getByText('Stopping').first()).toBeVisible();
  expect(cancels()).toBe(1);
});

test('an act the engine refuses is said, and the button is free again', async ({ page }) => {
  await openRun(page);
  await page.getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByRole('alert')).toContainText('unknown_command');
  await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible();
});

test('a fork from a message carries the edited text and opens the new run', async ({ page }) => {
  const told = story();
  const { engine } = await openRun(page, `/run/${RUN}`, told);
  const at = told.records.find(({ body }) => JSON.stringify(body).includes('undercuts all three'))!.seq;
  engine.answers['run.fork'] = shown({ id: 'other' });
  await page.keyboard.press('k');
  await expect(page).toHaveURL(new RegExp(`at=`));
  await page.goto(`/run/${RUN}?at=${at}`);
  await expect(chat(page).getByText('undercuts all three')).toBeVisible();
  await page.keyboard.press('f');
  const dialog = page.getByRole('dialog', { name: `Fork from event ${at}?` });
  const field = dialog.getByRole('textbox', { name: 'What it says in the fork' });
  await expect(field).toHaveValue(PRICED);
  await field.fill('Rent at KSh 25,000.');
  await expectAccessible(page, true);
  await dialog.getByRole('button', { name: 'Fork from here' }).click();
  await expect(page).toHaveURL(/\/run\/other$/);
  const fork = engine.calls.find(({ name }) => name === 'run.fork');
  expect(fork?.params).toEqual({ run: RUN, at, edit: { replace: at, text: 'Rent at KSh 25,000.' } });
});

test('words to the team go with their time, and stand as queued until they are heard', async ({ page }) => {
  let queued: object[] = [];
  const { engine } = await openRun(page, `/run/${RUN}`, story(), () => shown({ queued }));
  engine.answers['run.say'] = ({ text: words, when }: { text: string; when: string }) => {
    queued = [{ seq: 40, text: words, when }];
    return shown({ queued });
  };
  const field = page.getByRole('textbox', { name: 'Say something to the team' });
  await field.fill('Look at Malindi too');
  await page.getByRole('combobox', { name: /^When it is heard/ }).click();
  await page.getByRole('option', { name: 'After this step' }).click();
  await field.press('Shift+Enter');
  await expect(field).toHaveValue('Look at Malindi too\n');
  await field.press('Enter');
  await expect(page.getByRole('list', { name: 'Not heard yet' })).toContainText('Look at Malindi too');
  await expect(field).toHaveValue('');
  const said = engine.calls.find(({ name }) => name === 'run.say');
  expect(said?.params).toEqual({ run: RUN, text: 'Look at Malindi too', when: 'after_step' });
});

test('words that were not sent when the run ends stay, and begin a new run', async ({ page }, info) => {
  let status = 'running';
  const { engine } = await openRun(page, `/run/${RUN}`, story(), () => shown({ status }));
  const drafts = new Map([['home', '/expansion']]);
  engine.answers['drafts.get'] = ({ place }: { place: string }) => ({ place, text: drafts.get(place) ?? '' });
  engine.answers['drafts.set'] = ({ place, text: words }: { place: string; text: string }) => {
    drafts.set(place, words);
    return { place };
  };
  const field = page.getByRole('textbox', { name: 'Say something to the team' });
  await field.fill('Look at Malindi too');
  status = 'done';
  engine.change([{ topic: 'runs', id: RUN, op: 'upsert', row: shown({ status }) }]);
  engine.change([{ topic: `run:${RUN}`, id: '32', op: 'upsert', row: ended(32) }]);
  await expect(page.getByText('The run has ended. Your words were not sent.')).toBeVisible();
  await expect(field).toHaveValue('Look at Malindi too');
  await expect(field).toBeFocused();
  await field.press('Enter');
  expect(engine.calls.some(({ name }) => name === 'run.say')).toBe(false);
  await page.screenshot({ path: info.outputPath('run-over-words.png') });
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Take them to a new run' }).click();
  await expect(page).toHaveURL(/\/home$/);
  await expect.poll(() => drafts.get('home')).toBe('/expansion\n\nLook at Malindi too');
  await expect.poll(() => drafts.get(`run:${RUN}`)).toBe('');
});

test('a question is answered where it stands, and folds to one line once it is decided', async ({
  page,
}, info) => {
  const told = story();
  const task = {
    id: 'T7',
    run: RUN,
    ask: APPROVE,
    path: 'compete/r2',
    kind: 'approve',
    status: 'open',
    opened_at: '2026-11-20T11:01:40Z',
    risk: 'contact',
    second_key: true,
    scopes: [{ scope: 'once', words: { code: 'grant.once', params: { tool: 'email.send' } } }],
  };
  const { engine, watched } = await openRun(page, `/run/${RUN}`, told, () => shown({ tasks: [task] }));
  engine.answers['tasks.approve'] = {};
  const card = chat(page).getByRole('region', { name: 'Sales & Marketing Agent wants to use email.send' });
  await expect(card).toContainText('prices@bahari.example');
  await expect(card).toContainText('contacts people');
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: info.outputPath('run-task.png') });
  await expectAccessible(page);
  await page.clock.fastForward(600);
  await page.keyboard.press('a');
  await expect(card.getByRole('button', { name: 'Press again: Allow once' })).toBeVisible();
  await card.getByRole('button', { name: 'Press again: Allow once' }).press('Enter');
  await expect(card.getByRole('button', { name: 'Sending' })).toBeFocused();
  const approvals = engine.calls.filter(({ name }) => name === 'tasks.approve');
  expect(approvals.map(({ params }) => params)).toEqual([{ task: 'T7', scope: 'once' }]);
  const opened = told.records.findIndex(({ kind }) => kind === 'task_opened') + 1;
  const seq = told.add(
    'task_decided',
    { task: opened, by: 'local_ui', verdict: { kind: 'approve' } },
    'compete/r2',
  );
  engine.change([{ topic: `run:${RUN}`, id: String(seq), op: 'upsert', row: told.records.at(-1) }]);
  await expect(card).toBeHidden();
  await expect(page.locator('.place')).toBeFocused();
  await expect(chat(page)).toContainText('Sales & Marketing Agent · in the app');
  const line = chat(page).getByRole('button', { name: 'Send an e-mail to prices@bahari.example' });
  await expect(line).toBeVisible();
  await expect(chat(page)).toContainText('in the app');
  await line.click();
  await expect(page).toHaveURL(new RegExp(`at=${opened}$`));
  expect(watched.errors).toEqual([]);
});

test('a question in a browser that may not decide says where to answer', async ({ page }) => {
  const task = { id: 'T7', run: RUN, ask: APPROVE, path: 'compete/r2', kind: 'approve', status: 'open' };
  await page.clock.install({ time: new Date('2026-11-20T11:02:14Z') });
  await page.clock.resume();
  const engine = await fakeEngine(
    page,
    engineOf(story().records, () => shown({ tasks: [task] })),
  );
  await page.addInitScript(() => sessionStorage.setItem('bwana.caller', 'local_browser'));
  await page.goto(`/run/${RUN}`);
  await expect(chat(page).getByText('Answer this in the app')).toBeVisible();
  await expect(chat(page).getByRole('button', { name: /Allow|Deny|Edit/ })).toHaveCount(0);
  expect(engine.calls.some(({ name }) => name.startsWith('tasks.a'))).toBe(false);
});

test('events are filtered by the engine, walked by key, and copied as lines of JSON', async ({
  page,
  context,
}, info) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const told = story();
  const { engine } = await openRun(page, `/run/${RUN}`, told);
  await page.keyboard.press('Alt+4');
  const list = page.getByRole('list', { name: 'Events' });
  await expect(list.getByRole('button', { name: /Question to you/ })).toBeVisible();
  await page.screenshot({ path: info.outputPath('run-events.png') });
  await expectAccessible(page);
  await page.getByRole('searchbox', { name: 'Filter events' }).fill('kind:task_opened');
  await expect(list.getByRole('button')).toHaveCount(1);
  expect(engine.calls.some(({ params }) => params['filter'] === 'kind:task_opened')).toBe(true);
  await page.getByRole('searchbox').fill('nothing like it');
  await expect(page.getByText('No event fits the filter.')).toBeVisible();
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await list.getByRole('button').last().click();
  await page.keyboard.press('k');
  await expect(page).toHaveURL(new RegExp(`at=${told.records.length - 1}$`));
  await list
    .getByRole('button')
    .last()
    .click({ modifiers: ['Shift'] });
  await page.getByRole('button', { name: 'Copy 2 as JSONL' }).click();
  await expect(page.getByText('2 events copied')).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const lines = copied
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { seq: number });
  expect(lines.map(({ seq }) => seq)).toEqual([told.records.length - 1, told.records.length]);
});

test('a filter that cannot be read says why, and is not asked for again', async ({ page }) => {
  const { engine } = await openRun(page, `/run/${RUN}?lens=events`);
  await expect(page.getByRole('list', { name: 'Events' })).toBeVisible();
  engine.refusals['run.window'] = {
    code: 'usage.invalid',
    message: '`cost:>abc`: `abc` is no amount',
    hint: 'write it like `cost:>0.01`',
  };
  const field = page.getByRole('searchbox', { name: 'Filter events' });
  await field.fill('cost:>abc');
  const told = page.getByRole('alert');
  await expect(told).toContainText('This filter cannot be read');
  await expect(told.getByText('`abc` is no amount')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Try again' })).toBeHidden();
  delete engine.refusals['run.window'];
  await told.getByRole('button', { name: 'Clear the filter' }).click();
  await expect(field).toBeFocused();
  await expect(page.getByRole('list', { name: 'Events' })).toBeVisible();
});

test('the heading has the focus once a run is there, and on the way back to the list', async ({ page }) => {
  await page.clock.install({ time: new Date('2026-11-20T11:02:14Z') });
  await page.clock.resume();
  const engine = await fakeEngine(
    page,
    engineOf(story().records, () => shown()),
  );
  engine.pending('run.show');
  await page.goto('/waiting');
  await expect(page.getByRole('heading', { level: 1, name: 'Waiting for you' })).toBeVisible();
  await page.evaluate((path) => {
    history.pushState(null, '', path);
    dispatchEvent(new PopStateEvent('popstate'));
  }, `/run/${RUN}`);
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused();
  await expect.poll(() => engine.calls.some(({ name }) => name === 'run.show')).toBe(true);
  engine.answerTo('run.show', shown());
  const heading = page.getByRole('heading', { level: 1, name: 'African Market Expansion' });
  await expect(heading).toBeFocused();
  // The code of the list is loaded only now.
  await page.locator('.back').click();
  await expect(page.getByRole('heading', { level: 1, name: 'Runs' })).toBeFocused();
});

test('files stand with size, hash and folder', async ({ page }, info) => {
  await openRun(page, `/run/${RUN}?lens=files`);
  await expect(page.getByRole('row', { name: /prices.csv.*18.kB.*9e41c07a5d22/ })).toBeVisible();
  await page.screenshot({ path: info.outputPath('run-files.png') });
  await expectAccessible(page);
});

test('a hundred thousand events keep the document small, and a number goes to its event', async ({
  page,
}) => {
  const told = new Story();
  told.add('run_created', {
    by: 'local_ui',
    input: 'Go',
    workflow: 'w',
    workflow_hash: '',
    definition: '',
    limits: {},
  });
  while (told.records.length < 100_000) {
    const path = `compete/r${told.records.length}`;
    const call = told.think(path, 'operations');
    told.answer(path, call, text(`Message of entry ${call}`));
  }
  const { engine } = await openRun(page, `/run/${RUN}`, told);
  const nodes = () => page.evaluate(() => document.querySelectorAll('body *').length);
  await expect(
    chat(page)
      .getByText(/Message of entry/)
      .last(),
  ).toBeVisible();
  expect(await nodes()).toBeLessThanOrEqual(1_500);
  // Up past what is held: the end is let go, and what comes in then moves nothing.
  const topmost = () => chat(page).locator('[data-seq]').first().getAttribute('data-seq').then(Number);
  await chat(page).hover();
  await page.mouse.wheel(0, -300);
  while ((await topmost()) > 94_000) {
    const before = await topmost();
    await chat(page).evaluate((log) => (log.scrollTop = 0));
    await expect.poll(topmost).toBeLessThan(before);
  }
  await expect(page.getByRole('button', { name: 'To the end' })).toBeVisible();
  const still = await topmost();
  const call = told.think('compete/late', 'operations');
  told.answer('compete/late', call, text('The latest word'));
  engine.change(
    told.records.slice(-2).map((row) => ({ topic: `run:${RUN}`, id: String(row.seq), op: 'upsert', row })),
  );
  await expect(page.getByRole('tab', { name: /Events.*100,003/ })).toBeVisible();
  expect(await topmost()).toBe(still);
  expect(await nodes()).toBeLessThanOrEqual(1_500);
  await page.getByRole('button', { name: 'To the end' }).click();
  await expect(chat(page).getByText('The latest word')).toBeVisible();
  await page.keyboard.press('Alt+4');
  const list = page.getByRole('list', { name: 'Events' });
  await expect(list.locator('[data-seq]').last()).toBeVisible();
  expect(await nodes()).toBeLessThanOrEqual(1_500);
  await page.getByRole('searchbox', { name: 'Filter events' }).fill('#50000');
  await expect(list.locator('[data-seq="50000"]')).toBeVisible();
  await expect(list.locator('[data-seq="50000"]').locator('..')).toHaveAttribute('aria-posinset', '50000');
  for (let round = 0; round < 5; round += 1) {
    const first = await list.locator('[data-seq]').first().getAttribute('data-seq');
    // Until the list has come to rest at its number, it may go there once more.
    await expect
      .poll(async () => {
        await list.evaluate((node) => (node.scrollTop = 0));
        return list.locator('[data-seq]').first().getAttribute('data-seq');
      })
      .not.toBe(first);
  }
  expect(await nodes()).toBeLessThanOrEqual(1_500);
});

test('a run that is not there, and one that cannot be read, say so', async ({ page }) => {
  await fakeEngine(page);
  await page.goto(`/run/${RUN}`);
  await expect(page.getByRole('alert')).toContainText('The run could not be read');
  await expectAccessible(page);
});

test('a run in a window of its own has nothing around it', async ({ page }) => {
  await page.addInitScript((run) => {
    Object.defineProperty(window, '__bwana', { value: Object.freeze({ window: 'run', run }) });
  }, RUN);
  await openRun(page, '/');
  await expect(page.getByRole('navigation', { name: 'Main' })).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'Runs' })).toHaveCount(0);
  await expect(chat(page).getByText('undercuts all three')).toBeVisible();
});

test('a path of sixty steps fits a narrow window, and says how far it is', async ({ page }, info) => {
  const steps = Array.from({ length: 60 }, (_, at) => ({
    ...(shown().steps[at < 20 ? 0 : at === 20 ? 1 : 2] as object),
    path: `s${at}`,
    name: `Step number ${at + 1}`,
  }));
  await page.setViewportSize({ width: 760, height: 800 });
  await openRun(page, `/run/${RUN}`, story(), () => shown({ steps }));
  const path = page.getByRole('complementary', { name: 'Work path' });
  await expect(path.getByText('20 of 60')).toBeVisible();
  await expect(path.getByText('21 · Step number 21')).toBeVisible();
  const box = await path.boundingBox();
  expect(box!.x + box!.width).toBeLessThanOrEqual(760);
  expect(await path.evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0);
  await page.screenshot({ path: info.outputPath('long-path.png') });
});

for (const [name, theme, language] of [
  ['light', 'light', 'en'],
  ['dark', 'dark', 'en'],
  ['arabic', 'light', 'ar'],
] as const) {
  test(`the quick window in ${name} asks once and shows what is at work`, async ({ page }, info) => {
    await page.setViewportSize({ width: 420, height: 520 });
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await page.addInitScript(() => {
      Object.defineProperty(window, '__bwana', { value: Object.freeze({ window: 'quick' }) });
    });
    const watched = await watchPage(page);
    const line = (id: string, title: string, status: string, over: object = {}) => ({
      id,
      title,
      status,
      started_at: '2026-11-20T09:00:00Z',
      updated_at: '2026-11-20T09:02:00Z',
      steps_done: 2,
      steps_total: 5,
      step: 'Draft the offer',
      cost: 0.06,
      cost_known: 0.06,
      ...over,
    });
    const engine = await fakeEngine(page, {
      'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
      'tasks.list': {
        tasks: [
          {
            id: 't1',
            run: 'r1',
            ask: APPROVE,
            path: 'compete/r2',
            kind: 'approve',
            status: 'open',
            opened_at: '2026-11-20T09:01:00Z',
            risk: 'contact',
            second_key: true,
          },
        ],
      },
      'drafts.get': { place: 'quick', text: '' },
      'drafts.set': { place: 'quick' },
      'run.list': {
        runs: [
          line('r1', 'Complete Business Setup', 'running'),
          line('r2', 'Price list, Eldoret dairies', 'done'),
          line('r3', 'Delivery notices, Lagos', 'failed'),
        ],
      },
      'run.start_plan': { run: 'r9' },
    });
    await page.goto('/');
    const field = page.getByRole('textbox');
    await expect(field).toBeFocused();
    await expect(page.getByRole('listitem').getByText('Complete Business Setup')).toBeVisible();
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: info.outputPath(`quick-${name}.png`) });
    await expectAccessible(page);
    await field.fill('Compare ice prices');
    await field.press('Enter');
    await expect(field).toHaveValue('');
    engine.change([
      { topic: 'runs', id: 'r9', op: 'upsert', row: line('r9', 'Compare ice prices', 'running') },
    ]);
    await expect(page.getByText('Compare ice prices')).toBeVisible();
    const starts = engine.calls.filter((call) => call.name === 'run.start_plan');
    expect(starts).toHaveLength(1);
    expect(starts[0]?.params['text']).toBe('Compare ice prices');
    expect(watched.errors).toEqual([]);
  });
}
