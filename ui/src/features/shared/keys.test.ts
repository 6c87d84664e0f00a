import { expect, test } from 'vitest';
import { ACT_IDS } from '../../lib/acts';
import { ShortcutRegistry } from '../../lib/shortcuts';
import { actsByArea, withKeys } from './keys';

const registry = (inBrowser: boolean) => new ShortcutRegistry({ mac: false, inBrowser });
const ways = (shortcuts: ShortcutRegistry, label: string, decides = true) =>
  withKeys(actsByArea(shortcuts, decides))
    .flatMap(({ acts }) => acts)
    .filter((act) => act.label === label)
    .map((act) => act.ways.map(({ caps }) => caps));

test('every act of the list stands once, and an act with two ways has both', () => {
  const all = actsByArea(registry(false), true);
  const ids = all.flatMap(({ acts }) => acts.flatMap((act) => act.ways.map(({ id }) => id)));
  expect([...ids].sort()).toEqual([...ACT_IDS].sort());
  const labels = all.flatMap(({ acts }) => acts.map(({ label }) => label));
  expect(new Set(labels).size).toBe(labels.length);
  expect(ways(registry(false), 'nav.home')).toEqual([[[['Ctrl', '1']], [['G'], ['H']]]]);
});

test('keys that the browser keeps are no way there, unless the person gave others', () => {
  const shortcuts = registry(true);
  expect(ways(shortcuts, 'nav.home')).toEqual([[[['G'], ['H']]]]);
  expect(ways(shortcuts, 'quick.ask')).toEqual([]);
  shortcuts.give({ 'view.composer': 'Alt+N' });
  expect(ways(shortcuts, 'quick.ask')).toEqual([[[['Alt', 'N']]]]);
});

test('keys for questions are left out where nobody may answer', () => {
  expect(ways(registry(true), 'task.allow', false)).toEqual([]);
});

test('single letters that are switched off are no way', () => {
  const shortcuts = registry(false);
  shortcuts.singleLetters = false;
  expect(ways(shortcuts, 'nav.home')).toEqual([[[['Ctrl', '1']]]]);
});
