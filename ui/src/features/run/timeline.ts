// A run as a timeline: entries folded one after the other into lanes with calls, questions and words, the steps, and what
// stood at any entry. Takes only the light part of an entry, so that a long journal fits. Pure: however the entries were cut
// into pages, the same journal gives the same timeline.
import type {
  Ask,
  CallIntended,
  JournalRecord,
  RecordKind,
  StepOutcome,
  Verdict,
} from '../../bindings/types';
import type { Idle } from './timescale';

type Entry<K extends RecordKind> = Extract<JournalRecord, { kind: K }>;

/** Attempts and calls at the same time lie under each other, up to so many; more share the last place. */
export const ROWS_MOST = 4;
/** Less than this is never called idle. */
export const IDLE_MIN_MS = 60_000;
/** Nor is a gap that is short beside the time in which something was done. */
export const IDLE_SHARE = 0.1;
export const MICRO_PER_USD = 1_000_000;

export type ItemKind = 'model' | 'tool' | 'ask' | 'said';
export type ItemState =
  | 'running'
  | 'done'
  | 'bad'
  | 'failed'
  | 'interrupted'
  | 'uncertain'
  /** A question: open, answered with no, or no longer asked. */
  | 'waiting'
  | 'denied'
  | 'dropped';

/** One bar, diamond or dot. */
export interface Item {
  /** Its place among all, in the order of their beginning. */
  id: number;
  kind: ItemKind;
  lane: Lane;
  row: number;
  /** Who makes the call or asks; absent where nobody in particular does. */
  agent?: string;
  /** The tool, or `PROVIDER/MODEL`. */
  what: string;
  /** From 1. */
  attempt: number;
  /** The entries that begin and end it. */
  from: number;
  to?: number;
  /** The entry that says most about it: what is selected with it. */
  tells: number;
  /** Unix milliseconds. */
  start: number;
  end?: number;
  state: ItemState;
  /** Millionths of a US dollar; `null`: the price is unknown. */
  micro?: number | null;
  ask?: Ask['kind'];
  verdict?: Verdict['kind'];
}

export interface Lane {
  /** `agent:ID`, `tool:NAME` or `person`. */
  key: string;
  kind: 'agent' | 'tool' | 'person';
  /** The agent's id or the tool's name. */
  name: string;
  items: Item[];
  /** How many places lie under each other. */
  rows: number;
  /** The last one of each place: only that one can still hold it. */
  last: (Item | undefined)[];
}

export interface Stretch {
  path: string;
  from: number;
  start: number;
  to?: number;
  end?: number;
  outcome?: StepOutcome['kind'];
}

/** What was so when an entry had just been written. */
export interface Standing {
  seq: number;
  at: number;
  elapsedMs: number;
  micro: number;
  /** A price until then is unknown: it is at least this much. */
  unknown: boolean;
  /** Steps of the workflow itself that were over. */
  stepsDone: number;
  /** Calls on their way. */
  atWork: Item[];
  /** Questions without an answer. */
  waiting: Item[];
}

const LANE_ORDER = { agent: 0, tool: 1, person: 2 } as const;

export class Timeline {
  readonly items: Item[] = [];
  /** Steps of the workflow itself, in the order of their beginning. */
  readonly steps: Stretch[] = [];
  readonly #lanes = new Map<string, Lane>();
  /** When each entry was written; entry 1 is the first. */
  readonly #times: number[] = [];
  /** Running sums of the cost, each with the entry from which it holds. */
  readonly #sumSeqs: number[] = [];
  readonly #sums: number[] = [];
  #unknownFrom = Infinity;
  readonly #overSeqs: number[] = [];
  readonly #overPaths = new Set<string>();
  /** The last attempt of each call, and each question, by the entry that began it. */
  readonly #calls = new Map<number, Item>();
  readonly #asks = new Map<number, Item>();
  readonly #flying = new Set<Item>();
  readonly #asking = new Set<Item>();
  readonly #byEntry = new Map<number, Item>();
  readonly #quiet: Idle[] = [];
  /** Made at the first look after new entries: a playhead that moves must not go through all of a long run. */
  #ends: ReturnType<typeof endsOf> | undefined;

