import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskShown } from '../../bindings/types';
import {
  headline,
  editOf,
  factsOf,
  fieldsOf,
  isSame,
  lastDecidedFirst,
  nextAfter,
  offersOf,
  oldestFirst,
  pretty,
  stretches,
  termsOf,
  waitedMs,
} from './task';

describe('arguments as facts', () => {
  const check = (name: string, args: string, expected: object[]) =>
    it(name, () => expect(factsOf(args)).toMatchObject(expected));

  check(
    'say first where it goes and what it is about',
    '{"body":"b","more":1,"subject":"Hi","to":"a@b.example"}',
    [
      { name: 'to', text: 'a@b.example', look: 'text', long: false },
      { name: 'subject', text: 'Hi' },
      { name: 'body' },
      { name: 'more' },
    ],
  );
  check('show figures and yes or no as code', '{"n":5,"all":true}', [
    { text: '5', look: 'code' },
    { text: 'true', look: 'code' },
  ]);
  check('show a list of texts line by line', '{"to":["a","b"]}', [{ text: 'a\nb', look: 'text' }]);
  check('show what is nested as code', '{"body":{"a":1}}', [{ text: '{\n  "a": 1\n}', look: 'code' }]);
  check('fold what is long', JSON.stringify({ text: 'x'.repeat(361) }), [{ long: true }]);
  check('fold what has many lines', JSON.stringify({ text: 'x\n'.repeat(6) }), [{ long: true }]);
  check('show an empty text', '{"text":""}', [{ name: 'text', text: '' }]);
  check('have no name where there is no object', '"alone"', [{ name: '', text: 'alone' }]);
  check('stay as they are where they cannot be read', '{"a', [{ name: '', text: '{"a', look: 'code' }]);
  it('are none where there are no arguments', () => expect(factsOf('{}')).toEqual([]));
  it('are indented for reading', () => expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}'));
});

describe('what is not seen', () => {
  it('is shown by its number', () =>
    expect(stretches('bank\u202egro.evil')).toEqual([
      { text: 'bank', hidden: false },
      { text: 'U+202E', hidden: true },
      { text: 'gro.evil', hidden: false },
    ]));
  it('is not what a script needs: line ends, joiners and marks of Yoruba stay', () =>
    expect(stretches('a\nẹ́\u200d👩‍🌾')).toEqual([{ text: 'a\nẹ́\u200d👩‍🌾', hidden: false }]));
  it('never changes a text otherwise', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const back = stretches(text)
          .map((one) => (one.hidden ? String.fromCodePoint(parseInt(one.text.slice(2), 16)) : one.text))
          .join('');
        expect(back).toBe(text);
      }),
    ));
});

describe('a preview as a headline', () => {
  it('ends with its first line', () => {
    expect(headline('Get https://ice.example')).toBe('Get https://ice.example');
    expect(headline("Write 9 bytes to 'a.md': # List⏎⏎one")).toBe("Write 9 bytes to 'a.md': # List…");
    expect(headline('')).toBe('');
  });
});

describe('edited arguments', () => {
  const args = '{"body":{"a":[1,2]},"n":3,"to":"x"}';
  const with_ = (name: string, text: string) =>
    fieldsOf(args).map((field) => (field.name === name ? { ...field, text } : field));

  it('are the same arguments when nothing was changed', () =>
    expect(editOf(args, fieldsOf(args))).toEqual({ ok: true, changed: false, args: JSON.parse(args) }));
  it('hold what was written, texts as texts and the rest as JSON', () => {
    expect(editOf(args, with_('to', '5'))).toMatchObject({ changed: true, args: { to: '5', n: 3 } });
    expect(editOf(args, with_('n', '5'))).toMatchObject({ changed: true, args: { to: 'x', n: 5 } });
    expect(editOf(args, with_('body', '{"a":[1]}'))).toMatchObject({ changed: true });
    expect(editOf(args, with_('body', '{ "a": [1, 2] }'))).toMatchObject({ changed: false });
  });
  it('name each field that is not JSON', () =>
    expect(editOf(args, with_('body', '{'))).toEqual({ ok: false, wrong: ['body'] }));
  it('are one field where they are no object', () =>
    expect(editOf('[1]', [{ name: '', kind: 'json', text: '[2]' }])).toMatchObject({ args: [2] }));
  it('come back as they went whatever they are', () =>
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(editOf(text, fieldsOf(text))).toMatchObject({ ok: true, changed: false });
      }),
    ));
});

const task = (id: string, at: string, decided?: string) =>
  ({ id, opened_at: at, decision: decided ? { at: decided } : null }) as TaskShown;

it('what has waited is told in whole seconds, and never less than none', () => {
  const at = Date.parse('2026-11-20T10:00:00Z');
  expect(waitedMs(task('a', '2026-11-20T10:00:00Z'), at + 3_400)).toBe(3_000);
  expect(waitedMs(task('a', '2026-11-20T10:00:00Z'), at - 3_400)).toBe(1_000);
});

describe('the list', () => {
  it('begins with what waits longest', () => {
    const tasks = [task('b', '2026-11-20T10:00:00Z'), task('a', '2026-11-20T09:00:00Z')];
    expect(tasks.sort(oldestFirst).map(({ id }) => id)).toEqual(['a', 'b']);
  });
  it('of what is decided begins with the latest', () => {
    const tasks = [task('a', '', '2026-11-20T09:00:00Z'), task('b', '', '2026-11-20T10:00:00Z')];
    expect(tasks.sort(lastDecidedFirst).map(({ id }) => id)).toEqual(['b', 'a']);
  });
  const check = (name: string, gone: string, left: string[], expected: string | undefined) =>
    it(name, () => expect(nextAfter(['a', 'b', 'c'], gone, left)).toBe(expected));
  check('goes on with what stood after', 'b', ['a', 'c'], 'c');
  check('goes back from its end', 'c', ['a', 'b'], 'b');
  check('passes over what has left as well', 'a', ['c'], 'c');
  check('takes what is new when all has left', 'b', ['d'], 'd');
  check('has nothing when nothing is left', 'b', [], undefined);
});

describe('what is offered', () => {
  const words = { code: 'grant.once' };
  const pattern = { kind: 'host', host: 'a.example' } as const;
  const scopes = (['once', 'run', 'workflow', 'never'] as const).map((scope) => ({ scope, pattern, words }));
  it('is told apart: more than once, the workflow first, and never', () => {
    const { more, never } = offersOf({ scopes });
    expect(more.map(({ scope }) => scope)).toEqual(['workflow', 'run']);
    expect(never.map(({ scope }) => scope)).toEqual(['never']);
    expect(offersOf({})).toEqual({ more: [], never: [] });
  });
  it('is named by its scope and its pattern', () => {
    expect(termsOf(scopes[1]!)).toEqual({ scope: 'run', pattern });
    expect(termsOf({ scope: 'run', words })).toEqual({ scope: 'run' });
  });
});

it('a question is the same by its place and its arguments', () => {
  const ask = { kind: 'uncertain', args_hash: 'h1', args: '', preview: '', tool: 't', why: '' } as const;
  expect(isSame({ path: 'a', ask }, 'a', { ...ask })).toBe(true);
  expect(isSame({ path: 'a', ask }, 'b', ask)).toBe(false);
  expect(isSame({ path: 'a', ask }, 'a', { ...ask, args_hash: 'h2' })).toBe(false);
  expect(isSame({ path: 'a', ask }, 'a', { kind: 'price', model: 'm', provider: 'p' })).toBe(false);
});
