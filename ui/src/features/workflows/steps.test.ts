import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { changedEnd, History } from './history';
import { visible } from './outline';
import * as flow from './doc';
import * as steps from './steps';
import type { At, FlowDoc } from './doc';
import type { Changed } from './steps';
import { stopsOf, stopToFile, type StopRow } from './stops';

const TEXT = `# What for.
schema: bwana.workflow/v1
id: count
name: Count
agents: [ops, sales]
steps:
  - id: one
    name: One
    agent: ops # alone
    task: |
      Write.

  # Both look.
  - name: Two
    parallel:
      steps:
        - Left
        - name: Right
          agent: sales
          reads: [one]

  - name: Three
    chat:
      agents: [ops, sales]
      stop: {any: [{rounds: 4}, {text: DONE}]}
    colour: red
`;

function doc(text: string): FlowDoc {
  const read = flow.readFlow(text);
  if ('trouble' in read) throw new Error(read.trouble);
  return read;
}
const names = (text: string): string[] =>
  visible(doc(text).steps, new Set()).map(({ number, name }) => `${number} ${name}`);
const theirs = (text: string) => parse(text) as { steps: Record<string, unknown>[] };
const at = (number: string) => flow.atOf(number);
const done = (changed: Changed | undefined) => {
  if (!changed) throw new Error('nothing changed');
  return [...names(changed.text), `at ${changed.at ? flow.numberOf(changed.at) : 'nothing'}`];
};

describe('the outline of a text', () => {
  test('is its steps, with what is unknown left where it is', () => {
    expect(names(TEXT)).toEqual(['1 One', '2 Two', '2.1 Left', '2.2 Right', '3 Three']);
    expect(flow.unknownKeys(doc(TEXT), at('3'))).toEqual(['colour']);
    expect(flow.fileAt(doc(TEXT).workflow, at('2.1'))).toEqual({ name: 'Left' });
    expect(flow.fileAt(doc(TEXT).workflow, at('2.3'))).toBeUndefined();
  });
  test('is there while the text is half written', () => {
    const half =
      'schema: bwana.workflow/v1\nagents: 3\nlimits: {turns: x, calls: 2}\nsteps:\n  - name:\n  - 4\n  - {chat: x, reads: [1, a]}\n';
    expect(doc(half).workflow).toMatchObject({ agents: [], limits: { calls: 2 } });
    expect(names(half)).toEqual(['1 ', '2 ', '3 ']);
    expect(names('schema: bwana.workflow/v1\n')).toEqual([]);
  });
  test.each([
    ['form', 3, 'schema: bwana.workflow/v1\nid: a\n  b: c\n'],
    ['unknown', 2, 'schema: bwana.workflow/v1\nname: &x a\n'],
    ['other', 1, 'schema: bwana.agent/v1\nid: a\n'],
    ['other', 1, '- a\n'],
    ['other', 1, ''],
  ])('cannot be drawn (%s, line %i)', (trouble, line, text) =>
    expect(flow.readFlow(text)).toEqual({ trouble, line }),
  );
  test('knows the lines of its steps, and the step of a place', () => {
    const all = ['1', '2', '2.1', '2.2', '3'];
    expect(all.map((one) => flow.lineOfStep(doc(TEXT), at(one)))).toEqual([7, 14, 17, 18, 22]);
    const placeOf = (words: string) => {
      const found = flow.stepAt(doc(TEXT), TEXT.indexOf(words));
      return found && flow.numberOf(found);
    };
    expect(placeOf('id: count')).toBeUndefined();
    expect(placeOf('Write.')).toBe('1');
    expect(placeOf('parallel')).toBe('2');
    expect(placeOf('Left')).toBe('2.1');
    expect(placeOf('reads: [one]')).toBe('2.2');
    expect(placeOf('red')).toBe('3');
  });
  test('finds the step of a complaint', () => {
    expect(flow.stepOfPath('steps[1].parallel.steps[0].tools[2]')).toEqual({ at: [1, 0], key: 'tools' });
    expect(flow.stepOfPath('steps[2].chat.stop.any[0]')).toEqual({ at: [2], key: 'chat' });
    expect(flow.stepOfPath('steps[2]')).toEqual({ at: [2], key: '' });
    expect(flow.stepOfPath('limits.turns')).toBeUndefined();
    expect(flow.stepOfPath('stepsx[2]')).toBeUndefined();
  });
});

