// The part of a run's journal that this window holds: windows and live entries put together by their `seq`. Whatever the order
// in which they come, the same entries give the same stretches. Plain TypeScript.
import type { JournalRecord } from '../../bindings/types';

interface Span {
  from: number;
  to: number;
}

/** More entries than this are not held; the far side is let go and read again when it is wanted. */
export const HELD_ENTRIES_MAX = 4_000;

export class Journal {
  readonly #records = new Map<number, JournalRecord>();
  /** In order, with at least one missing entry between two of them. */
  #spans: Span[] = [];
  /** The last entry the engine has told of. */
  head = 0;

  put(records: Iterable<JournalRecord>): void {
    for (const record of records) {
      this.#records.set(record.seq, record);
      this.#widen(record.seq);
      this.head = Math.max(this.head, record.seq);
    }
  }

  get(seq: number): JournalRecord | undefined {
    return this.#records.get(seq);
  }

  get size(): number {
    return this.#records.size;
  }

  /** The entries without a gap around `at`; without a place, those at the end. Empty if `at` is not held. */
  stretch(at?: number): JournalRecord[] {
    const span =
      at === undefined ? this.#spans.at(-1) : this.#spans.find(({ from, to }) => from <= at && at <= to);
    if (!span) return [];
    const out: JournalRecord[] = [];
    for (let seq = span.from; seq <= span.to; seq += 1) {
      const record = this.#records.get(seq);
      if (record) out.push(record);
    }
    return out;
  }

  /** Lets entries go that lie farther than the limit from `keep`. */
  trim(keep: number, most = HELD_ENTRIES_MAX): void {
    if (this.#records.size <= most) return;
    const near = [...this.#records.keys()]
      .sort((a, b) => Math.abs(a - keep) - Math.abs(b - keep))
      .slice(most);
    for (const seq of near) this.#records.delete(seq);
    const left = [...this.#records.keys()].sort((a, b) => a - b);
    this.#spans = [];
    for (const seq of left) this.#widen(seq);
  }

  clear(): void {
    this.#records.clear();
    this.#spans = [];
    this.head = 0;
  }

  #widen(seq: number): void {
    const spans = this.#spans;
    let at = spans.length;
    while (at > 0 && spans[at - 1]!.from > seq) at -= 1;
    const before = spans[at - 1];
    const after = spans[at];
    if (before && seq <= before.to) return;
    const joinsBefore = before?.to === seq - 1;
    const joinsAfter = after?.from === seq + 1;
    if (joinsBefore && joinsAfter) {
      before.to = after.to;
      spans.splice(at, 1);
    } else if (joinsBefore) before.to = seq;
    else if (joinsAfter) after.from = seq;
    else spans.splice(at, 0, { from: seq, to: seq });
  }
}
