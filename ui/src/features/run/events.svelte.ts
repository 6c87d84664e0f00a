// The events of a run as a table over windows of the journal: only some hundred entries are held, the rest is read when it
// comes near. A filter is the engine's; a number alone goes to that entry.
import { tick } from 'svelte';
import type { JournalRecord, WindowShown } from '../../bindings/types';
import { RequestError } from '../../platform/platform';
import type { Session } from '../../state/session.svelte';

const WINDOW_ENTRIES = 200;
const HELD_ENTRIES_MAX = 1_000;
/** How long nothing more is typed until the engine is asked for what fits; a number needs no such pause. */
const TYPED_MS = 250;

/** `31` or `#31`. */
export function placeIn(filter: string): number | undefined {
  const found = /^#?(\d{1,9})$/.exec(filter.trim());
  const seq = Number(found?.[1]);
  return found && seq > 0 ? seq : undefined;
}

export class EventTable {
  readonly #session: Session;
  readonly #run: string;
  rows = $state.raw<JournalRecord[]>([]);
  total = $state(0);
  /** Place of the first row among all that fit. */
  first = $state(0);
  prepended = $state(false);
  loaded = $state(false);
  error = $state.raw<RequestError>();
  filter = $state('');
  /** Goes up when the table was read anew and stands at another place. */
  jump = $state.raw<{ seq: number }>();
  #asked = '';
  #atEnd = true;
  /** The turn for which more is being read; 0: none is. */
  #reading = 0;
  #stale = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Goes up whenever the table is read anew; what was asked for before that no longer fits. */
  #turn = 0;
  /** The turn whose rows are shown; nothing is read on from them while another is on its way. */
  #shown = 0;

  constructor(session: Session, run: string) {
    this.#session = session;
    this.#run = run;
  }

  /** The engine cannot read the filter: asking again changes nothing. */
  get misread(): boolean {
    return this.#asked !== '' && this.error?.code === 'usage.invalid';
  }

  get atEnd(): boolean {
    return this.#atEnd;
  }

  open(at?: number): Promise<void> {
    return this.#anew(at === undefined ? {} : { around: at }, at);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  type(text: string): void {
    this.filter = text;
    clearTimeout(this.#timer);
    const at = placeIn(text);
    const ask = () => {
      this.#asked = at === undefined ? text.trim() : '';
      void this.#anew(at === undefined ? {} : { around: at }, at);
    };
    if (at === undefined) this.#timer = setTimeout(ask, TYPED_MS);
    else ask();
  }

  older(): Promise<void> {
    const first = this.rows[0];
    return first && this.first > 0 ? this.#more({ before: first.seq }) : Promise.resolve();
  }

  newer(): Promise<void> {
    const last = this.rows.at(-1);
    return last && !this.#atEnd ? this.#more({ after: last.seq }) : Promise.resolve();
  }

  /** The journal has grown. */
  grown(): void {
    if (!this.loaded) return;
    if (this.#shown !== this.#turn) {
      this.#stale = true;
      return;
    }
    if (!this.#atEnd) {
      if (this.#asked === '') this.total = Math.max(this.total, this.first + this.rows.length + 1);
      return;
    }
    const last = this.rows.at(-1);
    void this.#more(last ? { after: last.seq } : {});
  }

  async #anew(place: { around?: number }, jump?: number): Promise<void> {
    const turn = ++this.#turn;
    try {
      const value = await this.#window(place);
      if (turn !== this.#turn) return;
      const rows = value.entries as JournalRecord[];
      this.prepended = false;
      this.rows = rows;
      this.total = value.total;
      const last = rows.at(-1)?.seq ?? 0;
      this.#atEnd = place.around === undefined || last >= value.last_seq;
      this.first =
        this.#asked === '' ? Math.max(0, (rows[0]?.seq ?? 1) - 1) : Math.max(0, value.total - rows.length);
      this.error = undefined;
      this.#shown = turn;
      if (jump !== undefined) this.jump = { seq: jump };
    } catch (error) {
      if (turn !== this.#turn) return;
      this.error = RequestError.from(error);
    }
    this.loaded = true;
    this.#catchUp();
  }

  async #more(place: { before?: number; after?: number }): Promise<void> {
    const turn = this.#turn;
    if (this.#shown !== turn || this.#reading === turn) {
      this.#stale = true;
      return;
    }
    this.#reading = turn;
    try {
      await this.#read(place, () => turn === this.#turn);
    } catch (error) {
      if (turn === this.#turn) this.error = RequestError.from(error);
    } finally {
      if (this.#reading === turn) this.#reading = 0;
    }
    if (turn === this.#turn) this.#catchUp();
  }

  /** The journal has grown while something was being read. */
  #catchUp(): void {
    if (!this.#stale) return;
    this.#stale = false;
    this.grown();
  }

  async #read(place: { before?: number; after?: number }, stillFits: () => boolean): Promise<void> {
    const value = await this.#window(place);
    if (!stillFits()) return;
    this.error = undefined;
    const [low, high] = [this.rows[0]?.seq ?? 0, this.rows.at(-1)?.seq ?? 0];
    const fresh = (value.entries as JournalRecord[]).filter(({ seq }) => seq < low || seq > high);
    this.total = value.total;
    // First what came is drawn, then the far side goes: a list that does both in one step loses its place.
    const before = place.before !== undefined;
    this.prepended = before;
    if (before) this.first = Math.max(0, this.first - fresh.length);
    this.rows = before ? [...fresh, ...this.rows] : [...this.rows, ...fresh];
    const over = this.rows.length - HELD_ENTRIES_MAX;
    if (over > 0) {
      await tick();
      if (!stillFits()) return;
      this.prepended = !before;
      if (!before) this.first += over;
      this.rows = before ? this.rows.slice(0, HELD_ENTRIES_MAX) : this.rows.slice(over);
      await tick();
      if (!stillFits()) return;
    }
    this.#atEnd = this.first + this.rows.length >= value.total;
  }

  async #window(place: object): Promise<WindowShown> {
    const { value } = await this.#session.platform.rpc<WindowShown>('run.window', {
      run: this.#run,
      ...place,
      limit: WINDOW_ENTRIES,
      ...(this.#asked === '' ? {} : { filter: this.#asked }),
    });
    return value;
  }
}

/** One entry a line, as tools read it. */
export function jsonLines(records: readonly JournalRecord[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}