  get head(): number {
    return this.#times.length;
  }

  get start(): number {
    return this.#times[0] ?? 0;
  }

  /** When the last entry was written. */
  get last(): number {
    return this.#times.at(-1) ?? 0;
  }

  get inFlight(): number {
    return this.#flying.size;
  }

  /** Agents in the order in which they came, then tools, then the person. */
  get lanes(): Lane[] {
    return [...this.#lanes.values()].sort((a, b) => LANE_ORDER[a.kind] - LANE_ORDER[b.kind]);
  }

  /** Takes the next entries, in order; known ones are passed over. False: one is missing before the rest. */
  add(records: Iterable<JournalRecord>): boolean {
    for (const record of records) {
      if (record.seq <= this.head) continue;
      if (record.seq !== this.head + 1) return false;
      this.#notice(record.at_ms);
      this.#times.push(record.at_ms);
      this.#fold(record);
      this.#ends = undefined;
    }
    return true;
  }

  timeOf(seq: number): number {
    return this.#times[Math.min(Math.max(seq, 1), this.head) - 1] ?? 0;
  }

  /** The last entry that was there at a time. */
  seqAt(time: number): number {
    return Math.max(1, countUpTo(this.#times, time));
  }

  /** The call, question or words an entry belongs to. */
  itemAt(seq: number): Item | undefined {
    return this.#byEntry.get(seq);
  }

  /** Millionths of a US dollar booked until then. */
  microAt(seq: number): number {
    return this.#sums[countUpTo(this.#sumSeqs, seq) - 1] ?? 0;
  }

  unknownAt(seq: number): boolean {
    return seq >= this.#unknownFrom;
  }

  at(seq: number): Standing {
    const place = Math.min(Math.max(seq, 1), Math.max(this.head, 1));
    const at = this.timeOf(place);
    const atWork: Item[] = [];
    const waiting: Item[] = [];
    for (const item of this.#underWay(place)) (item.kind === 'ask' ? waiting : atWork).push(item);
    return {
      seq: place,
      at,
      elapsedMs: at - this.start,
      micro: this.microAt(place),
      unknown: this.unknownAt(place),
      stepsDone: countUpTo(this.#overSeqs, place),
      atWork,
      waiting,
    };
  }

  /** Calls and questions that had begun and were not over, in their order. */
  #underWay(place: number): Item[] {
    const { lasts, open } = (this.#ends ??= endsOf(this.items));
    const found: Item[] = [];
    // Backwards from the last one that had begun, to where everything earlier was over.
    let at = countFrom(this.items, place) - 1;
    for (; at >= 0 && lasts[at]! > place; at -= 1) {
      const item = this.items[at]!;
      if (item.kind !== 'said' && item.to !== undefined && item.to > place) found.push(item);
    }
    return [...open.filter((item) => item.from <= place), ...found].sort((a, b) => a.id - b.id);
  }

  /**
   * The gaps worth compressing. A gap is one in which no call was on its way and nothing was written; while a person is
   * asked the run waits, and that is a gap as well.
   * @param now where the timeline ends when the run is still live
   */
  idle(now = this.last): Idle[] {
    const all = [...this.#quiet];
    if (this.#flying.size === 0 && now - this.last > IDLE_MIN_MS)
      all.push({ from: this.last, to: now, waiting: this.#asking.size > 0 });
    const gone = all.reduce((sum, { from, to }) => sum + to - from, 0);
    const worked = Math.max(0, now - this.start - gone);
    return all.filter(({ from, to }) => to - from > worked * IDLE_SHARE);
  }

  #notice(at: number): void {
    if (this.head === 0 || this.#flying.size > 0 || at - this.last <= IDLE_MIN_MS) return;
    this.#quiet.push({ from: this.last, to: at, waiting: this.#asking.size > 0 });
  }

  #fold(record: JournalRecord): void {
    switch (record.kind) {
      case 'call_intended':
        this.#begin(record, record.body);
        break;
      case 'call_retried':
        this.#again(record);
        break;
      case 'call_finished':
      case 'call_failed':
      case 'call_interrupted':
      case 'call_uncertain':
        this.#settle(record);
        break;
      case 'task_opened':
        this.#ask(record);
        break;
      case 'task_decided':
        this.#decide(record);
        break;
      case 'person_said':
        this.#say(record);
        break;
      case 'step_started':
      case 'step_finished':
        this.#step(record);
        break;
      case 'run_forked':
      case 'run_ended':
        this.#drop(record);
        break;
    }
  }

  #begin(record: JournalRecord, { call }: CallIntended): void {
    const { agent } = call;
    const what = call.kind === 'tool' ? call.tool : `${call.provider}/${call.model}`;
    const lane = call.kind === 'tool' ? this.#lane('tool', call.tool) : this.#lane('agent', agent);
    // A tool's caller has a lane even if its own call lies in another branch's journal.
    this.#lane('agent', agent);
    const item = this.#put({ kind: call.kind, lane, agent, what, attempt: 1, state: 'running' }, record, 0);
    this.#calls.set(record.seq, item);
    this.#flying.add(item);
  }

  #again(record: Entry<'call_retried'>): void {
    const before = this.#calls.get(record.body.call);
    if (!before) return;
    const { provider, model, attempt } = record.body;
    const { kind, lane, agent } = before;
    const what = kind === 'model' && provider && model ? `${provider}/${model}` : before.what;
    const base = { kind, lane, what, attempt, state: 'running' as const, ...(agent ? { agent } : {}) };
    const item = this.#put(base, record, before.row + 1);
    this.#flying.delete(before);
    this.#calls.set(record.body.call, item);
    this.#flying.add(item);
  }

  #settle(record: Entry<'call_finished' | 'call_failed' | 'call_interrupted' | 'call_uncertain'>): void {
    const item = this.#calls.get(record.body.call);
    if (!item) return;
    item.state = stateOf(record);
    this.#close(item, record);
    if (record.kind === 'call_uncertain') return;
    const cost =
      record.kind !== 'call_finished'
        ? record.body.cost
        : record.body.result.kind === 'model'
          ? record.body.result.cost
          : 0;
    item.micro = cost;
    if (cost === null) this.#unknownFrom = Math.min(this.#unknownFrom, record.seq);
    else if (cost !== 0) {
      this.#sumSeqs.push(record.seq);
      this.#sums.push((this.#sums.at(-1) ?? 0) + cost);
    }
  }

  #ask(record: Entry<'task_opened'>): void {
    const { ask } = record.body;
    const asOfTool = ask.kind === 'approve' || ask.kind === 'uncertain';
    const lane = asOfTool ? this.#lane('tool', ask.tool) : this.#lane('person', '');
    const what = asOfTool ? ask.tool : '';
    const agent = 'agent' in ask ? { agent: ask.agent } : {};
    const base = { kind: 'ask' as const, lane, what, attempt: 1, state: 'waiting' as const, ...agent };
    const item = this.#put({ ...base, ask: ask.kind }, record, 0);
    this.#asks.set(record.seq, item);
    this.#asking.add(item);
  }

  #decide(record: Entry<'task_decided'>): void {
    const item = this.#asks.get(record.body.task);
    if (!item) return;
    const { kind } = record.body.verdict;
    item.verdict = kind;
    item.state = kind === 'deny' || kind === 'give_up' ? 'denied' : 'done';
    this.#close(item, record);
  }

  #say(record: Entry<'person_said'>): void {
    const lane = this.#lane('person', '');
    const item = this.#put({ kind: 'said', lane, what: '', attempt: 1, state: 'done' }, record, 0);
    this.#close(item, record);
  }

  #step(record: Entry<'step_started' | 'step_finished'>): void {
    const path = record.path ?? '';
    if (path === '' || path.includes('/')) return;
    if (record.kind === 'step_started') {
      this.steps.push({ path, from: record.seq, start: record.at_ms });
      return;
    }
    if (!this.#overPaths.has(path)) {
      this.#overPaths.add(path);
      this.#overSeqs.push(record.seq);
    }
    const stretch = this.steps.findLast((step) => step.path === path && step.to === undefined);
    if (!stretch) return;
    stretch.to = record.seq;
    stretch.end = record.at_ms;
    stretch.outcome = record.body.outcome.kind;
  }

  /** A fork takes over no call and no question that was open, and nothing is on its way after the end. */
  #drop(record: JournalRecord): void {
    for (const item of [...this.#flying]) {
      item.state = 'interrupted';
      this.#close(item, record);
    }
    if (record.kind !== 'run_forked') return;
    for (const item of [...this.#asking]) {
      item.state = 'dropped';
      this.#close(item, record);
    }
  }

  #close(item: Item, record: JournalRecord): void {
    this.#flying.delete(item);
    this.#asking.delete(item);
    item.tells = record.seq;
    if (!this.#byEntry.has(record.seq)) this.#byEntry.set(record.seq, item);
    // What comes late, like a person's word on an uncertain effect, says how it ended and not how long it took.
    if (item.end !== undefined) return;
    item.to = record.seq;
    item.end = record.at_ms;
  }

  #lane(kind: Lane['kind'], name: string): Lane {
    const key = kind === 'person' ? kind : `${kind}:${name}`;
    let lane = this.#lanes.get(key);
    if (!lane) this.#lanes.set(key, (lane = { key, kind, name, items: [], rows: 1, last: [] }));
    return lane;
  }

  #put(
    given: Omit<Item, 'id' | 'row' | 'from' | 'tells' | 'start'>,
    { seq, at_ms }: JournalRecord,
    least: number,
  ): Item {
    const { lane } = given;
    const row = freeRow(lane, at_ms, least);
    const item: Item = { ...given, id: this.items.length, row, from: seq, tells: seq, start: at_ms };
    this.items.push(item);
    lane.items.push(item);
    lane.last[row] = item;
    lane.rows = Math.max(lane.rows, row + 1);
    this.#byEntry.set(seq, item);
    return item;
  }
}

