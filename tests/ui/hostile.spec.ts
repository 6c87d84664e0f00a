// What a model writes to break out: drawn on every screen that shows a model's words, it reaches nothing. The payloads are
// shared with the test of the desktop window: `{name, text, times?}`, `times` writes the text so often, CANARY is the host
// of the server that must hear nothing, and a script that ran sets `__pwned` on the top window.
import { readFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { marked } from 'marked';
import { openBarePage, openCanary, type Canary } from './canary';
import { fakeEngine, settings, type FakeEngine } from './engine';
import { watchPage } from './page';
import { engineOf, RUN, shown, Story, text, wants } from './run-fixture';

interface Payload {
  name: string;
  text: string;
  times?: number;
}

const PAYLOADS = JSON.parse(
  readFileSync(new URL('../hostile/payloads.json', import.meta.url), 'utf8'),
) as Payload[];
const NOW = new Date('2026-11-20T11:02:14Z');
/** Lists get the beginning, as the engine gives it to them. */
const TITLE_CHARS = 400;
const WORDS_CHARS = 24;
/** Of the payloads that reach out by themselves, so many do in a page without our renderer. */
const CONTROL_REACH = 90;

let canary: Canary;
test.beforeEach(async () => {
  canary = await openCanary();
});
test.afterEach(() => canary.close());

/** The payloads with the canary's address, in full or without those that are only long. */
function hostile(which: 'short' | 'long'): string[] {
  return PAYLOADS.filter(({ times }) => (times !== undefined) === (which === 'long')).map((payload) =>
    payload.text.repeat(payload.times ?? 1).replaceAll('CANARY', canary.host),
  );
}
const harmless = (count: number) => Array.from({ length: count }, (_, index) => `Words ${index}`);

/** A run in which everything a model, a tool, a provider or a person may write is one of these texts. */
function told(texts: readonly string[]): { story: Story; answers: number[]; tasks: object[] } {
  const story = new Story();
  const answers: number[] = [];
  const tasks: object[] = [];
  story.add('run_created', { by: 'local_ui', input: texts[0], workflow: 'w', definition: '', limits: {} });
  texts.forEach((words, index) => {
    const path = `s${index}/r1`;
    const agent = `agent_${index}`;
    const head = words.slice(0, TITLE_CHARS);
    story.add('step_started', {}, `s${index}`);
    story.add('speaker_chosen', { agent, by: 'model' }, path);
    const call = story.think(path, agent);
    if (index % 3 === 0) {
      const error = { class: { model: 'overloaded' }, message: words, status: 503 };
      const partial = { call, cost: null, error, partial: words, retry_at: 0, usage: {} };
      story.add('call_failed', partial, path);
    }
    answers.push(story.answer(path, call, text(words), wants(head, { url: words }, 'a')));
    story.use(path, agent, call, 0, head, words);
    story.post(path, agent, call);
    if (index % 3 === 1) {
      const ask = {
        kind: 'approve',
        agent,
        tool: head,
        version: '1',
        risk: 'contact',
        effect: 'at_most_once',
        args: JSON.stringify({ url: words, body: { text: words } }),
        args_hash: `h${index}`,
        preview: words,
        why: words,
        tainted: true,
      };
      const scopes = [{ scope: 'once', words: { code: 'grant.once', params: { tool: head } } }];
      story.add('task_opened', { ask, tool_call: [call, 0] }, path);
      const at = { opened_at: NOW.toISOString(), run: RUN, run_title: head, workflow: 'w' };
      const shape = { id: `t${index}`, kind: 'approve', path, status: 'open', ask, risk: 'contact' };
      tasks.push({ ...at, ...shape, second_key: true, scopes });
    }
    if (index % 3 === 2) {
      story.add('person_said', { text: words, when: 'now', by: 'local_ui' });
      story.add('task_opened', { ask: { kind: 'answer', agent, question: words } }, path);
      const failed = { kind: 'failed', error: { class: 'tool', message: words } };
      story.add('step_finished', { outcome: failed }, `s${index}`);
    }
  });
  return { story, answers, tasks };
}

function answersFor(texts: readonly string[], story: Story, tasks: readonly object[]) {
  const heads = texts.map((words) => words.slice(0, TITLE_CHARS));
  const steps = heads.map((name, index) => {
    const figures = { cost_known: 0, turns: 1, usage: {}, result: name };
    const times = { started_at: NOW.toISOString(), finished_at: null };
    return { path: `s${index}`, name, status: 'running', agents: [`agent_${index}`], ...figures, ...times };
  });
  const runs = heads.map((title, index) => ({
    id: `run_${String(9_999 - index)}`,
    title,
    workflow: `w${index}`,
    status: ['running', 'done', 'failed', 'waiting'][index % 4],
    step: title,
    steps_done: 1,
    steps_total: 3,
    head_seq: 9,
    cost: 0.1,
    cost_known: 0.1,
    started_at: NOW.toISOString(),
    updated_at: NOW.toISOString(),
    stop_reason: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  }));
  const agents = heads.map((name, index) => ({
    id: `agent_${index}`,
    name,
    kind: 'custom',
    builtin: false,
    capabilities: [name],
    description: texts[index],
    instructions_head: texts[index],
    model: name,
    model_problem: null,
    models: [name],
    starter_model: false,
    status: 'working',
    now: { run: RUN, path: 'p', step: name, doing: 'using', tool: name, since: NOW.toISOString() },
    active: [
      { run: RUN, title: name, workflow: name, status: 'running', step: name, steps_done: 1, steps_total: 3 },
    ],
    cost_today: 0,
    cost_week: 0,
    runs_week: 1,
    tools: [{ name, risk: 'contact', effect: 'at_most_once', ready: true, asks: true }],
  }));
  const workflows = heads.map((name, index) => ({
    id: `w${index}`,
    name,
    description: texts[index],
    builtin: false,
    agents: [`agent_${index}`],
    steps: [name],
    last_run: null,
    ended: 0,
    ended_well: 0,
    median_cost: null,
    median_elapsed_ms: null,
  }));
  const artifacts = heads.map((file, index) => ({ file, bytes: 9, hash: `h${index}` }));
  const queued = heads.slice(0, 2).map((words, index) => ({ seq: index, text: words, when: 'now' }));
  const run = shown({
    workflow_name: heads[1],
    input: texts[0],
    steps,
    artifacts,
    queued,
    tasks,
    folder: heads[2],
    models: heads,
    result: texts.slice(0, 50).join('\n\n'),
  });
  return {
    ...engineOf(story.records, () => run),
    'settings.show': settings({ language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' }),
    'agents.list': { items: agents.map(({ id, name }) => ({ id, name })) },
    'agents.panels': { agents },
    'agents.show': { id: 'agent_0', hash: 'h', source: '', agent: { instructions: texts.join('\n\n') } },
    'tasks.list': { tasks },
    'grants.list': {
      grants: heads.map((tool, index) => ({
        id: `g${index}`,
        scope: 'workflow',
        tool,
        version: '1',
        pattern: { kind: 'host', host: tool },
        words: { code: 'grant.workflow.host', params: { tool, host: tool } },
        run: RUN,
        workflow: 'w',
        made_at: NOW.toISOString(),
        made_by: 'local_ui',
        task: `t${index}`,
        used: 1,
        stands: true,
        expires_at: NOW.toISOString(),
      })),
    },
    'run.list': ({ before }: { before?: string }) => ({
      runs: before === undefined ? runs : [],
      total: runs.length,
    }),
    'home.show': {
      live: runs.slice(0, 12),
      suggested: workflows,
      today: {
        day: '2026-11-20',
        time_zone: 'UTC',
        runs: 6,
        runs_done: 5,
        live: 1,
        waiting: tasks.length,
        spent: 0.42,
        reserved: 0,
        limit: 1,
        unpriced_calls: 2,
        bytes_in: 1,
        bytes_out: 1,
        troubled_providers: heads,
      },
    },
    'workflows.lines': { workflows },
    'workflows.list': {
      items: workflows.map(({ id, name, agents, steps }) => ({
        id,
        name,
        description: name,
        version: '1',
        source: name,
        uses: agents,
        steps: steps.length,
      })),
    },
    'workflows.show': {
      id: 'w0',
      hash: 'h',
      source: heads[3],
      workflow: {
        schema: 'bwana.workflow/v1',
        id: 'w0',
        name: heads[0],
        description: texts.slice(0, 60).join('\n\n'),
        agents: ['agent_0', 'agent_1'],
        input: { type: 'string', description: heads[4] },
        steps: texts.map((task, index) => ({
          name: heads[index],
          agent: `agent_${index}`,
          task,
          tools: [heads[index]],
        })),
      },
    },
    'workflows.export': { id: 'w0', text: texts.slice(0, 60).join('\n') },
    'usage.report': ({ from, to, by }: { from: string; to: string; by: string }) => {
      const sums = {
        cost: 0.1,
        calls: 1,
        unpriced_calls: 0,
        input_tokens: 1,
        output_tokens: 1,
        estimated: false,
      };
      return {
        from,
        to,
        today: '2026-11-20',
        time_zone: 'UTC',
        by,
        rows: heads.map((key) => ({ day: to, key, sums })),
        total: sums,
        traffic: [],
        dearest: runs.slice(0, 40).map(({ id, title, workflow }) => ({ run: id, title, workflow, ...sums })),
      };
    },
    'budget.show': {
      day: '2026-11-20',
      time_zone: 'UTC',
      limit: 1,
      spent: 0.4,
      reserved: 0,
      left: 0.6,
      unpriced_calls: 0,
    },
    'providers.list': {
      providers: heads.map((id, index) => ({
        id,
        kind: 'gemini',
        base_url: texts[index],
        model: id,
        context: 1,
        is_default: false,
        key: null,
        key_left_behind: false,
        on_this_machine: false,
        price_in: null,
        price_out: null,
        price_as_of: null,
        replaced: false,
        standing: { state: 'circuit_open', last_error: 'auth', last_failure: texts[index], until: null },
        status: 'ready',
      })),
    },
    'providers.presets': { presets: [] },
    'models.list': { default_model: null, machine: {}, models: [] },
    'drafts.get': { place: 'home', text: texts.slice(0, 20).join('\n') },
    'plan.preview': {
      target: { kind: 'workflow', id: 'w0', name: heads[0] },
      why: 'match',
      words: heads.slice(0, 4),
      text: texts[0],
      steps: heads.slice(0, 40).map((name, index) => ({ id: name, name, agents: [`agent_${index}`] })),
      agents: agents.slice(0, 40).map(({ id, name }) => ({ id, name, model: name })),
      asks: heads.slice(0, 40).map((tool) => ({ tool, risk: 'contact' })),
      starter_model: false,
      estimate: { basis: 'unknown', missing: heads.slice(0, 4) },
      problems: [],
    },
  };
}

/** What must not be in the document, whatever was written. */
async function outlaws(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found = [...document.querySelectorAll('main *, [role="dialog"] *, nav *')]
      .filter(
        (node) =>
          node.matches(
            'img, iframe, frame, object, embed, script, style, link, meta, base, video, audio, source, track, picture, ' +
              'template, math, image, use, foreignObject, animate, set, feImage, portal, marquee, title, noscript, ' +
              '[src], [srcset], [srcdoc], [poster], [background], [ping], [action], [formaction], [data]',
          ) || node.getAttributeNames().some((name) => /^on/i.test(name)),
      )
      .map((node) => `${node.localName} ${node.getAttributeNames().join(' ')}`);
    const astray = [...document.querySelectorAll('main a[href]')]
      .map((node) => (node as HTMLAnchorElement).href)
      .filter((href) => new URL(href).origin !== location.origin);
    return [...found, ...astray];
  });
}

/** Scrolls a pane from one end to the other and tells which entries were drawn on the way. */
async function scrollThrough(page: Page, name: string, from: 'start' | 'end'): Promise<number[]> {
  const pane = page.locator(`[data-scroll="${name}"]`);
  await expect(pane).toBeVisible();
  return pane.evaluate(
    async (node, up) => {
      const FRAMES_AT_END = 12;
      const MOVES_MOST = 5_000;
      const frame = () => new Promise(requestAnimationFrame);
      const seen = new Set<number>();
      node.scrollTop = up ? node.scrollHeight : 0;
      node.dispatchEvent(new WheelEvent('wheel', { deltaY: up ? -1 : 1 }));
      for (let still = 0, moves = 0; still < FRAMES_AT_END; moves += 1) {
        if (moves === MOVES_MOST)
          throw new Error(`never at its end: ${node.scrollTop} of ${node.scrollHeight}`);
        await frame();
        await frame();
        for (const one of node.querySelectorAll<HTMLElement>('[data-seq]'))
          seen.add(Number(one.dataset['seq']));
        const before = node.scrollTop;
        const view = node.getBoundingClientRect();
        const drawn = [...node.querySelectorAll('[data-seq]')].map((one) => one.getBoundingClientRect());
        // What fills the view is passed in one step, to where its end is the whole view but a little.
        const filling = drawn.find(({ top, bottom }) => top < view.top && bottom > view.bottom);
        const rest = filling ? (up ? view.top - filling.top : filling.bottom - view.bottom) : 0;
        node.scrollTop += (up ? -1 : 1) * Math.max(node.clientHeight * 0.7, rest);
        still = Math.abs(node.scrollTop - before) < 1 ? still + 1 : 0;
      }
      return [...seen];
    },
    from === 'end',
    { timeout: 10_000 },
  );
}

/** Goes over every text and tool call by key; the inspector tells of each. Gives how many there were. */
async function inspectAll(page: Page, most: number): Promise<number> {
  return page.evaluate(async (enough) => {
    const STILL = 40;
    const frame = () => new Promise(requestAnimationFrame);
    const places = new Set<string>();
    for (let still = 0; still < STILL && places.size < enough;) {
      const before = places.size;
      (document.activeElement as HTMLElement | null)?.blur();
      dispatchEvent(new KeyboardEvent('keydown', { key: 'k', code: 'KeyK', bubbles: true }));
      await frame();
      places.add(location.search);
      still = places.size === before ? still + 1 : 0;
    }
    return places.size;
  }, most);
}

/** Every screen that shows what a model wrote. `inspected`: so many places of the run are opened in the inspector at most. */
async function tour(
  page: Page,
  engine: FakeEngine,
  texts: readonly string[],
  story: ReturnType<typeof told>,
  inspected = Infinity,
): Promise<string[]> {
  const found: string[] = [];
  /** `words`: that the screen shows them, whatever they are, as they were written. */
  const look = async (...words: (string | undefined)[]) => {
    for (const one of words)
      await expect.poll(() => page.locator('main').textContent()).toContain(one?.slice(0, WORDS_CHARS));
    found.push(...(await outlaws(page)));
  };
  const ready = (path: string) => page.goto(path).then(() => expect(page.locator('main h1')).toBeAttached());

  await ready(`/run/${RUN}`);
  await expect(page.getByRole('log')).toBeVisible();
  const drawn = new Set(await scrollThrough(page, 'run-chat', 'end'));
  await look();
  expect(story.answers.filter((seq) => !drawn.has(seq))).toEqual([]);
  for (const folded of await page
    .getByRole('log')
    .getByRole('button', { name: /Attempt|more call/ })
    .all())
    await folded.click({ timeout: 2_000 }).catch(() => undefined);
  await look();
  expect(await inspectAll(page, inspected)).toBeGreaterThanOrEqual(Math.min(texts.length + 1, inspected));
  await look();
  await page.keyboard.press('Alt+2');
  await expect(page.getByRole('tab', { name: /Timeline/, selected: true })).toBeVisible();
  await look();
  await page.keyboard.press('Alt+4');
  await expect(page.getByRole('list', { name: 'Events' })).toBeVisible();
  await scrollThrough(page, 'run-events', 'end');
  await look();
  await page.keyboard.press('Alt+5');
  await expect(page.getByRole('tab', { name: /Files/, selected: true })).toBeVisible();
  await look(texts[0], texts[9]);

  await ready('/runs');
  await look(texts[0], texts[1]);
  await scrollThrough(page, 'runs', 'start');
  await look();
  await ready('/');
  await look(texts[0]);
  await scrollThrough(page, 'home', 'start');
  await ready('/agents');
  await look(texts[0], texts.at(-1));
  await ready('/agents/agent_0');
  await look(texts[0], texts.at(-1));
  await ready('/workflows');
  await look(texts[0], texts.at(-1));
  await ready('/workflows/w0');
  await look(texts[0], texts.at(-1));
  for (const by of ['agent', 'model', 'workflow']) {
    await ready(`/usage?by=${by}`);
    await look();
  }
  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog');
  await expect(palette.getByRole('combobox')).toBeFocused();
  for (const words of ['', texts[0]!.slice(0, 8), 'script', 'img', 'onerror']) {
    await palette.getByRole('combobox').fill(words);
    await look();
  }
  // Of many letters in a row the last ones are looked for.
  await expect.poll(() => engine.calls.some(({ name }) => name === 'search.find')).toBe(true);
  await page.keyboard.press('Escape');
  await expect(palette).toBeHidden();
  await ready('/connections/providers');
  await look(texts[0], texts.at(-1));
  for (const at of [1, 4, 7, 10, 13, 16, 40, 70, 100, 130]) {
    await ready(`/waiting?task=t${at}`);
    await look(texts[at]);
  }
  await page.getByRole('tab', { name: /allowed/i }).click();
  await look(texts[0], texts.at(-1));
  return found;
}

interface Witness {
  engine: FakeEngine;
  /** Errors of the page and breaches of its policy. */
  errors: string[];
  /** Requests and navigations to anywhere but the window's own server. */
  astray: string[];
  windows: number;
}

async function witness(page: Page, answers: Record<string, unknown>): Promise<Witness> {
  await page.clock.install({ time: NOW });
  await page.clock.resume();
  const { errors } = await watchPage(page);
  const engine = await fakeEngine(page, answers);
  const seen: Witness = { engine, errors, astray: [], windows: 0 };
  const own = (url: string) => url === 'about:blank' || /^(data|blob):/.test(url) || own.host(url);
  own.host = (url: string) => new URL(url).port === String(process.env['BWANA_UI_PORT'] ?? 4173);
  page.on('request', (request) => !own(request.url()) && seen.astray.push(request.url()));
  page.on('framenavigated', (frame) => !own(frame.url()) && seen.astray.push(frame.url()));
  page.on('dialog', (dialog) => {
    seen.astray.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.context().on('page', () => (seen.windows += 1));
  return seen;
}

async function expectNothingHappened(page: Page, seen: Witness): Promise<void> {
  const marks = await page.evaluate(() => ({
    pwned: (window as unknown as { __pwned?: unknown }).__pwned ?? null,
    polluted: ({} as { polluted?: unknown }).polluted ?? null,
  }));
  expect(marks).toEqual({ pwned: null, polluted: null });
  expect([...canary.names]).toEqual([]);
  expect(canary.connections).toBe(0);
  expect(seen.errors).toEqual([]);
  expect(seen.astray).toEqual([]);
  expect(seen.windows).toBe(0);
}

/** A run view that has drawn one text. */
async function openRun(
  page: Page,
  texts: readonly string[],
): Promise<Witness & { story: Story; last: number }> {
  const story = new Story();
  story.add('run_created', { by: 'local_ui', input: 'Go', workflow: 'w', definition: '', limits: {} });
  let last = 0;
  texts.forEach((words, index) => {
    const call = story.think(`s/r${index}`, 'operations');
    last = story.answer(`s/r${index}`, call, text(words));
    story.post(`s/r${index}`, 'operations', call);
  });
  const seen = await witness(page, {
    ...engineOf(story.records, () => shown()),
    'settings.show': settings({ language: 'en', region: 'KE', time_zone: 'Africa/Nairobi' }),
  });
  await page.goto(`/run/${RUN}`);
  await expect(page.getByRole('log')).toBeVisible({ timeout: 60_000 });
  return { ...seen, story, last };
}

const asked = (engine: FakeEngine) => [...new Set(engine.calls.map(({ name }) => name))].sort();

test('nothing a model writes reaches out of any screen, or asks the engine for anything', async ({
  page,
  browser,
}) => {
  test.setTimeout(600_000);
  const texts = hostile('short');
  expect(texts.length).toBeGreaterThanOrEqual(150);
  const plain = harmless(texts.length);
  const calm = await (await browser.newContext({ ...test.info().project.use })).newPage();
  const calmStory = told(plain);
  const usual = await witness(calm, answersFor(plain, calmStory.story, calmStory.tasks));
  // Every kind of place is among the first ones.
  expect(await tour(calm, usual.engine, plain, calmStory, 60)).toEqual([]);
  await expectNothingHappened(calm, usual);
  await calm.context().close();

  const story = told(texts);
  const seen = await witness(page, answersFor(texts, story.story, story.tasks));
  expect(await tour(page, seen.engine, texts, story)).toEqual([]);
  await expectNothingHappened(page, seen);
  expect(asked(seen.engine).filter((name) => !asked(usual.engine).includes(name))).toEqual([]);
});

test('texts made to be too deep or too long are drawn, and the window goes on', async ({ page }) => {
  test.setTimeout(300_000);
  // Of nothing but space nothing is drawn.
  const texts = hostile('long').filter((words) => words.trim() !== '');
  expect(texts.length).toBeGreaterThan(10);
  const seen = await openRun(page, texts);
  const drawn = new Set(await scrollThrough(page, 'run-chat', 'end'));
  const answers = seen.story.records.filter(({ kind }) => kind === 'call_finished').map(({ seq }) => seq);
  expect(answers.filter((seq) => !drawn.has(seq))).toEqual([]);
  expect(await outlaws(page)).toEqual([]);
  await page.keyboard.press('Alt+4');
  await expect(page.getByRole('list', { name: 'Events' })).toBeVisible();
  await expectNothingHappened(page, seen);
});

test('a hostile text on its way is drawn like one that arrived', async ({ page }) => {
  test.setTimeout(300_000);
  const seen = await openRun(page, ['Good morning']);
  const topic = `run:${RUN}`;
  const say = (words: string[], index: number) => {
    const path = `s/w${index}`;
    const call = seen.story.think(path, 'operations');
    seen.engine.change([{ topic, id: String(call), op: 'upsert', row: seen.story.records.at(-1) }]);
    let offset = 0;
    for (const part of words) {
      const stream = { event: 'stream', run: RUN, call, attempt: 1, path, agent: 'operations' };
      seen.engine.tell({ ...stream, offset, text: part });
      offset += new TextEncoder().encode(part).length;
    }
  };
  const texts = hostile('short');
  // Cut in the middle, as tokens come: what stands half must be as harmless as the whole.
  texts.forEach((words, index) => {
    const letters = [...words];
    const half = Math.floor(letters.length / 2);
    say([letters.slice(0, half).join(''), letters.slice(half).join('')], index);
  });
  say(['That was all of it. '], texts.length);
  const log = page.getByRole('log');
  await expect(log.getByText('That was all of it.')).toBeVisible({ timeout: 60_000 });
  await scrollThrough(page, 'run-chat', 'end');
  await expect(log.getByText(texts[0]!)).toBeVisible();
  expect(await outlaws(page)).toEqual([]);
  await expectNothingHappened(page, seen);
});

test('a link says where it leads and opens nothing by itself', async ({ page }) => {
  const links = PAYLOADS.filter(({ name }) => name.startsWith('link-') && name !== 'link-text-lies');
  const texts = links.map((payload) => payload.text.replaceAll('CANARY', canary.host));
  const seen = await openRun(page, [...texts, `[https://bank.example/sign-in](https://${canary.host}/in)`]);
  const log = page.getByRole('log');
  const lying = log.getByRole('button', { name: 'https://bank.example/sign-in' });
  await lying.click();
  const sheet = page.getByRole('dialog');
  await expect(sheet.locator('bdi')).toHaveText('127.0.0.1');
  await expect(sheet.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(sheet).toBeHidden();
  await scrollThrough(page, 'run-chat', 'end');
  const leads = await log
    .locator('.message button.link')
    .evaluateAll((all) => all.map((one) => one.getAttribute('title')));
  for (const href of leads) expect(href).toMatch(/^(https|mailto):/);
  await expectNothingHappened(page, seen);
});

/** Until no payload has reached the canary for the first time for a second; some ask again for ever, so the network never rests. */
async function untilQuiet(): Promise<void> {
  let known = -1;
  while (known < canary.names.size) {
    known = canary.names.size;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

test('control: in a plain page the same payloads run and reach the canary', async ({ page }) => {
  test.setTimeout(120_000);
  const BATCH = 40;
  const pages = hostile('short').map((words) => marked.parse(words, { async: false }));
  let pwned = false;
  // On loopback like the product: a browser keeps other pages from asking there at all.
  const bare = await openBarePage();
  for (let from = 0; from < pages.length; from += BATCH) {
    await page.goto(bare.url);
    const before = canary.names.size;
    await page.evaluate(
      (all) => {
        for (const html of all) {
          const frame = document.createElement('iframe');
          // What must never be done, done here to show that the payloads work.
          frame.setAttribute('srcdoc', html);
          document.body.append(frame);
        }
      },
      pages.slice(from, from + BATCH),
    );
    await expect.poll(() => canary.names.size, { timeout: 20_000 }).toBeGreaterThan(before);
    await untilQuiet();
    pwned ||= await page.evaluate(() => (window as unknown as { __pwned?: unknown }).__pwned !== undefined);
  }
  await bare.close();
  expect(pwned).toBe(true);
  await expect.poll(() => canary.names.size, { timeout: 20_000 }).toBeGreaterThanOrEqual(CONTROL_REACH);
});

test('control: a picture put into our own page is stopped by the policy, and counted', async ({ page }) => {
  const seen = await openRun(page, ['Good morning']);
  await expectNothingHappened(page, seen);
  await page.evaluate((host) => {
    document.querySelector('main')!.append(Object.assign(new Image(), { src: `http://${host}/own` }));
  }, canary.host);
  await expect.poll(() => seen.errors.join()).toContain('policy: img-src');
  expect(await outlaws(page)).toHaveLength(1);
  expect(canary.connections).toBe(0);
});
