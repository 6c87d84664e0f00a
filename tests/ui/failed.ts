// A list of what did not hold, a line each, for whoever sees only the end of a long output; what held at its second try alone
// is named too, and is to be mended all the same. Its option is the file.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FullResult, Reporter, TestCase, TestResult } from '@playwright/test/reporter';

/** The most letters of what went wrong that stand beside a name. */
const WHY_MOST = 300;
/** Before what held at its second try. */
const UNSTEADY = 'unsteady, held at the second try:';
/** What colours a terminal. */
const COLOUR = /\u001b\[[0-9;]*m/g;

// eslint-disable-next-line no-restricted-syntax -- the runner looks for a reporter there
export default class Failed implements Reporter {
  readonly #file: string;
  readonly #lines: string[] = [];
  /** The first failure of each test. */
  readonly #tests = new Map<TestCase, string>();

  constructor(options: { file: string }) {
    this.#file = options.file;
    rmSync(this.#file, { force: true });
  }

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status === test.expectedStatus || result.status === 'skipped' || this.#tests.has(test)) return;
    const why = result.error?.message ?? result.error?.value ?? '';
    const words = why.replaceAll(COLOUR, '').replaceAll(/\s+/g, ' ').trim().slice(0, WHY_MOST);
    const place = `${test.location.file.split(/[\\/]/).at(-1) ?? ''}:${String(test.location.line)}`;
    this.#tests.set(test, `${place} ${test.title}: ${result.status}: ${words}`);
  }

  onError(error: { message?: string }): void {
    this.#lines.push(`outside of a test: ${(error.message ?? '').replaceAll(COLOUR, '').slice(0, WHY_MOST)}`);
  }

  onEnd(result: FullResult): void {
    for (const [test, line] of this.#tests)
      this.#lines.push(test.outcome() === 'flaky' ? `${UNSTEADY} ${line}` : line);
    if (result.status !== 'passed' && this.#lines.length === 0) this.#lines.push(`ended as ${result.status}`);
    if (this.#lines.length === 0) return;
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(this.#file, `${this.#lines.join('\n')}\n`);
  }
}
