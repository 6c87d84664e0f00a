// The report that is shown, asked again when something was paid.
import type { Spending, SpendingRequest } from '../../bindings/types';
import { RequestError } from '../../platform/platform';
import type { Session } from '../../state/session.svelte';

/** Between two questions that nobody asked for: a report reads many journals. */
const AGAIN_MS = 5_000;

export class Report {
  shown = $state.raw<Spending>();
  error = $state.raw<RequestError>();
  asking = $state(false);
  readonly #session: Session;
  #wanted: SpendingRequest | undefined;
  #number = 0;
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Asks for other days, now. */
  show(request: SpendingRequest): void {
    this.#wanted = request;
    void this.#ask();
  }

  /** Something was paid: asks for the same days, but not at every call. */
  again(): void {
    if (!this.#wanted || this.#timer !== undefined) return;
    const wait = Math.max(0, this.#asked + AGAIN_MS - Date.now());
    this.#timer = setTimeout(() => void this.#ask(), wait);
  }

  retry(): void {
    void this.#ask();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#wanted = undefined;
    this.#number += 1;
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#wanted) return;
    const mine = ++this.#number;
    this.#asked = Date.now();
    this.asking = true;
    try {
      const { value } = await this.#session.platform.rpc<Spending>('usage.report', this.#wanted);
      if (mine === this.#number) [this.shown, this.error] = [value, undefined];
    } catch (error) {
      if (mine === this.#number) this.error = RequestError.from(error);
    }
    if (mine === this.#number) this.asking = false;
  }
}
