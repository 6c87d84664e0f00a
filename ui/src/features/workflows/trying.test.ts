import { expect, test } from 'vitest';
import type { Platform } from '../../platform/platform';
import { stepsOf } from './outline';
import { lastRun, startTrial, stepsBefore, topOf } from './trying';

/** An engine with these runs, the newest first, each with results by step. */
function engine(runs: Record<string, string>[]) {
  const calls: unknown[] = [];
  const rpc = (name: string, params: { run: string; limit: number }) => {
    calls.push([name, params]);
    if (name === 'run.start') return Promise.resolve({ value: { run: 'r_new' } });
    if (name === 'run.list')
      return Promise.resolve({
        value: { runs: runs.slice(0, params.limit).map((_, n) => ({ id: `r${n}`, head_seq: 9 })) },
      });
    const results = Object.entries(runs[Number(params.run.slice(1))] ?? {}).map(([step, text]) => ({
      step,
      text,
      cut: text.endsWith('…'),
    }));
    return Promise.resolve({ value: { run: { input: `input of ${params.run}` }, results } });
  };
  return { platform: { rpc } as unknown as Platform, calls };
}

test('results come from the newest run that has any of them', async () => {
  const { platform } = engine([
    { other: 'x' },
    { facts: 'F…', 'views/money': 'no step of its own' },
    { facts: 'old' },
  ]);
  const last = await lastRun(platform, 'w', ['facts', 'views']);
  expect(last?.input).toBe('input of r1');
  expect([...(last?.results ?? [])]).toEqual([['facts', { text: 'F…', cut: true }]]);
});

test('without results it is the newest run, and without runs nothing', async () => {
  const { platform, calls } = engine([{}, {}]);
  expect((await lastRun(platform, 'w', ['facts']))?.input).toBe('input of r0');
  expect((await lastRun(platform, 'w', []))?.input).toBe('input of r0');
  expect(calls).toHaveLength(5);
  expect(await lastRun(engine([]).platform, 'w', ['facts'])).toBeUndefined();
});

test('a branch begins with the step around it', () => {
  const steps = stepsOf({
    schema: '',
    id: 'w',
    name: 'W',
    agents: ['a'],
    steps: ['A', 'B', { name: 'C', parallel: { join: 'all', steps: ['D'] } }],
  });
  const branch = steps[2]?.children[0];
  if (!branch) throw new Error('there is a branch');
  expect(topOf(branch.number)).toBe('3');
  expect(stepsBefore(steps, branch).map(({ name }) => name)).toEqual(['A', 'B']);
});

test('only what is asked for is told to the engine', async () => {
  const { platform, calls } = engine([]);
  const what = { workflow: 'w' };
  expect(await startTrial(platform, { what, input: 'x', dry: true })).toBe('r_new');
  await startTrial(platform, {
    what,
    input: 'x',
    dry: false,
    from: { step: 'b', only: true, pinned: { a: '1' } },
  });
  expect(calls).toEqual([
    ['run.start', { what, input: 'x', options: { dry_run: true } }],
    ['run.start', { what, input: 'x', options: { from: 'b', only: true, pinned: { a: '1' } } }],
  ]);
});
