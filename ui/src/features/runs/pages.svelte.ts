// The runs by pages, newest first, kept equal to the engine's by the feed. What does not belong here: how a row is drawn.
import type { Change } from '../../bindings/wire';
import type { RunLine, RunList } from '../../bindings/types';
import { RequestError } from '../../platform/platform';
import type { Session } from '../../state/session.svelte';
import type { Subscriber } from '../../state/feed';
import { fits, isFilter, lay, newestFirst, type Filter } from './list';

export const PAGE_RUNS = 200;
/** After changes, so long until it is asked how many there are now. */
const COUNT_AFTER_MS = 1_000;

export class RunPages implements Subscriber {
  readonly topic = 'runs';
  runs = $state.raw<readonly RunLine[]>([]);
  loaded = $state(false);
  error = $state.raw<RequestError>();
  /** All of them are held. */
  whole = $state(false);
  /** The last change put rows before the first one. */
  prepended = $state(false);
  /** How many there are on all pages. */
  total = $state<number>();
  /** How many there are without the filter. */
  all = $state<number>();
  readonly #session: Session;
  readonly #filter: Filter;
  #reading = false;
  #round = 0;
  #closed = false;
  /** Changes that came while a page was on its way: they are newer than its rows. */
  #held: Change[] | undefined;
  #counting: ReturnType<typeof setTimeout> | undefined;
  #counts = 0;
  /** Of runs the feed told of: whether they fit then. */
  readonly #outside: Record<string, boolean> = {};

  constructor(session: Session, filter: Filter) {
    this.#session = session;
    this.#filter = filter;
  }

  async open(): Promise<void> {
    await this.#session.feed.subscribe(this);
    if (this.#closed) return;
    if (isFilter(this.#filter)) void this.#countAll();
    await this.#read(true);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#counting);
    this.#session.feed.unsubscribe(this);
  }

  requery(): void {
    void this.#read(true);
  }

  /** The next page, when there is one. */
  more(): void {
    if (!this.whole && this.loaded && !this.#reading && !this.error && !this.#closed) void this.#read(false);
  }

  again(): void {
    this.error = undefined;
    void this.#read(!this.loaded);
  }

  changes(changes: Change[]): void {
    const moved = this.#moved(changes);
    this.#held?.push(...changes);
    this.#lay(changes);
    if (!moved) return;
    this.#counting ??= setTimeout(() => {
      this.#counting = undefined;
      void this.#count();
    }, COUNT_AFTER_MS);
  }

  /** There may be more or fewer runs now. A run at work tells of itself all the time; mostly that changes no figure. */
  #moved(changes: readonly Change[]): boolean {
    return changes
      .map(({ id, op, row }) => {
        const run = row as RunLine | undefined;
        const fitting = op === 'upsert' && run !== undefined && fits(run, this.#filter);
        const same = this.runs.some((one) => one.id === id) ? fitting : this.#outside[id] === fitting;
        this.#outside[id] = fitting;
        // An agent may come to have a part in a run at any of its steps.
        return !same || (this.#filter.agent !== undefined && !this.runs.some((one) => one.id === id));
      })
      .some(Boolean);
  }

  async #read(anew: boolean): Promise<void> {
    const round = ++this.#round;
    this.#reading = true;
    this.#held = [];
    const last = anew ? undefined : this.runs.at(-1)?.id;
    // Read again, a list stays as long as it was: the person may be far down in it.
    const wanted = anew ? Math.max(PAGE_RUNS, this.runs.length) : PAGE_RUNS;
    try {
      let rows: RunLine[] = [];
      let before = last;
      let ended = false;
      while (rows.length < wanted && !ended) {
        const page = await this.#page(before);
        if (round !== this.#round || this.#closed) return;
        rows = [...rows, ...page];
        before = page.at(-1)?.id;
        ended = page.length < PAGE_RUNS;
      }
      const kept = anew ? [] : this.runs;
      const oldest = kept.at(-1);
      this.prepended = false;
      this.runs = [...kept, ...rows.filter((run) => !oldest || newestFirst(oldest, run) < 0)];
      this.whole = ended;
      this.error = undefined;
      this.loaded = true;
      const held = this.#held ?? [];
      this.#held = undefined;
      this.#lay(held);
    } catch (error) {
      if (round !== this.#round || this.#closed) return;
      this.#held = undefined;
      this.error = RequestError.from(error);
    } finally {
      if (round === this.#round) this.#reading = false;
    }
  }

  async #page(before: string | undefined): Promise<RunLine[]> {
    const value = await this.#ask(this.#filter, { limit: PAGE_RUNS, ...(before ? { before } : {}) });
    if (!this.#closed) this.#tell(value.total);
    return value.runs;
  }

  async #ask(filter: Filter, page: { limit: number; before?: string }): Promise<RunList> {
    const { status, workflow, agent, text } = filter;
    const { value } = await this.#session.platform.rpc<RunList>('run.list', {
      ...page,
      ...(status ? { status: [status] } : {}),
      ...(workflow ? { workflow } : {}),
      ...(agent ? { agent } : {}),
      ...(text ? { text } : {}),
    });
    return value;
  }

  #tell(total: number): void {
    this.total = total;
    if (!isFilter(this.#filter)) this.all = total;
  }

  /** The figures alone; the list stays as it is. Of the runs of one agent a new one is known only to the engine. */
  async #count(): Promise<void> {
    const mine = ++this.#counts;
    const before = this.total;
    try {
      const [{ total }] = await Promise.all([
        this.#ask(this.#filter, { limit: 1 }),
        isFilter(this.#filter) ? this.#countAll() : undefined,
      ]);
      if (mine !== this.#counts || this.#closed) return;
      this.#tell(total);
      if (this.#filter.agent !== undefined && total !== before) void this.#read(true);
    } catch {
      // A figure is no reason to say that the list could not be read; the next change asks again.
    }
  }

  async #countAll(): Promise<void> {
    try {
      const { total } = await this.#ask({}, { limit: 1 });
      if (!this.#closed) this.all = total;
    } catch {
      // As above.
    }
  }

  #lay(changes: readonly Change[]): void {
    if (changes.length === 0 || !this.loaded) return;
    const first = this.runs[0]?.id;
    let next = this.runs;
    for (const { id, op, row } of changes) {
      const run = row as RunLine | undefined;
      if (!this.#knows(next, id)) continue;
      next = lay(next, id, op === 'upsert' && run && fits(run, this.#filter) ? run : undefined, this.whole);
    }
    this.prepended = next.length > this.runs.length && next[0]?.id !== first;
    this.runs = next;
  }

  /** Whether an agent has a part in a run that is not held, its line does not say. */
  #knows(held: readonly RunLine[], id: string): boolean {
    return this.#filter.agent === undefined || held.some((one) => one.id === id);
  }
}