describe('a step', () => {
  test('is put behind another, or first where there is none', () => {
    expect(done(steps.addStep(TEXT, at('1'), { name: 'New', agent: 'ops' }))).toEqual([
      ...['1 One', '2 New', '3 Two', '3.1 Left', '3.2 Right', '4 Three', 'at 2'],
    ]);
    expect(done(steps.addStep(TEXT, at('2.2'), { name: 'New' }))).toContain('2.3 New');
    expect(done(steps.addStep('schema: bwana.workflow/v1\n', undefined, { name: 'New' }))).toEqual([
      '1 New',
      'at 1',
    ]);
    expect(done(steps.addBranch(TEXT, doc(TEXT), at('2'), { name: 'New' }))).toContain('at 2.3');
  });
  test('is moved among its own', () => {
    expect(done(steps.moveStep(TEXT, doc(TEXT), at('3'), -1))).toEqual([
      ...['1 One', '2 Three', '3 Two', '3.1 Left', '3.2 Right', 'at 2'],
    ]);
    expect(steps.moveStep(TEXT, doc(TEXT), at('3'), 1)).toBeUndefined();
    expect(steps.moveStep(TEXT, doc(TEXT), at('2.1'), -1)).toBeUndefined();
    expect(steps.moveStep(TEXT, doc(TEXT), at('2.1'), 1)?.text).toContain('# Both look.\n  - name: Two');
  });
  test('is taken out; the last branch takes the step around it along', () => {
    expect(done(steps.removeStep(TEXT, doc(TEXT), at('3')))).toContain('at 2');
    const one = steps.removeStep(TEXT, doc(TEXT), at('2.1'));
    expect(done(one)).toEqual(['1 One', '2 Two', '2.1 Right', '3 Three', 'at 2.1']);
    expect(done(steps.removeStep(one.text, doc(one.text), at('2.1')))).toEqual(['1 One', '2 Three', 'at 2']);
  });
  test('becomes a branch of the one before it', () => {
    const in_ = steps.nestStep(TEXT, doc(TEXT), at('3'), 'Together');
    expect(done(in_)).toEqual(['1 One', '2 Two', '2.1 Left', '2.2 Right', '2.3 Three', 'at 2.3']);
    expect(in_?.text).toContain('          colour: red');
    expect(steps.nestStep(TEXT, doc(TEXT), at('1'), 'x')).toBeUndefined();
  });
  test('becomes one of two branches of a new one', () => {
    const both = steps.nestStep(TEXT, doc(TEXT), at('2.2'), 'Together');
    expect(done(both)).toContain('2.1.2 Right');
    expect(done(both)).toContain('2.1.1 Left');
    const top = steps.nestStep(TEXT, doc(TEXT), at('2'), 'Together');
    expect(done(top)).toEqual([
      ...['1 Together', '1.1 One', '1.2 Two', '1.2.1 Left', '1.2.2 Right', '2 Three', 'at 1.2'],
    ]);
    expect(top?.text).toContain('        # Both look.\n        - name: Two');
    expect(top?.text).toContain('agent: ops # alone');
  });
  test('leaves its branches, and what is left of them', () => {
    const out = steps.unnestStep(TEXT, doc(TEXT), at('2.1'));
    expect(done(out)).toEqual(['1 One', '2 Two', '2.1 Right', '3 Left', '4 Three', 'at 3']);
    const text = out?.text ?? '';
    expect(done(steps.unnestStep(text, doc(text), at('2.1')))).toEqual([
      '1 One',
      '2 Right',
      '3 Left',
      '4 Three',
      'at 2',
    ]);
    expect(steps.unnestStep(TEXT, doc(TEXT), at('1'))).toBeUndefined();
  });
  test('that is a plain name becomes one in full when more is said of it', () => {
    expect(steps.setStep(TEXT, at('2.1'), ['name'], 'Rest')).toContain('        - Rest\n');
    expect(steps.setStep(TEXT, at('2.1'), ['agent'], 'ops')).toContain(
      '        - name: Left\n          agent: ops\n',
    );
    expect(steps.setStep(TEXT, at('2.1'), ['agent'], undefined)).toBe(TEXT);
  });
  test('has its keys in order, and loses a group that is empty', () => {
    const limits = steps.setStep(TEXT, at('1'), ['limits', 'turns'], steps.typed('3'));
    expect(limits).toContain('      Write.\n    limits:\n      turns: 3\n\n');
    expect(steps.setStep(limits, at('1'), ['limits', 'turns'], undefined)).toBe(TEXT);
    expect(steps.setStep(TEXT, at('1'), ['tools'], [])).toContain('# alone\n    tools: []\n    task');
  });
});

