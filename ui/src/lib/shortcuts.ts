// The one registry of shortcuts: it matches keys and feeds tooltips, menus and the sheet. Letters match by `key`; on a layout
// without Latin letters by the key's place (`code`). While an input method composes, nothing matches.
export interface Shortcut {
  id: string;
  /** `Mod+1`, `Alt+Enter`, `F`, or two presses: `G H`. `Mod` is Ctrl, on macOS Command. */
  keys: string;
  /** The message that names the act. */
  label: string;
  run: () => void;
  /** False: not now. */
  when?: () => boolean;
  /** Works while text is typed. Keys with Mod or Alt do by themselves. */
  inText?: boolean;
  /** A browser keeps these keys: in a page they are neither matched nor shown. */
  browserKeeps?: boolean;
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
}

const SEQUENCE_MS = 1_000;
const COMPOSING_KEY = 'Process';

/** The press as written in `keys`: `Mod+Shift+K`, `G`, `Enter`, `?`. */
export function nameOfPress(press: KeyPress, mac: boolean): string {
  const mod = mac ? press.metaKey : press.ctrlKey;
  let key = press.key;
  const latin = /^Key([A-Z])$/.exec(press.code)?.[1] ?? /^Digit(\d)$/.exec(press.code)?.[1];
  // Alt and AltGr write signs on many layouts, and a Cyrillic or Arabic layout has no Latin letter to match.
  if (latin !== undefined && (press.altKey || !/^[\x20-\x7e]$/.test(key))) key = latin;
  if (/^[a-z]$/.test(key)) key = key.toUpperCase();
  if (key === ' ') key = 'Space';
  const letterOrName = /^[A-Z0-9]$/.test(key) || key.length > 1;
  return [mod && 'Mod', press.altKey && 'Alt', press.shiftKey && letterOrName && 'Shift', key]
    .filter(Boolean)
    .join('+');
}

export class ShortcutRegistry {
  readonly #all = new Map<string, Shortcut>();
  readonly #mac: boolean;
  readonly #inBrowser: boolean;
  #first: { name: string; at: number } | undefined;
  /** WCAG 2.1.4: a person may switch single letters off. */
  singleLetters = true;

  constructor(options: { mac: boolean; inBrowser: boolean }) {
    this.#mac = options.mac;
    this.#inBrowser = options.inBrowser;
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

  /** The keys of an act as caps to draw: `[['Ctrl', '1']]`, `[['G'], ['H']]`; undefined when it has none here. */
  caps(id: string): string[][] | undefined {
    const shortcut = this.#all.get(id);
    return shortcut && this.#usable(shortcut) ? capsOf(shortcut.keys, this.#mac) : undefined;
  }

  /** True when the press was an act's; the caller then keeps it from the page. */
  press(press: KeyPress, now: number): boolean {
    if (press.isComposing || press.key === COMPOSING_KEY) return false;
    if (['Control', 'Shift', 'Alt', 'Meta', 'AltGraph'].includes(press.key)) return false;
    const name = nameOfPress(press, this.#mac);
    const before =
      this.#first && now - this.#first.at <= SEQUENCE_MS ? `${this.#first.name} ${name}` : undefined;
    this.#first = undefined;
    const found = (before && this.#find(before, press)) || this.#find(name, press);
    if (found) {
      found.run();
      return true;
    }
    if (this.list().some((shortcut) => shortcut.keys.startsWith(`${name} `) && this.#open(shortcut, press))) {
      this.#first = { name, at: now };
    }
    return false;
  }

  #find(name: string, press: KeyPress): Shortcut | undefined {
    return this.list()
      .reverse()
      .find(
        (shortcut) => shortcut.keys === name && this.#open(shortcut, press) && (shortcut.when?.() ?? true),
      );
  }

  #open(shortcut: Shortcut, press: KeyPress): boolean {
    const held = /(^|\+)(Mod|Alt)\+/.test(shortcut.keys);
    if (press.inText && !held && !shortcut.inText) return false;
    return this.singleLetters || held || !/^\S( \S)?$/.test(shortcut.keys);
  }

  #usable(shortcut: Shortcut): boolean {
    return !(shortcut.browserKeeps && this.#inBrowser);
  }
}

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
  const { key, code, ctrlKey, metaKey, altKey, shiftKey, isComposing } = event;
  return { key, code, ctrlKey, metaKey, altKey, shiftKey, isComposing, inText };
}
