// What every browser test counts: errors of the page and breaches of its policy.
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

export interface Watched {
  errors: string[];
}

/** Call before the page is opened. */
export async function watchPage(page: Page): Promise<Watched> {
  const watched: Watched = { errors: [] };
  page.on('pageerror', (error) => watched.errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') watched.errors.push(message.text());
  });
  await page.exposeFunction('reportBreach', (breach: string) => watched.errors.push(breach));
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      const report = (window as unknown as { reportBreach: (text: string) => void }).reportBreach;
      report(
        `policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`,
      );
    });
  });
  return watched;
}

/**
 * `over`: a menu is open; it lies in no landmark because it lies over all of them.
 *
 * Our pages have no frames, so axe may run in one go (its legacy mode), and what held need not be told: a third of the time.
 */
export async function expectAccessible(page: Page, over = false): Promise<void> {
  expect(page.frames()).toHaveLength(1);
  const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).setLegacyMode(true);
  const { violations } = await axe.disableRules(over ? ['region'] : []).analyze();
  const told = violations.map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(' | ')}`,
  );
  expect(told).toEqual([]);
}

/** What is pressed or typed in lies inside the window, whatever its width: nothing is cut off at a side. */
export async function expectReachable(page: Page): Promise<void> {
  const outside = await page.evaluate(() => {
    const all = document.querySelectorAll<HTMLElement>(
      'main :is(button, a[href], input, textarea, select, [role="combobox"], [role="tab"])',
    );
    return [...all].flatMap((node) => {
      const { left, right, width } = node.getBoundingClientRect();
      const hidden = width === 0 || !node.checkVisibility() || node.closest('.sr') !== null;
      if (hidden || (left >= 0 && right <= innerWidth + 0.5)) return [];
      // A table or a drawing is moved sideways by itself.
      for (let over = node.parentElement; over; over = over.parentElement)
        if (/auto|scroll/.test(getComputedStyle(over).overflowX) && over.scrollWidth > over.clientWidth)
          return [];
      return [
        `${node.tagName} ${node.textContent.trim().slice(0, 30)} ${Math.round(left)}–${Math.round(right)}`,
      ];
    });
  });
  expect(outside).toEqual([]);
}
