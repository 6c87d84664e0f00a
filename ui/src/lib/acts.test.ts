import { describe, expect, test } from 'vitest';
import { ACT_IDS, ACTS, areaOf, clash, isBrowsers, mayBeKey } from './acts';

test('no two keys that ship mean two things at one place, and each may be a key', () => {
  const all = ACT_IDS.map((id) => ({ id, keys: ACTS[id].keys }));
  const clashes = all.flatMap((a) => all.filter((b) => clash(a, b)).map((b) => `${a.id} ${b.id}`));
  expect(clashes).toEqual([]);
  expect(all.filter(({ keys }) => !keys.split(' ').every(mayBeKey))).toEqual([]);
  expect(ACT_IDS.filter((id) => areaOf(id) === undefined)).toEqual([]);
});

describe('two acts clash', () => {
  const check = (a: [string, string], b: [string, string], expected: boolean) => {
    const [one, other] = [a, b].map(([id, keys]) => ({ id, keys }));
    if (!one || !other) throw new Error('two acts are needed');
    expect(clash(one, other)).toBe(expected);
    expect(clash(other, one)).toBe(expected);
  };
  test('with one key on one screen', () => check(['run.fork', 'F'], ['run.next', 'F'], true));
  test('not on two screens', () => check(['run.next', 'J'], ['waiting.next', 'J'], false));
  test('when one of them is heard everywhere', () => check(['view.keys', 'J'], ['run.next', 'J'], true));
  test('where cards stand', () => check(['task.deny', 'J'], ['waiting.next', 'J'], true));
  test('when one begins the other', () => check(['run.fork', 'G'], ['go.home.letters', 'G H'], true));
  test('not with itself', () => check(['run.fork', 'F'], ['run.fork', 'F'], false));
});

describe('a key', () => {
  test.each(['J', '?', 'Mod+K', 'Alt+1', 'Mod+Shift+C', 'Mod+,'])('may be %s', (press) =>
    expect(mayBeKey(press)).toBe(true),
  );
  test.each([
    'Escape',
    'Tab',
    'Enter',
    'Space',
    'ArrowDown',
    'Mod+C',
    'Mod+Z',
    'F5',
    'Shift+Tab',
    'Backspace',
  ])('may not be %s', (press) => expect(mayBeKey(press)).toBe(false));
});

test.each(['Mod+W', 'Mod+T', 'Mod+Shift+N'])('%s belongs to a browser', (press) =>
  expect(isBrowsers(press)).toBe(true),
);
test.each(['Mod+K', 'W', 'Alt+W', 'Mod+1'])('%s does not', (press) => expect(isBrowsers(press)).toBe(false));