function stateOf(
  record: Entry<'call_finished' | 'call_failed' | 'call_interrupted' | 'call_uncertain'>,
): ItemState {
  switch (record.kind) {
    case 'call_finished':
      return record.body.result.kind === 'tool' && record.body.result.is_error ? 'bad' : 'done';
    case 'call_failed':
      return 'failed';
    case 'call_interrupted':
      return 'interrupted';
    case 'call_uncertain':
      return 'uncertain';
  }
}

/** The uppermost place from `least` on that nothing holds at that time. */
function freeRow({ last }: Lane, at: number, least: number): number {
  const held = (item: Item | undefined) => item !== undefined && (item.end ?? Infinity) > at;
  let row = least;
  while (row < ROWS_MOST - 1 && held(last[row])) row += 1;
  return Math.min(row, ROWS_MOST - 1);
}

/** For each item the latest end among it and all before it; those without an end apart. */
function endsOf(items: readonly Item[]): { lasts: Float64Array; open: Item[] } {
  const lasts = new Float64Array(items.length);
  const open: Item[] = [];
  let last = 0;
  items.forEach((item, at) => {
    if (item.kind !== 'said') {
      if (item.to === undefined) open.push(item);
      else last = Math.max(last, item.to);
    }
    lasts[at] = last;
  });
  return { lasts, open };
}

/** How many of the items, which stand in the order of their beginnings, had begun. */
function countFrom(items: readonly Item[], place: number): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle]!.from <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many of the rising values are not above `limit`. */
export function countUpTo(values: readonly number[], limit: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
