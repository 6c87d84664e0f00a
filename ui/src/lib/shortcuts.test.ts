import { describe, expect, it } from 'vitest';
import { capsOf, ShortcutRegistry, type KeyPress } from './shortcuts';

const press = (key: string, code: string, held: Partial<KeyPress> = {}): KeyPress => ({
  key,
  code,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  isComposing: false,
  inText: false,
  ...held,
});

function registry(keys: string[], inBrowser = false) {
  const done: string[] = [];
  const all = new ShortcutRegistry({ mac: false, inBrowser });
  for (const each of keys)
    all.add({
      id: each,
      keys: each,
      label: each,
      run: () => done.push(each),
      browserKeeps: each === 'Mod+1',
    });
  return { all, done };
}

describe('a shortcut', () => {
  it.each([
    ['a held digit', 'Mod+1', press('1', 'Digit1', { ctrlKey: true })],
    ['a held digit on a French layout', 'Mod+1', press('&', 'Digit1', { ctrlKey: true, key: '1' })],
    ['a letter', 'F', press('f', 'KeyF')],
    ['a letter by its own layout, not its place', 'A', press('a', 'KeyQ')],
    ['a letter on an Arabic layout by its place', 'F', press('ب', 'KeyF')],
    ['a letter on a Cyrillic layout by its place', 'Mod+K', press('л', 'KeyK', { ctrlKey: true })],
    ['an Alt digit that writes a sign', 'Alt+2', press('™', 'Digit2', { altKey: true })],
    ['a sign that needs Shift', '?', press('?', 'Slash', { shiftKey: true })],
    ['a shifted letter', 'Mod+Shift+C', press('C', 'KeyC', { ctrlKey: true, shiftKey: true })],
    ['Enter with Alt', 'Alt+Enter', press('Enter', 'Enter', { altKey: true })],
  ])('matches %s', (_name, keys, event) => {
    const { all, done } = registry([keys]);
    expect(all.press(event, 0)).toBe(true);
    expect(done).toEqual([keys]);
  });

  it.each([
    ['while an input method composes', press('f', 'KeyF', { isComposing: true })],
    ['for the key an input method swallowed', press('Process', 'KeyF')],
    ['in a text field', press('f', 'KeyF', { inText: true })],
    ['with Ctrl held', press('f', 'KeyF', { ctrlKey: true })],
  ])('stays silent %s', (_name, event) => {
    const { all, done } = registry(['F']);
    expect(all.press(event, 0)).toBe(false);
    expect(done).toEqual([]);
  });

  it('works in a text field when a modifier is held', () => {
    const { all, done } = registry(['Mod+1']);
    all.press(press('1', 'Digit1', { ctrlKey: true, inText: true }), 0);
    expect(done).toEqual(['Mod+1']);
  });

  it('works in a text field when it writes nothing', () => {
    const { all, done } = registry(['F1', 'F']);
    all.press(press('F1', 'F1', { inText: true }), 0);
    expect(done).toEqual(['F1']);
    all.singleLetters = false;
    all.press(press('F1', 'F1'), 1);
    expect(done).toEqual(['F1', 'F1']);
  });

  it('of two presses needs both within a second', () => {
    const { all, done } = registry(['G H']);
    all.press(press('g', 'KeyG'), 0);
    all.press(press('h', 'KeyH'), 1_500);
    expect(done).toEqual([]);
    all.press(press('g', 'KeyG'), 2_000);
    all.press(press('h', 'KeyH'), 2_900);
    expect(done).toEqual(['G H']);
  });

  it('a browser keeps is neither matched nor shown', () => {
    const { all } = registry(['Mod+1'], true);
    expect(all.press(press('1', 'Digit1', { ctrlKey: true }), 0)).toBe(false);
    expect(all.caps('Mod+1')).toBeUndefined();
  });

  it('of one letter can be switched off', () => {
    const { all, done } = registry(['F', 'G H', 'Mod+1']);
    all.singleLetters = false;
    all.press(press('f', 'KeyF'), 0);
    all.press(press('g', 'KeyG'), 1);
    all.press(press('h', 'KeyH'), 2);
    all.press(press('1', 'Digit1', { ctrlKey: true }), 3);
    expect(done).toEqual(['Mod+1']);
  });

  it('that counts once swallows the repeats of a held key', () => {
    const { all, done } = registry(['J']);
    all.add({ id: 'once', keys: 'A', label: 'once', run: () => done.push('A'), once: true });
    for (const repeat of [false, true, true]) {
      expect(all.press(press('a', 'KeyA', { repeat }), 0)).toBe(true);
      all.press(press('j', 'KeyJ', { repeat }), 0);
    }
    expect(done).toEqual(['A', 'J', 'J', 'J']);
  });

  it('is gone once removed', () => {
    const { all, done } = registry([]);
    const remove = all.add({ id: 'x', keys: 'X', label: 'x', run: () => done.push('x') });
    remove();
    expect(all.press(press('x', 'KeyX'), 0)).toBe(false);
  });

  it('is drawn as caps', () => {
    expect(capsOf('Mod+Shift+C', false)).toEqual([['Ctrl', 'Shift', 'C']]);
    expect(capsOf('G H', false)).toEqual([['G'], ['H']]);
    expect(capsOf('Mod++', true)).toEqual([['⌘', '+']]);
  });
});

describe('an act of the list', () => {
  const all = () => new ShortcutRegistry({ mac: false, inBrowser: false });

  it('has the keys it ships with until it is given others', () => {
    const keys = all();
    const done: string[] = [];
    keys.on('run.fork', () => done.push('fork'));
    expect(keys.press(press('f', 'KeyF'), 0)).toBe(true);
    keys.give({ 'run.fork': 'X' });
    expect(keys.caps('run.fork')).toEqual([['X']]);
    expect(keys.press(press('f', 'KeyF'), 1)).toBe(false);
    expect(keys.press(press('x', 'KeyX'), 2)).toBe(true);
    keys.give({ 'run.fork': '' });
    expect(keys.press(press('x', 'KeyX'), 3)).toBe(false);
    expect(keys.caps('run.fork')).toBeUndefined();
    keys.give({});
    expect(keys.press(press('f', 'KeyF'), 4)).toBe(true);
    expect(done).toEqual(['fork', 'fork', 'fork']);
  });

  it('can be given two presses', () => {
    const keys = all();
    const done: string[] = [];
    keys.on('run.fork', () => done.push('fork'));
    keys.give({ 'run.fork': 'G F' });
    keys.press(press('g', 'KeyG'), 0);
    keys.press(press('f', 'KeyF'), 10);
    expect(done).toEqual(['fork']);
  });

  it('applies where its condition holds', () => {
    const keys = all();
    let may = false;
    keys.on(
      'task.allow',
      () => undefined,
      () => may,
    );
    expect(keys.applicable()).toEqual([]);
    may = true;
    expect(keys.applicable().map(({ id }) => id)).toEqual(['task.allow']);
  });

  it.each([
    ['a question mark in Arabic', 'view.keys', press('؟', 'Slash', { shiftKey: true })],
    ['a slash on an Arabic layout by its place', 'runs.search', press('ظ', 'Slash')],
    [
      'a bracket on a Cyrillic layout by its place',
      'view.back',
      press('х', 'BracketLeft', { ctrlKey: true }),
    ],
  ] as const)('hears %s', (_name, id, event) => {
    const keys = all();
    const done: string[] = [];
    keys.on(id, () => done.push(id));
    keys.press(event, 0);
    expect(done).toEqual([id]);
  });
});
