// The state of the run before and after what is looked at, as the engine folds it from the journal. Asked for once the place
// has rested; an answer to another place is dropped. What does not belong here: what is different (changes.ts).
import type { JournalRecord, Moment, WindowShown } from '../../bindings/types';
import { RequestError } from '../../platform/platform';
import type { Session } from '../../state/session.svelte';
import { boundsOf } from './changes';

/** `entry`: what one entry did. `step`: what the step did that it belongs to. */
export type Span = 'entry' | 'step';

const REST_MS = 200;
/** States that are kept: going back and forth must not ask again. */
const KEPT = 12;
/** The most one answer holds; a run of more steps shows them by entries. */
const STEP_ENTRIES = 400;

export class StateReading {
  readonly #session: Session;
  readonly #run: string;
  shown = $state.raw<{ before: Moment | undefined; after: Moment; from: number; to: number }>();
  error = $state.raw<RequestError>();
  /** Another place is wanted than the one that is shown. */
  waiting = $state(false);
  readonly #kept: [number, Moment][] = [];
  #wanted = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(session: Session, run: string) {
    this.#session = session;
    this.#run = run;
  }

  /** @param path of the step the entry belongs to */
  want(seq: number, span: Span, path: string | undefined): void {
    const mine = ++this.#wanted;
    this.waiting = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(mine, seq, span, path), REST_MS);
  }

  close(): void {
    this.#wanted += 1;
    clearTimeout(this.#timer);
  }

  async #read(mine: number, seq: number, span: Span, path: string | undefined): Promise<void> {
    try {
      const bounds = span === 'step' && path !== undefined ? await this.#bounds(path, seq) : undefined;
      const from = bounds?.from ?? seq;
      const to = bounds ? bounds.to : seq;
      const [before, after] = await Promise.all([
        from > 1 ? this.#at(from - 1) : undefined,
        // A step that is not over stands as the run stands now.
        this.#at(to ?? 0),
      ]);
      if (mine !== this.#wanted) return;
      this.shown = { before, after, from, to: after.seq };
      this.error = undefined;
    } catch (error) {
      if (mine === this.#wanted) this.error = RequestError.from(error);
    }
    if (mine === this.#wanted) this.waiting = false;
  }

  /** @param seq 0: the end */
  async #at(seq: number): Promise<Moment> {
    const place = seq === 0 ? await this.#head() : seq;
    const known = this.#kept.find(([one]) => one === place);
    if (known) return known[1];
    const { value } = await this.#session.platform.rpc<Moment>('run.at', { run: this.#run, seq: place });
    this.#kept.push([place, value]);
    if (this.#kept.length > KEPT) this.#kept.shift();
    return value;
  }

  async #head(): Promise<number> {
    return (await this.#window({ limit: 1 })).last_seq;
  }

  async #bounds(path: string, seq: number) {
    const [started, finished] = await Promise.all(
      ['step_started', 'step_finished'].map(
        async (kind) =>
          (await this.#window({ filter: `kind:${kind}`, around: seq, limit: STEP_ENTRIES }))
            .entries as JournalRecord[],
      ),
    );
    return boundsOf(path, seq, started ?? [], finished ?? []);
  }

  async #window(place: object): Promise<WindowShown> {
    return (await this.#session.platform.rpc<WindowShown>('run.window', { run: this.#run, ...place })).value;
  }
}
