// What a screen reader is told: at most one announcement every two seconds; what came in between is summed up by its last
// sentence and a count.
const GAP_MS = 2_000;

class Live {
  text = $state('');
  more = $state(0);
  #waiting: string[] = [];
  #next = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  say(sentence: string, now = performance.now()): void {
    this.#waiting.push(sentence);
    if (this.#timer !== undefined) return;
    const wait = Math.max(0, this.#next - now);
    this.#timer = setTimeout(() => this.#flush(), wait);
  }

  #flush(): void {
    this.#timer = undefined;
    this.#next = performance.now() + GAP_MS;
    const last = this.#waiting.at(-1) ?? '';
    this.more = this.#waiting.length - 1;
    this.#waiting = [];
    // The same words twice would not be said twice.
    this.text = this.text === last ? `${last}\u200b` : last;
  }
}

export const live = new Live();

export function announce(sentence: string): void {
  live.say(sentence);
}
