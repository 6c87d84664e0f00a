// A damaged database with the real engine: its window, bringing it back, and the runs being there again.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@playwright/test';
import { expectAccessible } from '../page';
import { damage, Host, test } from './host';

const FLOW = `schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write.
tools: []
---
schema: bwana.workflow/v1
id: note
name: Note
agents: [writer]
steps: [Write a note]
`;

test('a damaged database is brought back in its window, and the runs are there again', async ({
  context,
  host,
}) => {
  const before = await host.start(FLOW, 'before the copy');
  await host.until(before, 'done');
  await host.rpc('backup.now');
  const folder = mkdtempSync(join(tmpdir(), 'bwana-damaged-'));
  cpSync(join(host.home, 'data'), folder, { recursive: true });
  damage(folder);
  const broken = new Host({ from: folder });
  let again: Host | undefined;
  try {
    const [page, watched] = await broken.open(context, '/');
    await expect(page.getByRole('heading', { name: 'The database is damaged' })).toBeVisible();
    await expect(page.getByRole('main')).toContainText('1 run.');
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Bring it back' }).press('Enter');
    await expect(page.getByRole('heading', { name: 'It is brought back' })).toBeFocused();
    await expect(page.getByRole('main')).toContainText('1 run with');
    await expect(page.getByRole('main')).toContainText('bwana.db.replaced');
    expect(watched.errors).toEqual([]);
    again = new Host({ from: join(broken.home, 'data') });
    const [opened] = await again.open(context, `/run/${before}`);
    await expect(opened.getByRole('heading', { level: 1 })).toBeVisible();
    const { status } = await again.rpc<{ status: string }>('run.show', { run: before });
    expect(status).toBe('done');
  } finally {
    await again?.stop();
    await broken.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a copy is compared with what is here and becomes a profile of its own', async ({ context, host }) => {
  const kept = await host.start(FLOW, 'kept');
  await host.until(kept, 'done');
  await host.rpc('backup.now');
  const [page, watched] = await host.open(context, '/settings/data');
  await page.getByRole('button', { name: /Look into it/ }).click();
  const sheet = page.getByRole('dialog');
  await expect(sheet).toContainText('1 is here already');
  await expect(sheet.getByRole('radio', { name: /Take in/ })).toBeDisabled();
  await sheet.getByRole('textbox', { name: 'Name of the profile' }).fill('stall');
  await sheet.getByRole('button', { name: 'Make the profile' }).click();
  await expect(sheet).toContainText('The profile stall is there');
  await page.keyboard.press('Escape');
  await expect(page.getByText('Whole')).toBeVisible();
  await page.reload();
  await expect(page.getByText('bwana --profile stall serve')).toBeVisible();
  expect(watched.errors).toEqual([]);
});
