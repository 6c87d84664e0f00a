// The one registry of shortcuts: it matches keys and feeds tooltips, menus and the sheet. Letters match by `key`; on a layout
// without Latin letters by the key's place (`code`). While an input method composes, nothing matches. A person may give an act
// other keys; whoever draws keys is told.
import { createSubscriber } from 'svelte/reactivity';
import { ACTS, type ActEntry, type ActId } from './acts';

export interface Shortcut {
  id: string;
  /** `Mod+1`, `Alt+Enter`, `F`, or two presses: `G H`. `Mod` is Ctrl, on macOS Command. */
  keys: string;
  /** The message that names the act. */
  label: string;
  run: () => void;
  /** False: not now. */
  when?: () => boolean;
  /** Works while text is typed. Keys with Mod or Alt, and F1, do by themselves. */
  inText?: boolean;
  /** A browser keeps these keys: in a page they are neither matched nor shown. */
  browserKeeps?: boolean;
  /** A key that is held down counts once: its repeats are swallowed. */
  once?: boolean;
}

export interface KeyPress {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  isComposing: boolean;
  inText: boolean;
  /** The key is held down and says so again. */
  repeat?: boolean;
}

const MODIFIERS = new Set(['Control', 'Shift', 'Alt', 'Meta', 'AltGraph']);
const SEQUENCE_MS = 1_000;
const COMPOSING_KEY = 'Process';
/** Signs by their place, without and with Shift, for layouts that have none of them. */
const SIGNS: Readonly<Record<string, readonly [string, string]>> = {
  BracketLeft: ['[', '{'],
  BracketRight: [']', '}'],
  Comma: [',', '<'],
  Period: ['.', '>'],
  Slash: ['/', '?'],
};

/** The press as written in `keys`: `Mod+Shift+K`, `G`, `Enter`, `?`. */
export function nameOfPress(press: KeyPress, mac: boolean): string {
  const mod = mac ? press.metaKey : press.ctrlKey;
  let key = press.key;
  const latin = /^Key([A-Z])$/.exec(press.code)?.[1] ?? /^Digit(\d)$/.exec(press.code)?.[1];
  // Alt and AltGr write signs on many layouts, and a Cyrillic or Arabic layout has no Latin letter to match.
  const foreign = !/^[\x20-\x7e]$/.test(key);
  if (latin !== undefined && (press.altKey || foreign)) key = latin;
  const sign = SIGNS[press.code];
  if (sign && foreign && key.length === 1) key = press.shiftKey ? sign[1] : sign[0];
  if (/^[a-z]$/.test(key)) key = key.toUpperCase();
  if (key === ' ') key = 'Space';
  const letterOrName = /^[A-Z0-9]$/.test(key) || key.length > 1;
  return [mod && 'Mod', press.altKey && 'Alt', press.shiftKey && letterOrName && 'Shift', key]
    .filter(Boolean)
    .join('+');
}

/** Keys a person gave, by act; `''`: none. */
export type GivenKeys = Readonly<Record<string, string>>;

