// The time of day for what says how long it has waited: one clock for the window, which runs only while somebody looks.
const EVERY_MS = 15_000;

class Now {
  at = $state(Date.now());
  #users = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Runs until the returned call. */
  use(): () => void {
    this.#users += 1;
    this.at = Date.now();
    this.#timer ??= setInterval(() => (this.at = Date.now()), EVERY_MS);
    return () => {
      this.#users -= 1;
      if (this.#users > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }
}

export const now = new Now();
