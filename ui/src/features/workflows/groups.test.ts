import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { grouped, SHIPPED } from './groups';

const FOLDER = fileURLToPath(
  new URL('../../../../src-tauri/crates/bwana-workflow/definitions/workflows', import.meta.url),
);

test('every workflow that comes with the program has a group, and needs the network only if it says so', () => {
  const files = readdirSync(FOLDER).map((file) => file.replace('.yaml', ''));
  expect(Object.keys(SHIPPED).toSorted()).toEqual(files.toSorted());
  for (const [id, { net = false }] of Object.entries(SHIPPED))
    expect([id, /web\.(?:search|fetch)/.test(readFileSync(`${FOLDER}/${id}.yaml`, 'utf8'))]).toEqual([
      id,
      net,
    ]);
});

test('a person’s own come first, whatever they are called', () => {
  const line = (id: string, builtin: boolean) => ({ id, builtin });
  const lines = [
    line('cash_review', true),
    line('price_list', false),
    line('unheard', true),
    line('job_advert', true),
  ];
  expect(grouped(lines).map((one) => `${one.group} ${one.lines.map(({ id }) => id).join(' ')}`)).toEqual([
    'yours price_list',
    'money cash_review',
    'office unheard job_advert',
  ]);
});
