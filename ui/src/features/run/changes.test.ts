import { expect, test } from 'vitest';
import type { Moment, RunShown, StepShown } from '../../bindings/types';
import { boundsOf, changesBetween } from './changes';

const step = (path: string, status: string, branches: StepShown[] = []) =>
  ({ path, name: path, status, branches }) as unknown as StepShown;

function at(seq: number, run: Partial<RunShown>, over: Partial<Moment> = {}): Moment {
  const usual = {
    status: 'running',
    steps: [],
    tasks: [],
    steps_done: 0,
    model_calls: 0,
    tool_calls: 0,
    turns: 0,
  };
  return {
    seq,
    at: '2026-11-20T11:00:00Z',
    head: 40,
    run: { ...usual, cost_known: 0, ...run } as unknown as RunShown,
    results: [],
    messages: [],
    ...over,
  };
}

test('tells what became another, and leaves alone what did not', () => {
  const before = at(3, { steps: [step('a', 'running', [step('a/x', 'pending')]), step('b', 'pending')] });
  const after = at(
    9,
    {
      status: 'waiting',
      steps: [step('a', 'done', [step('a/x', 'done')]), step('b', 'pending')],
      model_calls: 2,
    },
    {
      results: [{ step: 'a', text: 'Kilifi', cut: false }],
      messages: [
        { seq: 2, who: 'person', text: 'Go', cut: false },
        { seq: 8, who: 'ops', text: 'Kilifi', cut: false },
      ],
    },
  );
  const changes = changesBetween(before, after);
  expect(changes.same).toBe(false);
  expect(changes.status).toEqual({ now: 'waiting', was: 'running' });
  expect(changes.figures.filter(({ was }) => was !== undefined)).toEqual([
    { figure: 'model_calls', now: 2, was: 0 },
  ]);
  expect(changes.steps.map(({ step: { path }, depth, was, fresh }) => [path, depth, was, fresh])).toEqual([
    ['a', 0, 'running', true],
    ['a/x', 1, 'pending', false],
    ['b', 0, undefined, false],
  ]);
  expect(changes.messages.map(({ fresh }) => fresh)).toEqual([false, true]);
});

test('says when nothing changed', () => expect(changesBetween(at(3, {}), at(4, {})).same).toBe(true));

test('the beginning is new as a whole, and nothing in it is a change', () => {
  const changes = changesBetween(undefined, at(1, { steps: [step('a', 'pending')] }));
  expect(changes.same).toBe(false);
  expect(changes.status).toEqual({ now: 'running' });
  expect(changes.steps[0]).toMatchObject({ fresh: false });
});

test('a step in a loop has the bounds of its own round', () => {
  const started = [
    { seq: 2, path: 'a' },
    { seq: 5, path: 'b' },
    { seq: 9, path: 'a' },
  ];
  const finished = [
    { seq: 4, path: 'a' },
    { seq: 8, path: 'b' },
    { seq: 12, path: 'a' },
  ];
  expect(boundsOf('a', 3, started, finished)).toEqual({ from: 2, to: 4 });
  expect(boundsOf('a', 10, started, finished)).toEqual({ from: 9, to: 12 });
  expect(boundsOf('b', 7, started, [])).toEqual({ from: 5 });
  expect(boundsOf('c', 7, started, finished)).toBeUndefined();
});
