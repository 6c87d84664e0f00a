import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { expect, test, type Page } from '@playwright/test';
import { openCanary } from './canary';
import { fakeEngine, settings } from './engine';
import { bytesOf, listed, reader, type Files } from './files-fixture';
import { expectAccessible, watchPage } from './page';
import { engineOf, RUN, shown, story } from './run-fixture';

const NOW = new Date('2026-11-20T11:02:14Z');
const PRICES = [
  'Town,Buyer,"Price, KES",Change,Note',
  'Mombasa,Baraka Fish,"12,500",-3.5,"=HYPERLINK(""http://x.example"",""click"")"',
  'Kilifi,Ng’ombe Dairy,"9,800",12,@SUM(1)',
  'Lamu,شركة البحر,"14,250",,"two\nlines"',
  'Nakuru,Ẹgbẹ́ Foods,"8,100",4,',
].join('\r\n');
const REPORT = `# Cold boxes on the coast

Three towns buy **today**. See the [price list](https://example.com/list).

| Town | Boats | Ice, t |
| --- | --: | --: |
| Mombasa | 320 | 14.5 |
| Kilifi | 110 | 6 |
| Lamu | 85 | 2.5 |

![a map](http://127.0.0.1:9/map.png)

\`\`\`json
{"town": "Lamu"}
\`\`\`
`;
const FACTS = JSON.stringify({
  name: 'Baraka Fish',
  open: true,
  boats: 320,
  towns: ['Mombasa', 'Kilifi', { name: 'Lamu', since: null }],
  ['__proto__']: { nested: 'key' },
  long: Array.from({ length: 60 }, (_, at) => at),
});

