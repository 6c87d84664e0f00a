// The whole journal of a run, read page by page into a timeline, and its new entries as they come. Every page is folded and let
// go: only the light part stays. Reading goes on between frames, and what was read is kept while the run is open.
import type { JournalRecord, WindowShown } from '../../bindings/types';
import { RequestError } from '../../platform/platform';
import { Timeline } from './timeline';
import type { RunView } from './view.svelte';

/** The most one answer holds. */
const PAGE_ENTRIES = 400;
/** So many pages are asked for at once. */
const PAGES_AHEAD = 3;
/** While it is read, it is drawn anew at most so often. */
const DRAW_MS = 250;

const kept = new WeakMap<RunView, TimelineReader>();

export function readerOf(view: RunView): TimelineReader {
  let reader = kept.get(view);
  if (!reader) kept.set(view, (reader = new TimelineReader(view)));
  return reader;
}

export class TimelineReader {
  readonly #view: RunView;
  line = new Timeline();
  /** Goes up when the timeline has changed: the timeline itself is a plain object. */
  version = $state(0);
  loaded = $state(false);
  total = $state(0);
  error = $state.raw<RequestError>();
  #open = false;
  #reading = false;
  #drawnAt = 0;

  constructor(view: RunView) {
    this.#view = view;
  }

  async open(): Promise<void> {
    this.#open = true;
    this.error = undefined;
    await this.#read();
  }

  close(): void {
    this.#open = false;
  }

  /** The journal has grown, or is another one. */
  grown(): void {
    if (!this.#open || !this.loaded) return;
    const { head } = this.#view;
    const fresh: JournalRecord[] = [];
    for (let seq = this.line.head + 1; seq <= head; seq += 1) {
      const record = this.#view.record(seq);
      if (!record) break;
      fresh.push(record);
    }
    this.line.add(fresh);
    this.total = Math.max(this.total, this.line.head);
    if (fresh.length > 0) this.version += 1;
    if (this.line.head !== head) void this.#read();
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#open && (await this.#pages()));
      if (this.#open) this.loaded = true;
    } catch (error) {
      this.error = RequestError.from(error);
    } finally {
      this.#reading = false;
      this.version += 1;
    }
  }

  /** True when there is more. */
  async #pages(): Promise<boolean> {
    const from = this.line.head;
    const wanted = Array.from({ length: PAGES_AHEAD }, (_, page) => from + page * PAGE_ENTRIES).filter(
      (after) => after === from || after < this.total,
    );
    const pages = await Promise.all(wanted.map((after) => this.#window(after)));
    const last = pages.at(-1)?.last_seq ?? 0;
    // A restored or another database may hold less of the run than was read.
    if (last < from) {
      this.line = new Timeline();
      this.total = last;
      return last > 0;
    }
    for (const page of pages) this.line.add(page.entries as JournalRecord[]);
    this.total = Math.max(last, this.line.head);
    if (performance.now() - this.#drawnAt > DRAW_MS) {
      this.version += 1;
      this.#drawnAt = performance.now();
    }
    return this.line.head > from && this.line.head < last;
  }

  async #window(after: number): Promise<WindowShown> {
    const { value } = await this.#view.session.platform.rpc<WindowShown>('run.window', {
      run: this.#view.id,
      after,
      limit: PAGE_ENTRIES,
    });
    return value;
  }
}
