// Where a window keeps what is typed and not saved. Windows that edit one thing each have a slot of their own, so that none
// takes, overwrites or clears the words of another.
import type { Draft } from '../bindings/types';
import type { Platform } from '../platform/platform';

/** Windows on one thing that are told apart by locks; behind them only the comparison helps. */
const SLOTS = 4;

type Locks = Pick<LockManager, 'request'>;

/** Places this window is about to let go: who opens one again at once has its words, too. */
const closing = new Map<string, Promise<void>>();

export class DraftPlace {
  readonly #platform: Platform;
  readonly #name: string;
  readonly #locks: Locks | undefined;
  #slot = 1;
  /** What this window read or wrote there last. */
  #mine = '';
  #release: (() => void) | undefined;
  #closed = false;
  /** One write after the other: each looks first at what stands there. */
  #writes: Promise<void> = Promise.resolve();

  constructor(platform: Platform, name: string, locks: Locks | undefined = globalThis.navigator?.locks) {
    this.#platform = platform;
    this.#name = name;
    this.#locks = locks;
  }

  /** What was kept: first in the slot this window had before, then in those that no other window has. */
  async open(): Promise<string> {
    await closing.get(this.#name);
    if (this.#release) return (this.#mine = await this.#read(this.#slot));
    const before = Number(sessionStorage.getItem(this.#memory)) || 1;
    const slots = [before, ...Array.from({ length: SLOTS }, (_, index) => index + 1)];
    let first: { slot: number; release: () => void } | undefined;
    for (const slot of new Set(slots)) {
      const release = await this.#take(slot);
      if (!release) continue;
      const text = await this.#read(slot);
      if (text !== '') {
        first?.release();
        return this.#have(slot, text, release);
      }
      if (first) release();
      else first = { slot, release };
    }
    return this.#have(first?.slot ?? SLOTS + 1, '', first?.release);
  }

  /** Empty: there is none any more. Words of another window stay. */
  keep(text: string): Promise<void> {
    this.#writes = this.#writes.then(() => this.#write(text).catch(() => undefined));
    return this.#writes;
  }

  /** The page goes, and there is no time to look. */
  keepNow(text: string): void {
    this.#set(text).catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    const end = this.#writes.then(() => this.#release?.());
    closing.set(this.#name, end);
    void end.then(() => {
      if (closing.get(this.#name) === end) closing.delete(this.#name);
    });
  }

  async #write(text: string): Promise<void> {
    for (;;) {
      const there = await this.#get(this.#slot);
      if (there === '' || there === this.#mine || there === text) break;
      if (text === '') return;
      this.#have(this.#slot + 1, '', this.#release);
    }
    await this.#set(text);
  }

  #have(slot: number, text: string, release: (() => void) | undefined): string {
    this.#slot = slot;
    this.#mine = text;
    this.#release = release;
    if (this.#closed) release?.();
    try {
      sessionStorage.setItem(this.#memory, String(slot));
    } catch {
      // After a reload it looks for its words again.
    }
    return text;
  }

  async #set(text: string): Promise<void> {
    this.#mine = text;
    await this.#platform.rpc('drafts.set', { place: this.#place(this.#slot), text });
  }

  async #get(slot: number): Promise<string> {
    return (await this.#platform.rpc<Draft>('drafts.get', { place: this.#place(slot) })).value.text;
  }

  /** Without a draft it begins with what is saved. */
  async #read(slot: number): Promise<string> {
    return this.#get(slot).catch(() => '');
  }

  /** Nothing: another window has it. */
  #take(slot: number): Promise<(() => void) | undefined> {
    const locks = this.#locks;
    if (!locks) return Promise.resolve(slot === 1 ? () => undefined : undefined);
    return new Promise((resolve) => {
      const hold = (lock: Lock | null) => {
        if (!lock) return resolve(undefined);
        return new Promise<void>((release) => resolve(release));
      };
      locks
        .request(`bwana.draft.${this.#place(slot)}`, { ifAvailable: true }, hold)
        .catch(() => resolve(slot === 1 ? () => undefined : undefined));
    });
  }

  #place(slot: number): string {
    return slot === 1 ? this.#name : `${this.#name}.${slot}`;
  }

  get #memory(): string {
    return `bwana.draft-slot.${this.#name}`;
  }
}