/** One picture of a single colour. */
function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc(body));
    return Buffer.concat([head, body, sum]);
  };
  const size = Buffer.alloc(13);
  size.writeUInt32BE(width, 0);
  size.writeUInt32BE(height, 4);
  size.set([8, 2, 0, 0, 0], 8);
  const line = Buffer.concat([Buffer.of(0), Buffer.alloc(width * 3, 0x4b)]);
  const data = deflateSync(Buffer.concat(Array.from({ length: height }, () => line)));
  const mark = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([mark, chunk('IHDR', size), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

function crc(bytes: Buffer): number {
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let n = 0; n < 8; n += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

const FILES: Files = {
  'prices.csv': PRICES,
  'reports/competition.md': REPORT,
  'facts.json': FACTS,
  'map.png': png(320, 200),
  'drawn.svg': '<svg xmlns="http://www.w3.org/2000/svg" onload="top.__pwned=1"><rect width="9"/></svg>',
  'fit.py': 'def fit(x):\n    return x * 2  # double\n',
  'offer.pdf': Buffer.from('%PDF-1.7\n%\x80\x81\n', 'latin1'),
  'notes.txt': 'Words on\n\tlines',
  'data.bin': Buffer.of(0, 1, 2, 3),
};

async function open(page: Page, path: string, files = FILES, changed: string[] = [], language = 'en') {
  await page.clock.install({ time: NOW });
  await page.clock.resume();
  const watched = await watchPage(page);
  const artifacts = listed(files);
  const engine = await fakeEngine(page, {
    ...engineOf(story().records, () => shown({ artifacts })),
    'settings.show': settings({ language, region: 'KE', time_zone: 'Africa/Nairobi' }),
    'artifacts.read': reader(files, changed),
    'artifacts.page': ({ page: n, width }: { page: number; width: number }) => ({
      pages: 3,
      width,
      height: width + n,
      png: png(width, width + n).toString('base64'),
    }),
  });
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
  return { engine, watched };
}

const at = (file: string) => `/run/${RUN}?lens=files&file=${encodeURIComponent(file)}`;
const row = (page: Page, n: number) => page.locator(`[role=row][aria-rowindex="${n}"]`);
const way = (page: Page, name: string) => page.getByRole('radio', { name, exact: true });

test('files open from the list, and back leads there again', async ({ page }) => {
  const { watched } = await open(page, `/run/${RUN}?lens=files`);
  await page.getByRole('link', { name: 'reports/competition.md' }).click();
  await expect(page).toHaveURL(/file=reports%2Fcompetition\.md/);
  await expect(page.getByRole('heading', { level: 2, name: 'reports/competition.md' })).toBeVisible();
  await expect(page.getByText('Three towns buy')).toBeVisible();
  await page.getByRole('link', { name: 'All files' }).click();
  await expect(page.getByRole('link', { name: 'prices.csv' })).toBeVisible();
  await page.goBack();
  await expect(page.getByText('Three towns buy')).toBeVisible();
  expect(watched.errors).toEqual([]);
});

for (const [name, theme, language, width] of [
  ['light', 'light', 'en', 1280],
  ['dark', 'dark', 'en', 1280],
  ['arabic', 'light', 'ar', 1280],
  ['narrow', 'light', 'en', 900],
] as const) {
  test(`every kind of file is shown in ${name}, breaks no rule and has no sideways scroll`, async ({
    page,
  }, info) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript((chosen) => localStorage.setItem('bwana.theme', chosen), theme);
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const { watched } = await open(page, `/run/${RUN}?lens=files`, FILES, ['notes.txt'], language);
    for (const file of ['', ...Object.keys(FILES)]) {
      if (file !== '') {
        await page.getByRole('link', { name: file, exact: true }).click();
        await expect(page.getByRole('heading', { level: 2, name: file })).toBeVisible();
      }
      await expect(page.getByText('18 kB')).toHaveCount(0);
      await page.evaluate(() => document.fonts.ready);
      if (file === 'map.png') await expect(page.locator('.picture img')).toBeVisible();
      if (file === 'offer.pdf') await expect(page.locator('.scroll img')).toBeVisible();
      await page.screenshot({ path: info.outputPath(`file-${name}-${file.replace('/', '-')}.png`) });
      await expectAccessible(page);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wider).toBeLessThanOrEqual(0);
      if (file === 'prices.csv' || file === 'reports/competition.md') {
        await page.locator('[role=radio], input[type=radio]').nth(1).check();
        await expect(page.locator('figure')).toBeVisible();
        await page.screenshot({ path: info.outputPath(`chart-${name}-${file.replace('/', '-')}.png`) });
        await expectAccessible(page);
      }
      if (file !== '') await page.locator('a.back').last().click();
    }
    expect(watched.errors).toEqual([]);
  });
}

test('a PDF is turned page by page, by buttons and by the keys of pages', async ({ page }) => {
  const { engine, watched } = await open(page, at('offer.pdf'), FILES);
  const picture = (n: number) => page.getByRole('img', { name: `offer.pdf, a picture of page ${n}` });
  const status = page.getByRole('status').filter({ hasText: /^Page/ });
  await expect(picture(1)).toBeVisible();
  await expect(status).toHaveText('Page 1 of 3');
  await expect(page.getByRole('button', { name: 'Page before' })).toBeDisabled();
  await page.getByRole('button', { name: 'Next page' }).click();
  await expect(picture(2)).toBeVisible();
  const place = page.getByRole('group', { name: 'offer.pdf' });
  await place.focus();
  // What of a page is below is seen first.
  await place.evaluate((node) => node.scrollTo(0, node.scrollHeight));
  await page.keyboard.press('PageDown');
  await expect(picture(3)).toBeVisible();
  await expect(status).toHaveText('Page 3 of 3');
  await expect(page.getByRole('button', { name: 'Next page' })).toBeDisabled();
  await expect.poll(() => place.evaluate((node) => node.scrollTop)).toBe(0);
  await page.keyboard.press('PageUp');
  await expect(picture(2)).toBeVisible();
  const asked = engine.calls.filter(({ name }) => name === 'artifacts.page');
  expect(asked.map(({ params }) => (params as { page: number }).page)).toEqual([0, 1, 2, 1]);
  expect(watched.errors).toEqual([]);
});

test('a table sorts by any column in three presses, and its formulas are text', async ({ page }) => {
  const { watched } = await open(page, at('prices.csv'));
  const table = page.getByRole('table', { name: 'prices.csv' });
  await expect(table).toHaveAttribute('aria-rowcount', '5');
  const header = (name: string) => table.getByRole('columnheader', { name });
  const towns = () =>
    table
      .getByRole('cell')
      .filter({ hasText: /^(Mombasa|Kilifi|Lamu|Nakuru)$/ })
      .allTextContents();
  expect(await towns()).toEqual(['Mombasa', 'Kilifi', 'Lamu', 'Nakuru']);
  await expect(table.getByText('=HYPERLINK("http://x.example","click")')).toBeVisible();
  await expect(table.locator('a')).toHaveCount(0);
  await header('Price, KES').getByRole('button').click();
  await expect(header('Price, KES')).toHaveAttribute('aria-sort', 'ascending');
  await expect.poll(towns).toEqual(['Nakuru', 'Kilifi', 'Mombasa', 'Lamu']);
  await expect(
    page.getByRole('status').filter({ hasText: 'Sorted by Price, KES, smallest first' }),
  ).toBeAttached();
  await page.keyboard.press('Enter');
  await expect(header('Price, KES')).toHaveAttribute('aria-sort', 'descending');
  await expect.poll(towns).toEqual(['Lamu', 'Mombasa', 'Kilifi', 'Nakuru']);
  await page.keyboard.press('Enter');
  await expect.poll(towns).toEqual(['Mombasa', 'Kilifi', 'Lamu', 'Nakuru']);
  // What is empty stands last in both directions.
  await header('Change').getByRole('button').click();
  await expect.poll(towns).toEqual(['Mombasa', 'Nakuru', 'Kilifi', 'Lamu']);
  await page.keyboard.press('Enter');
  await expect.poll(towns).toEqual(['Kilifi', 'Nakuru', 'Mombasa', 'Lamu']);
  await expect(row(page, 2).getByRole('rowheader')).toHaveText('2');
  expect(watched.errors).toEqual([]);
});

test('a hundred thousand rows are read, scrolled and sorted while the window answers', async ({
  page,
}, info) => {
  test.setTimeout(180_000);
  const ROWS = 100_000;
  const lines = ['id;Town;Price;Words'];
  for (let n = 0; n < ROWS; n += 1)
    lines.push(`${n};Town ${(n * 7_919) % 100_003};${(n * 31) % 977},50;some words of row ${n}`);
  const { engine, watched } = await open(page, `/run/${RUN}?lens=files`, { 'long.csv': lines.join('\n') });
  await page.evaluate(() => {
    const told = { worst: 0 };
    Object.assign(window, { told });
    let last = performance.now();
    const beat = () => {
      const now = performance.now();
      told.worst = Math.max(told.worst, now - last);
      last = now;
      setTimeout(beat);
    };
    beat();
  });
  const worst = () => page.evaluate(() => (window as unknown as { told: { worst: number } }).told.worst);
  const from = Date.now();
  await page.getByRole('link', { name: 'long.csv' }).click();
  const table = page.getByRole('table', { name: 'long.csv' });
  await expect(table).toHaveAttribute('aria-rowcount', String(ROWS + 1));
  const read = Date.now() - from;
  expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(1_500);
  await table.evaluate((node) => (node.scrollTop = node.scrollHeight));
  await expect(row(page, ROWS + 1)).toContainText(`some words of row ${ROWS - 1}`);
  const sorted = Date.now();
  await table.getByRole('columnheader', { name: 'Town' }).getByRole('button').click();
  await expect(table.getByRole('columnheader', { name: 'Town' })).toHaveAttribute('aria-sort', 'ascending');
  await expect(table).toHaveAttribute('aria-busy', 'false');
  await expect(row(page, 2)).toContainText('Town 0');
  const took = Date.now() - sorted;
  await table.getByRole('columnheader', { name: 'Price' }).getByRole('button').click();
  await expect(table.getByRole('columnheader', { name: 'Price' })).toHaveAttribute('aria-sort', 'ascending');
  await expect(table).toHaveAttribute('aria-busy', 'false');
  await expect(row(page, 2)).toContainText('0,50');
  await page.screenshot({ path: info.outputPath('file-long.png') });
  const pieces = engine.calls.filter(({ name }) => name === 'artifacts.read').length;
  console.info(
    `100,000 rows: read and drawn in ${read} ms by ${pieces} pieces, sorted by words in ${took} ms, ` +
      `the window held at most ${(await worst()).toFixed(0)} ms`,
  );
  expect(watched.errors).toEqual([]);
});

test('a chart is made of chosen columns, as bars or a line, with its table behind', async ({ page }) => {
  const { watched } = await open(page, at('prices.csv'));
  await way(page, 'Chart').check();
  const chart = page.getByRole('slider', { name: 'Price, KES by Town' });
  await expect(chart).toHaveAttribute('aria-valuetext', 'Nakuru: 8,100');
  await chart.focus();
  await page.keyboard.press('Home');
  await expect(chart).toHaveAttribute('aria-valuetext', 'Mombasa: 12,500');
  await page.getByRole('combobox', { name: /^Values/ }).click();
  await page.getByRole('option', { name: 'Change' }).click();
  // A row without a figure is not drawn as zero.
  await expect(page.getByRole('slider', { name: 'Change by Town' })).toHaveAttribute('aria-valuemax', '3');
  await expect(page.locator('figure rect')).toHaveCount(3);
  await way(page, 'Line').check();
  await expect(page.locator('figure path.line')).toHaveAttribute('d', /^M.*L.*L/);
  await page.getByRole('button', { name: 'Show table' }).click();
  await expect(page.getByRole('region', { name: 'Change by Town' }).getByRole('row')).toHaveText([
    /Town\s*Change/,
    /Mombasa\s*-3\.5/,
    /Kilifi\s*12/,
    /Nakuru\s*4/,
  ]);
  await page.goto(at('reports/competition.md'));
  await way(page, 'Chart').check();
  await expect(page.getByRole('slider', { name: 'Boats by Town' })).toHaveAttribute('aria-valuemax', '3');
  expect(watched.errors).toEqual([]);
});

test('JSON is a tree that opens and closes by the keyboard', async ({ page }) => {
  const { watched } = await open(page, at('facts.json'));
  const tree = page.getByRole('tree', { name: 'facts.json' });
  const item = (name: string | RegExp) => tree.getByRole('treeitem', { name });
  await expect(item(/"name"/).first()).toContainText('"Baraka Fish"');
  await expect(item(/"__proto__"/)).toHaveAttribute('aria-expanded', /./);
  await expect(item(/"long"/)).toHaveAttribute('aria-expanded', 'false');
  await expect(item(/"long"/)).toContainText('60 items');
  await tree.focus();
  await page.keyboard.press('End');
  await expect(item(/"long"/)).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('ArrowRight');
  await expect(item(/"long"/)).toHaveAttribute('aria-expanded', 'true');
  await page.keyboard.press('End');
  await expect(tree.locator('[aria-selected=true]')).toHaveText(/59:\s*59/);
  await expect(tree.locator('[aria-selected=true]')).toBeInViewport();
  await expect(tree.locator('[aria-selected=true]')).toHaveAttribute('aria-level', '3');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await expect(item(/"long"/)).toHaveAttribute('aria-expanded', 'false');
  await item(/"long"/)
    .locator('.turn')
    .click();
  await expect(item(/"long"/)).toHaveAttribute('aria-expanded', 'true');
  await way(page, 'Text').check();
  await expect(page.getByRole('group', { name: 'facts.json' })).toContainText('"boats":320');
  expect(watched.errors).toEqual([]);
});

test('a file is saved whole, whatever is shown of it', async ({ page }) => {
  const long = `${'a line of words\n'.repeat(200_000)}the end`;
  const files: Files = { 'long.txt': long, 'map.png': FILES['map.png']!, 'a\u202Efdp.csv': 'a,b' };
  const { watched } = await open(page, at('long.txt'), files);
  await expect(page.getByText('Only the first 2.1 MB are shown.')).toBeVisible();
  await expect(page.getByRole('group', { name: 'long.txt' })).toContainText('a line of words');
  expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(1_500);
  const save = async () => {
    const waiting = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save a copy' }).click();
    const download = await waiting;
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  const text = await save();
  expect(text.name).toBe('long.txt');
  expect(text.bytes.equals(bytesOf(long))).toBe(true);
  await expect(page.getByText('Saved as long.txt')).toBeVisible();
  await page.goto(at('map.png'));
  await expect(page.locator('.picture img')).toBeVisible();
  expect((await save()).bytes.equals(bytesOf(files['map.png']!))).toBe(true);
  await page.goto(at('a\u202Efdp.csv'));
  expect((await save()).name).toBe('a-fdp.csv');
  expect(watched.errors).toEqual([]);
});

test('what cannot be shown says so and offers saving; what was changed is said', async ({ page }) => {
  const files: Files = {
    ...FILES,
    'no.png': '<svg xmlns="http://www.w3.org/2000/svg"/>',
    'huge.png': Buffer.concat([
      png(1, 1).subarray(0, 16),
      Buffer.of(0, 1, 0, 0, 0, 1, 0, 0),
      png(1, 1).subarray(24),
    ]),
    'broken.json': '{"a": ',
    'old.csv': Buffer.from('Ville;Prix\nKédougou;12\n', 'latin1'),
    'empty.csv': '',
  };
  const { engine, watched } = await open(page, at('offer.pdf'), files, ['notes.txt']);
  const main = page.getByRole('tabpanel');
  for (const [undrawn, words] of [
    ['broken', 'it is damaged or none'],
    ['locked', 'opens with a password'],
    ['too_large', 'too large to be drawn'],
    ['too_much', 'more time or memory'],
    ['unavailable', 'is not installed here'],
  ] as const) {
    engine.answers['artifacts.page'] = () => ({ pages: 0, width: 0, height: 0, undrawn });
    await page.goto(at('offer.pdf'));
    await expect(main).toContainText(words);
    await expect(main.getByRole('button', { name: 'Save a copy' })).toHaveCount(2);
  }
  for (const [file, words] of [
    ['data.bin', 'Nothing of this file can be shown here.'],
    ['no.png', 'its contents are none that is shown here'],
    ['huge.png', 'This picture is too large to be drawn here.'],
    ['broken.json', 'This is no valid JSON; it is shown as text.'],
    ['old.csv', 'Its letters are not UTF-8'],
    ['empty.csv', 'The file is empty.'],
    ['notes.txt', 'This file was changed after the run wrote it.'],
  ] as const) {
    await page.goto(at(file));
    await expect(main).toContainText(words);
  }
  await page.goto(at('old.csv'));
  await expect(page.getByRole('table')).toContainText('Kédougou');
  engine.refusals['artifacts.read'] = { code: 'usage.not_found', message: 'no such file' };
  await page.goto(at('gone.csv'));
  await expect(page.getByText('The file could not be read')).toBeVisible();
  delete engine.refusals['artifacts.read'];
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(main).toContainText('The file is empty.');
  expect(watched.errors).toEqual([]);
});

test('hostile files of every kind do nothing', async ({ page }) => {
  test.setTimeout(180_000);
  const canary = await openCanary();
  const payloads = JSON.parse(readFileSync(new URL('../hostile/payloads.json', import.meta.url), 'utf8')) as {
    name: string;
    text: string;
    times?: number;
  }[];
  const every = payloads.map(({ text, times = 1 }) => text.repeat(times).replaceAll('CANARY', canary.host));
  const SHORT_CHARS = 20_000;
  const texts = every.filter((text) => text.length < SHORT_CHARS);
  const all = texts.join('\n\n');
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const files: Files = {
    'evil.html': all,
    'evil.svg': `<svg xmlns="http://www.w3.org/2000/svg" onload="top.__pwned=1">${all}</svg>`,
    'evil.md': all,
    'evil.csv': texts.map((text) => `${cell(text)},1,${cell(text)}`).join('\n'),
    'evil.json': JSON.stringify(Object.fromEntries(texts.map((text, index) => [`${text}${index}`, [text]]))),
    'evil.png': `\x89PNG${all}`,
    'evil.txt': all,
    // One line without end, as text and as a cell.
    'long.txt': every.find((text) => text.length > 1_000_000)!,
    'long.csv': `a,b\n1,"${'x'.repeat(1_000_000)}"`,
    'evil.pdf': `%PDF-1.7\n${all}`,
    '<img src=x onerror="top.__pwned=1">.md': '# words',
  };
  const windows: Page[] = [];
  page.context().on('page', (other) => windows.push(other));
  const { engine, watched } = await open(page, `/run/${RUN}?lens=files`, files);
  for (const file of Object.keys(files)) {
    await page.goto(at(file));
    await expect(page.getByRole('heading', { level: 2, name: file, exact: true })).toBeVisible({
      timeout: 60_000,
    });
    const ways = page.getByRole('tabpanel').locator('input[type=radio]');
    // Whatever is loaded on the way to its picture has come.
    await expect(page.getByRole('tabpanel').locator('.pad .skeleton')).toHaveCount(0);
    for (let n = 0; n < (await ways.count()); n += 1) {
      await ways.nth(n).check();
      const pane = page.getByRole('tabpanel').locator('[data-scroll]').first();
      if ((await pane.count()) > 0) await pane.evaluate((node) => (node.scrollTop = node.scrollHeight));
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => resolve(undefined))));
    }
  }
  expect(await page.evaluate(() => '__pwned' in window)).toBe(false);
  expect(canary.connections).toBe(0);
  expect(windows).toEqual([]);
  expect(new URL(page.url()).pathname).toBe(`/run/${RUN}`);
  expect(engine.calls.filter(({ name }) => /start|decide|save|\.set/.test(name))).toEqual([]);
  expect(watched.errors).toEqual([]);
  await canary.close();
});
