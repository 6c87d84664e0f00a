import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseYaml, type YamlNode } from './yaml';
import { caretPlace, keyAt } from './yaml-place';

describe('the place of the caret', () => {
  /** `¦` is the caret. */
  const check = (text: string, wanted: string | undefined, others?: string[]) => {
    const place = caretPlace(text.replace('¦', ''), text.indexOf('¦'));
    expect(place && `${place.kind} ${place.path.join('.')} ${place.typed}`.trim()).toBe(wanted);
    if (others) expect(place?.others).toEqual(others);
  };
  test('at the top is a key', () => check('id: a\nna¦\nsteps:\n  - A\n', 'key  na', ['id', 'steps']));
  test('behind a colon is a value', () =>
    check('steps:\n  - name: A\n    agent: op¦', 'value steps.[].agent op'));
  test('in brackets is an item', () => check('agents: [a, b_¦]', 'value agents.[] b_'));
  test('behind a dash is either', () => check('agents:\n  - op¦', 'item agents.[] op'));
  test('behind a dash in the column of its key', () => check('agents:\n- op¦', 'item agents.[] op'));
  test('is a key of the item, whose others are known', () =>
    check('steps:\n  - id: a\n    name: b\n    ta¦\n    tools: []\n  - id: c\n', 'key steps.[] ta', [
      'name',
      'id',
      'tools',
    ]));
  test('is the first key of an item', () =>
    check('steps:\n  - id: z\n  - na¦\n    task: x\n', 'item steps.[] na', ['task']));
  test('is deep inside', () =>
    check(
      'steps:\n  - parallel:\n      steps:\n        - chat:\n            se¦',
      'key steps.[].parallel.steps.[].chat se',
    ));
  test('is behind what came before it', () =>
    check(
      'steps:\n  - chat:\n      stop:\n        any:\n          - rounds: 3\n          - te¦',
      'item steps.[].chat.stop.any.[] te',
    ));
  test('is out again', () => check('limits:\n  turns: 3\nst¦', 'key  st', ['limits']));
  test('is none in a block of text', () => {
    check('task: |\n  Write na¦', undefined);
    check('steps:\n  - task: >\n      a\n\n      b¦', undefined);
  });
  test('is none in a comment, in quotes and behind words', () => {
    check('a: b # c¦', undefined);
    check('name: "a¦', undefined);
    check('name: two words¦', undefined);
    check('agents: [{a: b¦', undefined);
  });
});

test('the key of a line is found with its way, in all that comes with the program', () => {
  const folder = fileURLToPath(
    new URL('../../../src-tauri/crates/bwana-workflow/definitions/workflows', import.meta.url),
  );
  const ways = (node: YamlNode, at: string[]): [number, string[]][] => {
    if (node.kind === 'scalar' || node.flow) return [];
    if (node.kind === 'list') return node.items.flatMap(({ value }) => ways(value, [...at, '[]']));
    return node.entries.flatMap(({ key, from, value }): [number, string[]][] => [
      [from, [...at, key]],
      ...ways(value, [...at, key]),
    ]);
  };
  let compared = 0;
  for (const file of readdirSync(folder)) {
    const text = readFileSync(`${folder}/${file}`, 'utf8');
    const [root] = parseYaml(text);
    for (const [offset, way] of root ? ways(root, []) : []) {
      expect(keyAt(text, offset)).toEqual(way);
      compared += 1;
    }
  }
  expect(compared).toBeGreaterThan(400);
  expect(keyAt('task: |\n  not: a key\n', 12)).toBeUndefined();
  expect(keyAt('# a: b\n', 3)).toBeUndefined();
});
