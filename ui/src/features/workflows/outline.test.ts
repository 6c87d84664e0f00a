import { describe, expect, test } from 'vitest';
import type { ChatFile, StepEntry, WorkflowFile } from '../../bindings/types';
import {
  byNumber,
  durationMs,
  find,
  folding,
  freeSlug,
  inputOf,
  slugOf,
  stepsOf,
  toolsOf,
  visible,
} from './outline';

function flow(steps: StepEntry[], over: Partial<WorkflowFile> = {}): WorkflowFile {
  return { schema: 'bwana.workflow/v1', id: 'w', name: 'W', agents: ['a', 'b'], steps, ...over };
}
const talk: ChatFile = { agents: ['a'], select: 'round_robin', summary: 'last_message' };

describe('who is on a step', () => {
  const check = (step: StepEntry, agents: string[]) =>
    expect(stepsOf(flow([step]))[0]?.agents).toEqual(agents);
  test('is everybody where it is only a name', () => check('Think', ['a', 'b']));
  test('is the one it names', () => check({ name: 'S', agent: 'b' }, ['b']));
  test('are those it names, in its order', () => check({ name: 'S', agents: ['b', 'a'] }, ['b', 'a']));
  test('are those who talk', () => check({ name: 'S', chat: talk }, ['a']));
  test('are those of the branches, once', () =>
    check(
      {
        name: 'S',
        parallel: {
          join: 'all',
          steps: [
            { name: 'x', agent: 'b' },
            { name: 'y', agent: 'b' },
          ],
        },
      },
      ['b'],
    ));
});

describe('a branch', () => {
  const [step] = stepsOf(
    flow([
      {
        name: 'Look',
        tools: ['web.fetch'],
        reads: ['facts'],
        parallel: { join: 'any', steps: ['Money', { name: 'Work', tools: [], reads: [] }] },
      },
    ]),
  );
  test('takes over the tools and what is read, unless it says otherwise', () => {
    expect(step?.children.map(({ tools, reads }) => [tools, reads])).toEqual([
      [['web.fetch'], ['facts']],
      [[], []],
    ]);
  });
  test('has a number and a path behind those of its step', () => {
    expect(step?.children.map(({ number, path }) => `${number} ${path}`)).toEqual([
      '1.1 look/money',
      '1.2 look/work',
    ]);
  });
  test('is no wider than there are branches', () => expect(step?.branches?.width).toBe(2));
});

describe('turns of a talk', () => {
  const turns = (chat: object, step: object, limits: object) =>
    stepsOf(flow([{ name: 'S', chat: { ...talk, ...chat }, ...step }], { limits }))[0]?.talk?.maxRound;
  test('are its own', () =>
    expect(turns({ max_round: 2 }, { limits: { max_round: 3 } }, { max_round: 4 })).toBe(2));
  test('or the step’s', () => expect(turns({}, { limits: { max_round: 3 } }, { max_round: 4 })).toBe(3));
  test('or the workflow’s', () => expect(turns({}, {}, { max_round: 4 })).toBe(4));
  test('or ten', () => expect(turns({}, {}, {})).toBe(10));
});

test('an id is given, or made of the name and free among its siblings', () => {
  const ids = stepsOf(
    flow([
      'Study',
      { name: 'Other', id: 'study-2' },
      'Study',
      'Étude de marché',
      '市場',
      { name: 'x', id: 'x' },
    ]),
  );
  expect(ids.map(({ id }) => id)).toEqual(['study', 'study-2', 'study-3', 'etude_de_marche', 'step_5', 'x']);
});

test('a folded step hides those inside of it', () => {
  const steps = stepsOf(flow([{ name: 'A', parallel: { join: 'all', steps: ['B', 'C'] } }, 'D']));
  const seen = (folded: ReadonlySet<string>) => visible(steps, folded).map(({ path }) => path);
  const folded = folding(new Set(), 'a', true);
  expect(seen(new Set())).toEqual(['a', 'a/b', 'a/c', 'd']);
  expect(seen(folded)).toEqual(['a', 'd']);
  expect(seen(folding(folded, 'a', false))).toHaveLength(4);
  expect(find(steps, 'a/c')?.name).toBe('C');
  expect(byNumber(steps, '1.2')?.name).toBe('C');
  expect(byNumber(steps, '3')).toBeUndefined();
  expect(find(steps, 'c')).toBeUndefined();
});

test('tools are each agent’s own, or those the step allows, whether anybody has them or not', () => {
  const own = (agent: string) => (agent === 'a' ? [{ name: 'x' }, { name: 'y' }] : [{ name: 'y' }]);
  const of = (over: object) => {
    const [step] = stepsOf(flow([{ name: 'S', ...over }]));
    return step && toolsOf(step, own).map(({ name, tool }) => `${name} ${tool ? 'has' : 'none'}`);
  };
  expect(of({})).toEqual(['x has', 'y has']);
  expect(of({ agent: 'b', tools: ['x', 'y'] })).toEqual(['x none', 'y has']);
  expect(of({ tools: [] })).toEqual([]);
});

test('durations are read as they are written', () => {
  expect(['90s', '5m', '4h', '7d'].map(durationMs)).toEqual([90_000, 300_000, 14_400_000, 604_800_000]);
  for (const text of ['', '4', 'h', '1.5h', '4 h']) expect(durationMs(text)).toBeUndefined();
});

test('a slug is short, plain and free', () => {
  expect(slugOf(' L’été à Zürich! ')).toBe('l_ete_a_zurich');
  expect(slugOf('سير')).toBe('');
  expect(slugOf('x'.repeat(50))).toHaveLength(40);
  expect(freeSlug('a', () => false)).toBe('a');
  expect(freeSlug('a', (slug) => ['a', 'a_2'].includes(slug))).toBe('a_3');
  expect(freeSlug('x'.repeat(40), (slug) => slug === 'x'.repeat(40))).toBe(`${'x'.repeat(38)}_2`);
});

test('an input is a text with words about it, or a form', () => {
  expect(inputOf({ type: 'string', description: 'Notes', maxLength: 10 })).toEqual({
    description: 'Notes',
    maxChars: 10,
    fields: [],
  });
  expect(inputOf({ type: 'object', properties: { a: {}, b: {} } }).fields).toEqual(['a', 'b']);
  for (const none of [undefined, null, true, 'x'])
    expect(inputOf(none)).toEqual({ description: undefined, maxChars: undefined, fields: [] });
});
