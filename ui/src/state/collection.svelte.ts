// Reactive rows: the thin view above rows.ts that screens read.
import type { RequestError } from '../platform/platform';
import { Rows, type RowsOptions } from './rows';

export class Collection<Row, Shown = unknown> {
  readonly #rows: Rows<Row, Shown>;
  #version = $state(0);

  constructor(options: Omit<RowsOptions<Row, Shown>, 'changed'>, sort?: (a: Row, b: Row) => number) {
    this.#rows = new Rows({ ...options, changed: () => (this.#version += 1) });
    this.#sort = sort;
  }

  readonly #sort: ((a: Row, b: Row) => number) | undefined;

  /** The rows in order; a new array after each batch. */
  readonly list: Row[] = $derived.by(() => {
    void this.#version;
    const all = [...this.#rows.rows.values()];
    return this.#sort ? all.sort(this.#sort) : all;
  });

  get(id: string): Row | undefined {
    void this.#version;
    return this.#rows.rows.get(id);
  }

  get size(): number {
    void this.#version;
    return this.#rows.rows.size;
  }

  get loaded(): boolean {
    void this.#version;
    return this.#rows.loaded;
  }

  get error(): RequestError | undefined {
    void this.#version;
    return this.#rows.error;
  }

  open(): Promise<void> {
    return this.#rows.open();
  }

  retry(): void {
    this.#rows.requery();
  }

  close(): void {
    this.#rows.close();
  }
}
