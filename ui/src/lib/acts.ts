// Every act that has a key, with the key it ships with: one list for the registry, the sheet, the palette and the settings, so
// that an act of a screen that is not open can be read and changed too. What an act does is said by whoever registers it.
import type { PlainKey } from '../i18n/i18n.svelte';

/** Where an act works; the head of its id. */
export type Area = 'go' | 'view' | 'runs' | 'run' | 'workflows' | 'waiting' | 'task' | 'help';

export interface ActEntry {
  /** As in `Shortcut`. */
  keys: string;
  /** The message that names it. Two entries of one label are two ways to one act. */
  label: PlainKey;
  browserKeeps?: boolean;
  once?: boolean;
}

export const ACTS = {
  'go.home': { keys: 'Mod+1', label: 'nav.home', browserKeeps: true },
  'go.waiting': { keys: 'Mod+2', label: 'nav.waiting', browserKeeps: true },
  'go.runs': { keys: 'Mod+3', label: 'nav.runs', browserKeeps: true },
  'go.workflows': { keys: 'Mod+4', label: 'nav.workflows', browserKeeps: true },
  'go.agents': { keys: 'Mod+5', label: 'nav.agents', browserKeeps: true },
  'go.connections': { keys: 'Mod+6', label: 'nav.connections', browserKeeps: true },
  'go.usage': { keys: 'Mod+7', label: 'nav.usage', browserKeeps: true },
  'go.home.letters': { keys: 'G H', label: 'nav.home' },
  'go.waiting.letters': { keys: 'G W', label: 'nav.waiting' },
  'go.runs.letters': { keys: 'G R', label: 'nav.runs' },
  'go.workflows.letters': { keys: 'G F', label: 'nav.workflows' },
  'go.agents.letters': { keys: 'G A', label: 'nav.agents' },
  'go.connections.letters': { keys: 'G C', label: 'nav.connections' },
  'go.usage.letters': { keys: 'G U', label: 'nav.usage' },
  'go.settings': { keys: 'Mod+,', label: 'nav.settings' },
  'go.help': { keys: 'F1', label: 'nav.help' },
  'view.palette': { keys: 'Mod+K', label: 'palette.title' },
  'view.composer': { keys: 'Mod+N', label: 'quick.ask', browserKeeps: true },
  'view.new_workflow': { keys: 'Mod+Shift+N', label: 'flows.new', browserKeeps: true },
  'view.sidebar': { keys: 'Mod+B', label: 'nav.fold' },
  'view.back': { keys: 'Mod+[', label: 'nav.back' },
  'view.forward': { keys: 'Mod+]', label: 'nav.forward' },
  'view.keys': { keys: '?', label: 'settings.shortcuts' },
  'runs.search': { keys: '/', label: 'runs.search' },
  'run.chat': { keys: 'Alt+1', label: 'run.chat' },
  'run.timeline': { keys: 'Alt+2', label: 'run.timeline' },
  'run.zoom_in': { keys: '+', label: 'run.time.zoom_in' },
  'run.zoom_out': { keys: '-', label: 'run.time.zoom_out' },
  'run.zoom_fit': { keys: '0', label: 'run.time.fit' },
  'run.events': { keys: 'Alt+4', label: 'run.events' },
  'run.files': { keys: 'Alt+5', label: 'run.files' },
  'run.next': { keys: 'J', label: 'run.next' },
  'run.previous': { keys: 'K', label: 'run.previous' },
  'run.filter': { keys: '/', label: 'run.filter' },
  'run.fork': { keys: 'F', label: 'run.fork' },
  'run.stop': { keys: 'Mod+.', label: 'run.stop' },
  'run.inspector': { keys: 'Mod+I', label: 'run.inspector' },
  'workflows.outline': { keys: 'Alt+1', label: 'flows.view_outline' },
  'workflows.text': { keys: 'Alt+2', label: 'flows.view_text' },
  'workflows.save': { keys: 'Mod+S', label: 'settings.save' },
  'waiting.next': { keys: 'J', label: 'waiting.next' },
  'waiting.previous': { keys: 'K', label: 'waiting.previous' },
  'task.allow': { keys: 'A', label: 'task.allow', once: true },
  'task.more': { keys: 'W', label: 'task.allow_more', once: true },
  'task.edit': { keys: 'E', label: 'task.edit', once: true },
  'task.deny': { keys: 'D', label: 'task.deny', once: true },
  'task.happened': { keys: 'H', label: 'task.happened', once: true },
  'task.again': { keys: 'S', label: 'task.again', once: true },
  'task.give_up': { keys: 'U', label: 'task.give_up', once: true },
  'help.find': { keys: '/', label: 'help.find' },
} as const satisfies Record<string, ActEntry>;

export type ActId = keyof typeof ACTS;
export const ACT_IDS = Object.keys(ACTS) as readonly ActId[];
export const AREAS: readonly Area[] = ['go', 'view', 'runs', 'run', 'workflows', 'waiting', 'task', 'help'];

/** The screens on which an area's keys are heard; undefined: on every one. */
const HEARD: Record<Area, readonly string[] | undefined> = {
  go: undefined,
  view: undefined,
  runs: ['runs'],
  run: ['run'],
  workflows: ['workflows'],
  waiting: ['waiting'],
  // Cards stand in the chat of a run and on the list of what waits.
  task: ['run', 'waiting'],
  help: ['help'],
};

export function areaOf(id: string): Area | undefined {
  const head = id.slice(0, id.indexOf('.'));
  return AREAS.find((area) => area === head);
}

/** True when a press could mean both: the same keys, or one begins the other, where both are heard. */
export function clash(a: { id: string; keys: string }, b: { id: string; keys: string }): boolean {
  if (a.id === b.id) return false;
  const same = a.keys === b.keys || a.keys.startsWith(`${b.keys} `) || b.keys.startsWith(`${a.keys} `);
  const [here, there] = [heard(a.id), heard(b.id)];
  return same && (!here || !there || here.some((screen) => there.includes(screen)));
}

function heard(id: string): readonly string[] | undefined {
  const area = areaOf(id);
  return area && HEARD[area];
}

/** Keys that fields, lists and the system live by. */
const KEPT = new Set(['Escape', 'Tab', 'Enter', 'Space', 'Backspace', 'Delete', 'Home', 'End']);
const KEPT_HELD = new Set(['A', 'C', 'V', 'X', 'Y', 'Enter', 'Backspace', 'Delete', 'Home', 'End']);

/** Keys with which a browser closes, opens or leaves its window before a page hears of them. */
const BROWSERS = /^Mod\+(Shift\+)?[WTNQ]$/;

/** True for a press that never reaches a page in a browser. */
export function isBrowsers(press: string): boolean {
  return BROWSERS.test(press);
}

/** False for a press that must keep its own meaning everywhere. F1 means help wherever one is. */
export function mayBeKey(press: string): boolean {
  const parts = press.split(/\+(?=.)/);
  const key = parts.at(-1) ?? '';
  if (/^(Arrow|Page|Dead|Unidentified|F([2-9]|1\d))/.test(key) || key === 'Tab' || key === 'Escape')
    return false;
  if (!parts.includes('Mod') && !parts.includes('Alt')) return !KEPT.has(key);
  // Redo is undo with Shift; copy with Shift is nothing.
  return key !== 'Z' && (parts.includes('Shift') || !KEPT_HELD.has(key));
}
