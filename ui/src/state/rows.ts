// The rows of one topic, kept equal to the engine's: a query, then changes on top. Changes that arrive while a query is under
// way are held and laid over its answer. Plain TypeScript; collection.svelte.ts makes it reactive.
import type { Change, Place } from '../bindings/wire';
import type { Answer } from '../platform/platform';
import { RequestError } from '../platform/platform';
import type { Feed, Subscriber } from './feed';
import { within } from './place';

export interface RowsOptions<Row, Shown> {
  feed: Feed;
  topic: string;
  query: () => Promise<Answer<Shown>>;
  /** The rows of an answer, by id. */
  rowsOf: (shown: Shown) => Iterable<readonly [string, Row]>;
  /** A changed row that does not belong (a filter); it is removed. */
  belongs?: (row: Row) => boolean;
  changed: () => void;
}

export class Rows<Row, Shown = unknown> implements Subscriber {
  readonly topic: string;
  readonly rows = new Map<string, Row>();
  error: RequestError | undefined;
  loaded = false;
  readonly #options: RowsOptions<Row, Shown>;
  #held: { changes: Change[]; to: Place }[] | undefined;
  #queries = 0;
  #closed = false;

  constructor(options: RowsOptions<Row, Shown>) {
    this.#options = options;
    this.topic = options.topic;
  }

  async open(): Promise<void> {
    await this.#options.feed.subscribe(this);
    await this.#query();
  }

  close(): void {
    this.#closed = true;
    this.#options.feed.unsubscribe(this);
  }

  changes(changes: Change[], to: Place): void {
    if (this.#held) this.#held.push({ changes, to });
    this.#lay(changes);
    this.#options.changed();
    // While a query is under way its answer decides whether another is needed.
    if (!this.#held && changes.some(isOnlyNews)) this.requery();
  }

  requery(): void {
    void this.#query();
  }

  /** Resolves when the latest query has been answered. */
  async #query(): Promise<void> {
    const mine = ++this.#queries;
    this.#held = [];
    try {
      const answer = await this.#options.query();
      // A later query was started: its answer is the one that counts.
      if (mine !== this.#queries || this.#closed) return;
      const held = this.#held;
      this.#held = undefined;
      this.rows.clear();
      for (const [id, row] of this.#options.rowsOf(answer.value)) this.rows.set(id, row);
      let isOld = false;
      for (const { changes, to } of held ?? []) {
        const contained = answer.at !== undefined && answer.at.epoch === to.epoch && within(to, answer.at);
        if (contained) continue;
        this.#lay(changes);
        isOld ||= changes.some(isOnlyNews);
      }
      this.error = undefined;
      this.loaded = true;
      if (isOld) this.requery();
    } catch (error) {
      if (mine !== this.#queries || this.#closed) return;
      this.#held = undefined;
      this.error = RequestError.from(error);
    }
    this.#options.changed();
  }

  #lay(changes: Change[]): void {
    for (const change of changes) {
      if (isOnlyNews(change)) continue;
      const row = change.row as Row | undefined;
      const stays = change.op === 'upsert' && row !== undefined && (this.#options.belongs?.(row) ?? true);
      if (stays) this.rows.set(change.id, row);
      else this.rows.delete(change.id);
    }
  }
}

/** Rows made of many things (agents, workflows, providers, settings) come without themselves: the list is asked for again. */
function isOnlyNews(change: Change): boolean {
  return change.op === 'upsert' && (change.row === undefined || change.row === null);
}
