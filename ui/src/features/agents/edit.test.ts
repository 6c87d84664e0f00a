import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { AgentFile } from '../../bindings/types';
import {
  changesOf,
  complaintsOf,
  editOf,
  ORIGINALS,
  partsOf,
  readDraft,
  wordsIn,
  writeDraft,
  type Edit,
} from './edit';

const EDIT: Edit = { instructions: 'You read.', small: '', models: ['default'], tools: ['web.fetch'] };
const agent = (over: object) =>
  ({ instructions: 'You read.', tools: ['web.fetch'], model: 'default', ...over }) as AgentFile;

describe('what differs', () => {
  const check = (over: Partial<Edit>, sent: object) => {
    expect(changesOf(EDIT, { ...EDIT, ...over })).toEqual(sent);
    expect(Object.keys(partsOf(EDIT, { ...EDIT, ...over }))).toHaveLength(Object.keys(sent).length);
  };
  test('nothing is sent of what stayed', () => check({}, {}));
  test('spaces alone are no instructions for small models', () => check({ small: ' \n' }, {}));
  test('instructions go as they were typed', () =>
    check({ instructions: 'You read. ' }, { instructions: 'You read. ' }));
  test('the order of models counts', () =>
    check({ models: ['a/b', 'default'] }, { models: ['a/b', 'default'] }));
  test('no tool is a list without tools', () => check({ tools: [] }, { tools: [] }));
});

test('one model, a chain and none at all are a list that is not empty', () => {
  expect(editOf(agent({ model: 'a/b' })).models).toEqual(['a/b']);
  expect(editOf(agent({ model: ['a/b', 'c/d'] })).models).toEqual(['a/b', 'c/d']);
  expect(editOf(agent({ model: [] })).models).toEqual(['default']);
  expect(editOf(agent({ tools: undefined, instructions_small: null }))).toEqual({ ...EDIT, tools: [] });
});

test('a draft comes back as it was kept, and what is no draft is none', () => {
  const parts = partsOf(EDIT, { ...EDIT, instructions: 'Other', tools: [] });
  expect(readDraft(writeDraft(parts))).toEqual({ instructions: 'Other', tools: [] });
  expect(writeDraft(partsOf(EDIT, { ...EDIT }))).toBe('');
  for (const text of ['', 'plain words', '{}', '[]', 'null', '{"instructions":1}', '{"models":[]}'])
    expect(readDraft(text)).toBeUndefined();
});

test('complaints stand at their field; warnings are none, and the rest is told as a whole', () => {
  const issue = (path: string, reason: string, over = {}) => ({ path, reason, severity: 'error', ...over });
  const { at, elsewhere } = complaintsOf({
    issues: [
      issue('instructions', 'no field called x', { hint: 'write input' }),
      issue('tools[2]', 'twice'),
      issue('tools[3]', 'too long'),
      issue('model[1]', 'names no model'),
      issue('instructions_small', 'many words', { severity: 'warning' }),
      issue('name', 'is empty'),
      issue('', 'of no place'),
    ],
  });
  expect(at).toEqual({
    instructions: 'no field called x; write input',
    tools: 'twice\ntoo long',
    models: 'names no model',
  });
  expect(elsewhere).toEqual(['is empty', 'of no place']);
  for (const details of [null, undefined, {}, { issues: 'none' }])
    expect(complaintsOf(details)).toEqual({ at: {}, elsewhere: [] });
});

test('words are counted as people count them', () => {
  expect(wordsIn('  one two\nthree ')).toBe(3);
  expect(wordsIn(' ')).toBe(0);
});

test('the agents that can be had back are those that come with the program', () => {
  const folder = fileURLToPath(
    new URL('../../../../src-tauri/crates/bwana-workflow/definitions/agents', import.meta.url),
  );
  const shipped = readdirSync(folder).map((file) => file.replace(/\.yaml$/, ''));
  expect([...ORIGINALS].sort()).toEqual(shipped.sort());
});
