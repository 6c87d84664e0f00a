import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { completionAt, helpFor } from './completing';

const schema: unknown = JSON.parse(
  readFileSync(
    fileURLToPath(
      new URL(
        '../../../../src-tauri/crates/bwana-workflow/definitions/schema/workflow.v1.json',
        import.meta.url,
      ),
    ),
    'utf8',
  ),
);
const names = {
  agents: [
    { id: 'operations', name: 'Operations' },
    { id: 'sales', name: 'Sales' },
  ],
  tools: [{ id: 'web.fetch', description: 'Reads a page.' }],
  steps: [{ id: 'facts', name: 'Facts' }],
};

describe('what may be written', () => {
  const check = (text: string, ...labels: string[]) => {
    const found = completionAt(text.replace('¦', ''), text.indexOf('¦'), schema, names);
    expect(found?.suggestions.map(({ label }) => label) ?? []).toEqual(labels);
    return found;
  };
  test('are the keys that are missing', () => {
    check('schema: x\nid: a\nname: b\nagents: []\nsteps: []\n¦', 'description', 'input', 'limits');
    check('steps:\n  - name: A\n    a¦', 'agent', 'agents', 'approve');
    check('steps:\n  - chat:\n      agents: []\n      s¦', 'select', 'stop', 'summary');
    check('limits:\n  t¦', 'tokens', 'turns');
  });
  test('are the words of the format', () => {
    check('steps:\n  - chat:\n      select: ¦', 'round_robin', 'selector');
    check('steps:\n  - chat:\n      allow_repeat: ¦', 'true', 'false');
    check('steps:\n  - approve: p¦', 'plan');
  });
  test('are conditions, whichever', () =>
    check('steps:\n  - chat:\n      stop:\n        any:\n          - t¦', 'tokens', 'text', 'tool_called'));
  test('are agents, tools and results by their names', () => {
    check('agents: [operations, s¦', 'sales');
    check('steps:\n  - agent: o¦', 'operations');
    check('steps:\n  - tools: [¦', 'web.fetch');
    check('steps:\n  - reads:\n      - f¦', 'facts');
    const found = check('steps:\n  - chat:\n      stop:\n        source: sa¦', 'sales');
    expect(found).toMatchObject({ typed: 'sa', suggestions: [{ insert: 'sales', help: 'Sales' }] });
  });
  test('is nothing where all is said, or nothing is known', () => {
    check('steps:\n  - agent: sales¦');
    check('steps:\n  - task: |\n      a¦');
    check('output:\n  unheard: t¦');
    expect(completionAt('a', 1, undefined, names)).toBeUndefined();
  });
});

test('a key is explained in the words of the format', () => {
  expect(helpFor(['steps', '[]', 'reads'], schema)).toBe(
    'Earlier results this step sees, by step id; default: all before it.',
  );
  expect(helpFor(['steps', '[]', 'parallel', 'steps', '[]', 'chat'], schema)).toBe(
    'Several agents talk until a stop condition holds.',
  );
  expect(helpFor(['unheard'], schema)).toBe('');
});
