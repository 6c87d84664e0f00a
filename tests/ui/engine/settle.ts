// A page as it looks everywhere, before a picture of it is taken or compared.
import { expect, type Page } from '@playwright/test';

/** What is true of this machine or this start of the host alone says the same everywhere. */
export async function settle(page: Page, home: string): Promise<void> {
  await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
  await page.evaluate(async (home) => {
    await document.fonts.ready;
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const said = node.nodeValue ?? '';
      const same = said
        .replaceAll(home, '/home/amina/bwana')
        .replace(/(?<![\d.])\d+\.\d+\.\d+(?![\d.])/, '1.0.0')
        .replace(/^(bwana \S+ on) .*/, '$1 linux x86_64')
        .replace(/^[\d.]+ GB of memory, .*/, '16 GB of memory, 40 GB free on the disk of the models');
      if (same !== said) node.nodeValue = same;
    }
  }, home);
}