describe('who works', () => {
  test('is one, several or all', () => {
    const many = steps.setSpeakers(TEXT, at('1'), ['ops', 'sales']);
    expect(theirs(many).steps[0]).toEqual({
      id: 'one',
      name: 'One',
      agents: ['ops', 'sales'],
      task: 'Write.\n',
    });
    expect(theirs(steps.setSpeakers(many, at('1'), [])).steps[0]).toEqual({
      id: 'one',
      name: 'One',
      task: 'Write.\n',
    });
    expect(steps.setSpeakers(TEXT, at('1'), ['sales'])).toContain('agent: sales # alone');
    expect(steps.withAgents(TEXT, ['sales', 'new'])).toContain('agents: [ops, sales, new]');
    expect(steps.withAgents(TEXT, ['sales'])).toBe(TEXT);
  });
  test('can work in another way', () => {
    const way = (number: string, wanted: steps.Way) =>
      theirs(steps.setWay(TEXT, doc(TEXT), at(number), wanted, (agent) => `By ${agent}`)).steps[
        Number(number) - 1
      ];
    expect(way('1', 'chat')).toEqual({ id: 'one', name: 'One', chat: { agents: ['ops'] }, task: 'Write.\n' });
    expect(way('1', 'speak')).toEqual(theirs(TEXT).steps[0]);
    expect(way('3', 'speak')).toEqual({ name: 'Three', agents: ['ops', 'sales'], colour: 'red' });
    expect(way('2', 'speak')).toEqual({ name: 'Two', agents: ['ops', 'sales'] });
    expect(way('1', 'parallel')).toEqual({
      id: 'one',
      name: 'One',
      parallel: { join: 'all', steps: [{ name: 'By ops', agent: 'ops', task: 'Write.\n' }] },
    });
    expect(way('3', 'parallel')).toMatchObject({
      parallel: { steps: [{ agent: 'ops' }, { name: 'By sales', agent: 'sales' }] },
    });
  });
});

describe('when a talk ends', () => {
  const stop = (value: Parameters<typeof stopsOf>[0]) => stopsOf(value);
  test('is a list of conditions', () => {
    expect(stop(null)).toEqual({ join: 'any', rows: [] });
    expect(stop({ rounds: 4 })).toEqual({ join: 'any', rows: [{ kind: 'rounds', value: '4' }] });
    expect(stop({ all: [{ source: 'ops' }, { no_progress: true }] })).toEqual({
      join: 'all',
      rows: [
        { kind: 'source', value: 'ops' },
        { kind: 'no_progress', value: '' },
      ],
    });
  });
  test('is left alone where it is more than that', () => {
    expect(stop({ not: { rounds: 4 } })).toBeUndefined();
    expect(stop({ all: [{ rounds: 1 }, { any: [{ rounds: 2 }] }] })).toBeUndefined();
    expect(stop({ no_progress: false })).toBeUndefined();
  });
  test('goes back into the file as it was', () => {
    const now = (rows: StopRow[], join: 'any' | 'all' = 'any') =>
      theirs(steps.setStep(TEXT, at('3'), ['chat', 'stop'], stopToFile({ join, rows }))).steps[2]?.['chat'];
    expect(now([{ kind: 'cost', value: '0.50' }])).toMatchObject({ stop: { cost: 0.5 } });
    expect(
      now(
        [
          { kind: 'text', value: '12' },
          { kind: 'no_progress', value: '' },
        ],
        'all',
      ),
    ).toMatchObject({
      stop: { all: [{ text: '12' }, { no_progress: true }] },
    });
    expect(now([])).toEqual({ agents: ['ops', 'sales'] });
  });
});

test('a form is written by hand, and taken over only if it is one', () => {
  const typed = steps.mapTyped('type: object # so\nproperties:\n  a: {type: string}\n');
  const text = steps.setStep(TEXT, at('1'), ['output'], typed);
  expect(text).toContain(
    '    output:\n      type: object # so\n      properties:\n        a: {type: string}\n',
  );
  expect(flow.sourceAt(doc(text), [...flow.pathOf(at('1')), 'output'])).toBe(
    'type: object # so\nproperties:\n  a: {type: string}',
  );
  expect(steps.mapTyped('{"type": "object"}')).toBeDefined();
  for (const bad of ['', 'object', '- a', 'a: [', 'a: 1\n---\nb: 2', '---\na: 1'])
    expect(steps.mapTyped(bad)).toBeUndefined();
});

