// A list of the unit tests that did not hold, a line each, for whoever sees only the end of a long output. A failed property
// says its seed there, so that it can be run again.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** The most letters of what went wrong that stand beside a name. */
const WHY_MOST = 300;

/**
 * A reporter that writes the list to this file, and leaves none where all held.
 * @param {string} file
 * @returns {import('vitest/node').Reporter}
 */
export function failed(file) {
  return {
    onInit: () => rmSync(file, { force: true }),
    onTestRunEnd: (modules, errors) => {
      const lines = [...errors.map((error) => `outside of a test: ${why([error])}`), ...modules.flatMap(of)];
      if (lines.length === 0) return rmSync(file, { force: true });
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${lines.join('\n')}\n`);
    },
  };
}

/**
 * What of a file did not hold; why it could not be read is a line too.
 * @param {import('vitest/node').TestModule} module
 */
function of(module) {
  const place = basename(module.moduleId);
  const tests = [...module.children.allTests('failed')];
  const suites = [...module.children.allSuites()];
  return [
    ...module.errors().map((error) => `${place}: ${why([error])}`),
    ...suites.flatMap((suite) =>
      suite.errors().map((error) => `${place} ${suite.fullName}: ${why([error])}`),
    ),
    ...tests.map((test) => `${place} ${test.fullName}: ${why(test.result().errors ?? [])}`),
  ];
}

/**
 * What was thrown may be anything.
 * @param {readonly unknown[]} errors
 */
function why(errors) {
  const said = errors.map((error) => String(Object(error).message ?? error));
  return stripVTControlCharacters(said.join(' ')).replaceAll(/\s+/g, ' ').trim().slice(0, WHY_MOST);
}
