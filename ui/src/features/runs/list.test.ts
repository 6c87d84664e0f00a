import { describe, expect, test } from 'vitest';
import type { RunLine } from '../../bindings/types';
import { fits, isFilter, lay, parseFilter, writeFilter } from './list';

const run = (id: string, minute: number, over: Partial<RunLine> = {}) =>
  ({
    id,
    started_at: new Date(minute * 60_000).toISOString(),
    status: 'done',
    workflow: 'w',
    ...over,
  }) as RunLine;
const HELD = [run('c', 3), run('b', 2), run('a', 1)];

describe('a changed run', () => {
  const check = (id: string, changed: RunLine | undefined, whole: boolean, expected: string) =>
    expect(
      lay(HELD, id, changed, whole)
        .map((one) => one.id)
        .join(''),
    ).toBe(expected);
  test('that is new comes first', () => check('d', run('d', 4), false, 'dcba'));
  test('keeps its place', () => check('b', run('b', 2, { status: 'failed' }), false, 'cba'));
  test('that is the oldest held keeps its place', () => check('a', run('a', 1), false, 'cba'));
  test('that was gone goes', () => check('b', undefined, false, 'ca'));
  test('that is older waits for its page', () => check('0', run('0', 0), false, 'cba'));
  test('that is older comes when all are held', () => check('0', run('0', 0), true, 'cba0'));
  test('of the same moment stands by its id', () => check('bb', run('bb', 2), false, 'cbbba'));
});

describe('the filter in the address', () => {
  const check = (text: string, expected: object) => expect(parseFilter(text)).toEqual(expected);
  test('names a status and a workflow', () =>
    check('status:done workflow:market', { status: 'done', workflow: 'market' }));
  test('is nothing without a word', () => check('', {}));
  test('leaves out what nobody knows', () => check('status:asleep who:me plain', {}));
  test('is written as it is read', () =>
    expect(writeFilter(parseFilter('workflow:market status:done'))).toBe('status:done workflow:market'));
  test('names an agent', () => check('agent:operations', { agent: 'operations' }));
  test('has its text beside it, blanks and all', () => {
    expect(parseFilter('status:done', 'a status:b')).toEqual({ status: 'done', text: 'a status:b' });
    expect(writeFilter({ text: 'a' })).toBeUndefined();
    expect(isFilter({ text: 'a' })).toBe(true);
    expect(isFilter(parseFilter('', ''))).toBe(false);
  });
  test('is not written when it is empty', () => expect(writeFilter({})).toBeUndefined());
  test('decides about changed runs', () => {
    expect(fits(run('a', 1), { status: 'done', workflow: 'w' })).toBe(true);
    expect(fits(run('a', 1), { status: 'failed' })).toBe(false);
    expect(fits(run('a', 1), { workflow: 'other' })).toBe(false);
  });
});

describe('a text', () => {
  const check = (title: string, text: string, expected: boolean) =>
    expect(fits(run('a', 1, { title }), { text })).toBe(expected);
  test('is found inside a title', () => check('Find cold boxes', 'cold b', true));
  test('in large or small Latin letters', () => check('Find COLD boxes', 'coLd', true));
  test('as it stands in other alphabets', () => check('ابحث عن صناديق', 'صناديق', true));
  test('is not found where it is not', () => check('Find cold boxes', 'warm', false));
});