test('a figure is shown as it was typed', () => {
  const text = steps.setStep(TEXT, at('1'), ['limits', 'budget_usd'], steps.typed('1.50'));
  expect(flow.rawAt(doc(text), [...flow.pathOf(at('1')), 'limits', 'budget_usd'])).toBe('1.50');
  expect(flow.rawAt(doc(text), ['limits', 'turns'])).toBe('');
  expect(steps.taskToShow(steps.taskToFile('a\nb') ?? '')).toBe('a\nb');
  expect(steps.taskToFile('')).toBeUndefined();
});

const FOLDER = fileURLToPath(
  new URL('../../../../src-tauri/crates/bwana-workflow/definitions/workflows', import.meta.url),
);
const SHIPPED = readdirSync(FOLDER).map((file) => readFileSync(`${FOLDER}/${file}`, 'utf8'));

/** All steps that do something, as one string each, whatever order they stand in. */
const leaves = (text: string): string[] =>
  visible(doc(text).steps, new Set())
    .filter(({ branches }) => !branches)
    .map(({ name, task, agents }) => JSON.stringify([name, task, agents]))
    .toSorted();

test('whatever is moved, nested and brought out again, no step is lost and the text stays readable', () => {
  const act = fc.tuple(fc.constantFrom('up', 'down', 'in', 'out'), fc.nat());
  fc.assert(
    fc.property(fc.constantFrom(TEXT, ...SHIPPED), fc.array(act, { maxLength: 10 }), (text, acts) => {
      let now = text;
      for (const [kind, nth] of acts) {
        const all = visible(doc(now).steps, new Set());
        const at: At = flow.atOf(all[nth % all.length]?.number ?? '1');
        const changed =
          kind === 'in'
            ? steps.nestStep(now, doc(now), at, 'Together')
            : kind === 'out'
              ? steps.unnestStep(now, doc(now), at)
              : steps.moveStep(now, doc(now), at, kind === 'up' ? -1 : 1);
        if (!changed) continue;
        const name = flow.stepIn(doc(now).steps, at)?.name;
        expect(changed.at && flow.stepIn(doc(changed.text).steps, changed.at)?.name).toBe(name);
        now = changed.text;
        expect(doc(now).workflow).toEqual(expect.objectContaining({ name: theirs(now)['name' as 'steps'] }));
      }
      expect(leaves(now)).toEqual(leaves(text));
    }),
    { numRuns: 150 },
  );
});

describe('going back', () => {
  const moment = (text: string, place = '') => ({ text, place });
  test('goes moment by moment, and forward again until something new is written', () => {
    const history = new History(moment('a'));
    history.push(moment('ab', '1'), '', 0);
    history.push(moment('abc', '2'), '', 1);
    expect(history.undo()).toEqual(moment('ab', '1'));
    expect(history.undo()).toEqual(moment('a'));
    expect(history.undo()).toBeUndefined();
    expect(history.redo()?.text).toBe('ab');
    history.push(moment('abx'), '', 2);
    expect(history.redo()).toBeUndefined();
    expect(history.undo()?.text).toBe('ab');
    expect([history.canUndo, history.canRedo]).toEqual([true, true]);
  });
  test('takes what is typed in one go as one moment', () => {
    const history = new History(moment(''));
    history.push(moment('a'), 'name', 0);
    history.push(moment('ab'), 'name', 500);
    history.push(moment('abc'), 'name', 5_000);
    history.push(moment('abcd'), 'task', 5_001);
    const back = [history.undo(), history.undo(), history.undo(), history.undo()];
    expect(back.map((one) => one?.text)).toEqual(['abc', 'ab', '', undefined]);
  });
  test('holds so many moments and no more', () => {
    const history = new History(moment(''));
    for (let n = 1; n <= 400; n += 1) history.push(moment('x'.repeat(n)), '', n);
    let count = 0;
    while (history.undo()) count += 1;
    expect(count).toBe(300);
    const long = new History(moment(''));
    for (let n = 0; n < 40; n += 1) long.push(moment(String(n % 10).repeat(1024 * 1024)), '', n);
    let held = 0;
    while (long.undo()) held += 1;
    expect(held).toBeLessThanOrEqual(16);
    expect(held).toBeGreaterThan(10);
  });
  test('a change ends where one goes on writing', () => {
    expect(changedEnd('abc', 'abXc')).toBe(3);
    expect(changedEnd('abc', 'ac')).toBe(1);
    expect(changedEnd('aaa', 'aaaa')).toBeLessThanOrEqual(4);
    expect(changedEnd('same', 'same')).toBeLessThanOrEqual(4);
  });
});