export class ShortcutRegistry {
  readonly #all = new Map<string, Shortcut>();
  readonly #mac: boolean;
  readonly #inBrowser: boolean;
  #first: { name: string; at: number } | undefined;
  #singleLetters = true;
  #given: GivenKeys = {};
  #tell: (() => void) | undefined;
  readonly #follow = createSubscriber((tell) => {
    this.#tell = tell;
    return () => (this.#tell = undefined);
  });

  constructor(options: { mac: boolean; inBrowser: boolean }) {
    this.#mac = options.mac;
    this.#inBrowser = options.inBrowser;
  }

  /** WCAG 2.1.4: a person may switch single letters off. */
  get singleLetters(): boolean {
    return this.#singleLetters;
  }

  set singleLetters(on: boolean) {
    if (on === this.#singleLetters) return;
    this.#singleLetters = on;
    this.#tell?.();
  }

  get given(): GivenKeys {
    this.#follow();
    return this.#given;
  }

  /** Gives acts other keys than they ship with; from now on these alone count, and whoever draws keys draws anew. */
  give(keys: GivenKeys): void {
    this.#given = keys;
    this.#tell?.();
  }

  /** Says what an act of the list does. Returns the removal. */
  on(id: ActId, run: () => void, when?: () => boolean): () => void {
    const { keys, label, browserKeeps = false, once = false }: ActEntry = ACTS[id];
    return this.add({ id, keys, label, browserKeeps, once, run, ...(when ? { when } : {}) });
  }

  /** Returns the removal. The last one to register an id holds it. */
  add(shortcut: Shortcut): () => void {
    this.#all.set(shortcut.id, shortcut);
    return () => {
      if (this.#all.get(shortcut.id) === shortcut) this.#all.delete(shortcut.id);
    };
  }

  list(): Shortcut[] {
    return [...this.#all.values()].filter((shortcut) => this.#usable(shortcut));
  }

  /** What can be done at this moment, also by acts whose keys the browser keeps. */
  applicable(): Shortcut[] {
    return [...this.#all.values()].filter((shortcut) => shortcut.when?.() ?? true);
  }

  /** The keys of an act as caps to draw: `[['Ctrl', '1']]`, `[['G'], ['H']]`; undefined when it has none here. */
  caps(id: string): string[][] | undefined {
    this.#follow();
    const shortcut = this.#all.get(id);
    return shortcut && this.#usable(shortcut) ? this.#drawn(this.#keysOf(shortcut)) : undefined;
  }

  /** The keys of an act of the list, also where nobody has registered it. */
  keysOf(id: ActId): string {
    this.#follow();
    return this.#keysOf({ id, ...ACTS[id] });
  }

  /** The same as caps to draw; undefined when it has none in this window. */
  capsOf(id: ActId): string[][] | undefined {
    const keys = this.keysOf(id);
    return this.#usable({ id, ...ACTS[id] }) ? this.#drawn(keys) : undefined;
  }

  /** A press as caps, whether or not it means something. */
  draw(keys: string): string[][] {
    return capsOf(keys, this.#mac);
  }

  /** A press as it is written in `keys`; undefined for a modifier alone and while an input method composes. */
  nameOf(press: KeyPress): string | undefined {
    if (press.isComposing || press.key === COMPOSING_KEY || MODIFIERS.has(press.key)) return undefined;
    return nameOfPress(press, this.#mac);
  }

  /** True when the press was an act's; the caller then keeps it from the page. */
  press(press: KeyPress, now: number): boolean {
    const name = this.nameOf(press);
    if (name === undefined) return false;
    const before =
      this.#first && now - this.#first.at <= SEQUENCE_MS ? `${this.#first.name} ${name}` : undefined;
    this.#first = undefined;
    const found = (before && this.#find(before, press)) || this.#find(name, press);
    if (found) {
      if (!(found.once && press.repeat)) found.run();
      return true;
    }
    if (
      this.list().some(
        (shortcut) => this.#keysOf(shortcut).startsWith(`${name} `) && this.#open(shortcut, press),
      )
    ) {
      this.#first = { name, at: now };
    }
    return false;
  }

  #find(name: string, press: KeyPress): Shortcut | undefined {
    return this.list()
      .reverse()
      .find(
        (shortcut) =>
          this.#keysOf(shortcut) === name && this.#open(shortcut, press) && (shortcut.when?.() ?? true),
      );
  }

  #open(shortcut: Shortcut, press: KeyPress): boolean {
    const keys = this.#keysOf(shortcut);
    if (press.inText && !isHeld(keys) && !shortcut.inText) return false;
    return this.#singleLetters || !isLetters(keys);
  }

  #keysOf({ id, keys }: Pick<Shortcut, 'id' | 'keys'>): string {
    return this.#given[id] ?? keys;
  }

  /** Keys that a browser keeps are of no use there, unless the person gave others. */
  #usable({ id, browserKeeps }: { id: string; browserKeeps?: boolean }): boolean {
    return !(browserKeeps && this.#inBrowser && this.#given[id] === undefined);
  }

  #drawn(keys: string): string[][] | undefined {
    return keys === '' || (!this.#singleLetters && isLetters(keys)) ? undefined : capsOf(keys, this.#mac);
  }
}

/** Held or not, they write nothing. */
const isHeld = (keys: string) => /(^|\+)(Mod|Alt)\+|(^|\+)F\d/.test(keys);
const isLetters = (keys: string) => !isHeld(keys) && /^\S( \S)?$/.test(keys);

export function capsOf(keys: string, mac: boolean): string[][] {
  const word: Record<string, string> = mac
    ? { Mod: '⌘', Alt: '⌥', Shift: '⇧', Enter: '⏎', Escape: 'Esc' }
    : { Mod: 'Ctrl', Escape: 'Esc' };
  return keys.split(' ').map((press) => press.split(/\+(?=.)/).map((key) => word[key] ?? key));
}

/** The registry's view of a DOM event. */
export function pressOf(event: KeyboardEvent): KeyPress {
  const target = event.target as HTMLElement | null;
  const inText =
    target?.isContentEditable === true ||
    target?.tagName === 'TEXTAREA' ||
    target?.tagName === 'SELECT' ||
    (target?.tagName === 'INPUT' &&
      !['checkbox', 'radio', 'button'].includes((target as HTMLInputElement).type));
  const { key, code, ctrlKey, metaKey, altKey, shiftKey, isComposing, repeat } = event;
  return { key, code, ctrlKey, metaKey, altKey, shiftKey, isComposing, inText, repeat };
}
