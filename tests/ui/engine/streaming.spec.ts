// A run that streams, watched by pages that come and go: nothing is lost, nothing is shown twice, and two windows agree.
import { expect, type Page } from '@playwright/test';
import { test, type Host } from './host';

/** Ten agents' turns a step; each answer comes in many small pieces. */
const LONG = `schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write.
tools: []
---
schema: bwana.workflow/v1
id: long
name: Long talk
agents: [writer]
steps: [${Array.from({ length: 60 }, (_, n) => `Part ${n + 1}`).join(', ')}]
`;

/** 200 reloads; a thousand where the published figures are wanted. */
const RELOADS = process.env['BWANA_FULL'] ? 1_000 : 200;

interface Entry {
  seq: number;
  kind: string;
  body: Record<string, unknown>;
}

/** Texts of agents by the entry that holds them, as the journal has them. */
async function messages(host: Host, run: string): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  let after = 0;
  for (;;) {
    const window = await host.rpc<{ entries: Entry[]; last_seq: number }>('run.window', {
      run,
      after,
      limit: 400,
    });
    for (const { seq, kind, body } of window.entries) {
      if (kind !== 'call_finished') continue;
      const { parts } = body['result'] as { parts: { text?: string }[] };
      found.set(seq, parts.map((part) => part.text ?? '').join(''));
    }
    const last = window.entries.at(-1)?.seq ?? window.last_seq;
    if (last <= after || last >= window.last_seq) return found;
    after = last;
  }
}

const log = (page: Page) => page.getByRole('log', { name: 'Conversation of the team' });

/** The finished texts the page shows, by their entries. */
function shown(page: Page): Promise<[number, string][]> {
  return log(page).evaluate((root) =>
    [...root.querySelectorAll<HTMLElement>('.text[data-seq]')].map((node): [number, string] => [
      Number(node.dataset['seq']),
      node.innerText.trim(),
    ]),
  );
}

test.use({ options: { latencyMs: 40, betweenMs: 12, deltas: 40 } });

test('two hundred reloads of a streaming run lose nothing and show nothing twice', async ({
  host,
  context,
}) => {
  test.setTimeout(1_200_000);
  const text = LONG;
  let run = await host.start(text, 'Tell me everything');
  let [page, watched] = await host.open(context, `/run/${run}`);
  await log(page).waitFor();
  const draft = page.getByRole('textbox', { name: /Say something/ });
  await draft.fill('Half a sentence');
  await expect
    .poll(() => host.rpc<{ text: string }>('drafts.get', { place: `run:${run}` }).then((kept) => kept.text))
    .toBe('Half a sentence');
  let streaming = 0;
  for (let reload = 0; reload < RELOADS; reload += 1) {
    const { runs } = await host.rpc<{ runs: { id: string; status: string }[] }>('run.list');
    if (runs.find(({ id }) => id === run)?.status === 'done') {
      run = await host.start(text, 'Tell me more');
      await page.close();
      [page, watched] = await host.open(context, `/run/${run}`);
    } else {
      await page.reload();
      streaming += 1;
    }
    const known = await messages(host, run);
    await expect(log(page)).toBeVisible();
    const newest = Math.max(0, ...known.keys());
    await expect
      .poll(async () => Math.max(0, ...(await shown(page)).map(([seq]) => seq)), {
        message: `reload ${reload}`,
      })
      .toBeGreaterThanOrEqual(newest);
    // A row may be there a frame before its words.
    await expect(async () => {
      const now = await messages(host, run);
      const seen = await shown(page);
      const seqs = seen.map(([seq]) => seq);
      expect.soft(new Set(seqs).size, 'nothing twice').toBe(seqs.length);
      const first = Math.min(...seqs);
      const last = Math.max(0, ...seqs);
      const expected = [...now].filter(([seq]) => seq >= first && seq <= last);
      // An entry may have come between the two looks: only what both know is compared.
      const both = seen.filter(([seq]) => now.has(seq));
      expect(both, `reload ${reload}`).toEqual(expected.map(([seq, words]) => [seq, words.trim()]));
    }).toPass({ timeout: 20_000 });
    expect(watched.errors).toEqual([]);
  }
  // Else the rate of the model leaves nothing to lose.
  expect(streaming).toBeGreaterThan(RELOADS / 2);
});

test('two windows of one run show the same', async ({ host, context }) => {
  const run = await host.start(LONG, 'Tell both of us');
  const [one] = await host.open(context, `/run/${run}`);
  const [two] = await host.open(context, `/run/${run}`);
  await Promise.all([log(one).waitFor(), log(two).waitFor()]);
  const header = (page: Page) => page.getByRole('banner').or(page.locator('header')).first();
  // Stopped in the first, both end with the same words.
  await one.getByRole('button', { name: 'Stop' }).click();
  await one
    .getByRole('dialog')
    .getByRole('button', { name: /Stop/ })
    .click({ timeout: 3_000 })
    .catch(() => undefined);
  await host.until(run, 'cancelled', 'stopped', 'done');
  const whole = await messages(host, run);
  const newest = Math.max(0, ...whole.keys());
  for (const page of [one, two]) {
    // A row may be there a frame before its words. Only the rows near the end are in the document, and how many differs
    // between the two.
    await expect(async () => {
      const seen = await shown(page);
      expect(Math.max(0, ...seen.map(([seq]) => seq))).toBe(newest);
      const first = Math.min(...seen.map(([seq]) => seq));
      const expected = [...whole].filter(([seq]) => seq >= first);
      expect(seen).toEqual(expected.map(([seq, words]) => [seq, words.trim()]));
    }).toPass({ timeout: 20_000 });
  }
  await expect(header(two)).toContainText((await header(one).innerText()).split('\n')[0]!);
});

test('a wish is sent and its result read with the keyboard alone', async ({ host, context }) => {
  await host.rpc('settings.show');
  const [page, watched] = await host.open(context, '/');
  const composer = page.getByRole('textbox').first();
  await expect(composer).toBeFocused();
  await page.keyboard.type('@operations What should we check every Monday?');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/run\//);
  await expect(log(page).getByText('done as asked')).toBeVisible();
  // To the list of runs and back into this one.
  const back = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Runs' });
  for (let presses = 0; presses < 40; presses += 1) {
    if (await back.evaluate((node) => node === document.activeElement)) break;
    await page.keyboard.press('Shift+Tab');
  }
  await expect(back).toBeFocused();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/runs/);
  expect(watched.errors).toEqual([]);
});
