// A run kept as a web page is opened in any browser, far from our window: what a model wrote in it reaches nothing there
// either. The payloads are those of the window's own tests, whose control shows that they bite.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from '@playwright/test';
import { openCanary } from '../canary';
import { test } from './host';

const PAYLOADS = JSON.parse(
  readFileSync(new URL('../../hostile/payloads.json', import.meta.url), 'utf8'),
) as { name: string; text: string; times?: number }[];
/** A run takes so much as its input. */
const INPUT_CHARS = 200_000;
const ONE = `schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write.
tools: []
---
schema: bwana.workflow/v1
id: one
name: One
agents: [writer]
steps: [Write]
`;
/** What a page of a run is made of. */
const ELEMENTS = new Set(
  `html head meta title style body h1 h2 h3 h4 h5 h6 div span p blockquote pre code ul ol li strong em del hr br table thead
   tbody tr th td a input sup section`.split(/\s+/),
);
const ATTRIBUTES = new Set([
  'dir',
  'class',
  'lang',
  'href',
  'start',
  'align',
  'type',
  'checked',
  'disabled',
  'id',
  'title',
]);

test('no payload of a model does anything in a run that was kept as a web page', async ({ host, page }) => {
  test.setTimeout(600_000);
  const canary = await openCanary();
  const pages: string[] = [];
  for (const { text, times } of PAYLOADS) {
    const words = text.repeat(times ?? 1).replaceAll('CANARY', canary.host);
    const run = await host.start(ONE, `Words:\n\n${words.slice(0, INPUT_CHARS)}`);
    await host.until(run, 'done');
    pages.push((await host.rpc<{ text: string }>('run.export_as', { run, format: 'html' })).text);
  }
  const server = createServer((request, response) => {
    const text = pages[Number(request.url?.slice(1))];
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(text);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const place = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const windows: unknown[] = [];
  page.context().on('page', (other) => windows.push(other));
  page.on('dialog', (dialog) => {
    windows.push(dialog.message());
    void dialog.dismiss();
  });
  for (const [at, { name }] of PAYLOADS.entries()) {
    await page.goto(`${place}/${at}`);
    const found = await page.evaluate(() => ({
      pwned: '__pwned' in window,
      elements: [...document.querySelectorAll('*')].map((node) => node.localName),
      attributes: [...document.querySelectorAll('body, body *')].flatMap((node) => node.getAttributeNames()),
      links: [...document.querySelectorAll('[href]')].map((node) => node.getAttribute('href') ?? ''),
    }));
    expect(found.pwned, name).toBe(false);
    expect(
      found.elements.filter((one) => !ELEMENTS.has(one)),
      name,
    ).toEqual([]);
    expect(
      found.attributes.filter((one) => !ATTRIBUTES.has(one)),
      name,
    ).toEqual([]);
    expect(
      found.links.filter((one) => !/^(https?:|mailto:|#)/.test(one)),
      name,
    ).toEqual([]);
    expect(page.url(), name).toBe(`${place}/${at}`);
  }
  expect(canary.connections).toBe(0);
  expect(windows).toEqual([]);
  server.close();
  await canary.close();
});
