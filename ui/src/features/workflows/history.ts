// What was written before, and after it was taken back: one line of moments for the whole document, however it is edited.
// Pure.

/** Moments one can go back. */
const MOMENTS_MAX = 300;
/** Characters that all moments hold together. */
const CHARS_MAX = 16 * 1024 * 1024;
/** What is typed into one place without a longer pause is one moment. */
const PAUSE_MS = 1_000;

export interface Moment {
  text: string;
  /** What was looked at, in whatever words the editor has for it. */
  place: string;
}

export class History {
  #past: Moment[] = [];
  #future: Moment[] = [];
  #now: Moment;
  #key = '';
  #last_ms = 0;

  constructor(now: Moment) {
    this.#now = now;
  }

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  /** `key` names the field that is typed into; an act of its own has none. */
  push(now: Moment, key: string, at_ms: number): void {
    const goesOn = key !== '' && key === this.#key && at_ms - this.#last_ms < PAUSE_MS;
    [this.#key, this.#last_ms] = [key, at_ms];
    if (now.text === this.#now.text) return;
    if (!goesOn || this.#past.length === 0) this.#past.push(this.#now);
    this.#future = [];
    this.#now = now;
    this.#trim();
  }

  /** Where the person is by now, so that a step back leads there. */
  look(place: string): void {
    this.#now = { ...this.#now, place };
  }

  undo(): Moment | undefined {
    return this.#go(this.#past, this.#future);
  }

  redo(): Moment | undefined {
    return this.#go(this.#future, this.#past);
  }

  #go(from: Moment[], to: Moment[]): Moment | undefined {
    const next = from.pop();
    if (!next) return undefined;
    to.push(this.#now);
    this.#now = next;
    this.#key = '';
    return next;
  }

  #trim(): void {
    let chars = this.#past.reduce((sum, { text }) => sum + text.length, 0);
    while (this.#past.length > MOMENTS_MAX || (chars > CHARS_MAX && this.#past.length > 1))
      chars -= this.#past.shift()?.text.length ?? 0;
  }
}

/** Where two texts differ: the end of the changed part of the second, which is where one goes on writing. */
export function changedEnd(before: string, after: string): number {
  const most = Math.min(before.length, after.length);
  let same = 0;
  while (same < most && before.at(-1 - same) === after.at(-1 - same)) same += 1;
  let start = 0;
  while (start < most - same && before[start] === after[start]) start += 1;
  return Math.max(after.length - same, start);
}
