// One open run: its journal, the texts on their way, what `run.show` says of it, and the acts a person has. Nothing is
// assumed: a pressed button shows its busy words until the engine's own state changes.
import { tick } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import type {
  CallText,
  DefinitionList,
  Draft,
  ForkRequest,
  JournalRecord,
  RunShown,
  When,
  WindowShown,
} from '../../bindings/types';
import type { Change, StreamText } from '../../bindings/wire';
import { announce } from '../../components/live.svelte';
import { keepSame } from '../../lib/same';
import { agentName, stepName } from '../../i18n/builtin';
import { t } from '../../i18n/i18n.svelte';
import { RequestError } from '../../platform/platform';
import type { Session } from '../../state/session.svelte';
import type { Subscriber } from '../../state/feed';
import { Streams } from '../../state/streams';
import { buildChat, standsOf, type ChatItem } from './chat';
import { isGiven } from './given';
import { HELD_ENTRIES_MAX, Journal } from './journal';
import { pathLines, type PathLine } from './path';

export type Act = 'pause' | 'stop' | 'resume' | 'fork' | 'say';

const WINDOW_ENTRIES = 200;
/** Live entries are let go in bunches, not one by one. */
const TRIM_SLACK_ENTRIES = 400;
const SHOW_AGAIN_MS = 400;
const DRAFT_MS = 300;

export class RunView {
  readonly id: string;
  readonly session: Session;
  readonly #journal = new Journal();
  readonly #streams: Streams;
  readonly #previews = new SvelteMap<number, string>();
  /** The whole of texts that came cut, by entry. */
  readonly #wholes = new SvelteMap<number, JournalRecord>();
  readonly #asked: Record<number, true> = {};
  #version = $state(0);
  #anchor = $state<number>();
  shown = $state.raw<RunShown>();
  error = $state.raw<RequestError>();
  /** An act the engine refused. */
  refused = $state.raw<RequestError>();
  loading = $state(true);
  prepended = $state(false);
  draft = $state('');
  selected = $state<number>();
  #busy = $state.raw<{ act: Act; from: string; since: number }>();
  #names = $state.raw<readonly { id: string; name: string }[]>([]);
  #closed = false;
  #reading: Promise<void> = Promise.resolve();
  #readingMore = false;
  #showTimer: ReturnType<typeof setTimeout> | undefined;
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #subscribers: Subscriber[];

  constructor(session: Session, id: string, at?: number) {
    this.session = session;
    this.id = id;
    this.#anchor = at;
    this.selected = at;
    this.#streams = new Streams(
      async (call) => (await session.platform.rpc<CallText>('call.partial', { run: id, call })).value,
      (call) => this.#preview(call),
    );
    this.#subscribers = [
      {
        topic: `run:${id}`,
        changes: (changes) => this.#live(changes),
        requery: () => void this.#again(),
        stream: (text: StreamText) => this.#streams.receive(text),
      },
      {
        topic: 'runs',
        changes: (changes) => changes.some((change) => change.id === id) && this.#showSoon(),
        requery: () => this.#showSoon(),
      },
    ];
  }

  /** The entries without a gap around the place that is read. */
  readonly records: JournalRecord[] = $derived.by(() => {
    void this.#version;
    return this.#journal.stretch(this.#anchor);
  });
  #items: readonly ChatItem[] = [];
  readonly items = $derived.by(
    () => (this.#items = keepSame(buildChat(this.records), this.#items, ({ key }) => key)),
  );
  readonly stands = $derived(standsOf(this.items));
  #path: readonly PathLine[] = [];
  readonly path = $derived.by(() => {
    const lines = this.shown ? named(pathLines(this.shown), this.shown.workflow) : [];
    return (this.#path = keepSame(lines, this.#path, ({ step }) => step.path));
  });
  readonly head = $derived.by(() => {
    void this.#version;
    // What `run.show` knows more comes with the feed; till then it is not missing here.
    return this.#journal.head || (this.shown?.head_seq ?? 0);
  });
  readonly atEnd = $derived((this.records.at(-1)?.seq ?? 0) >= this.head);

  get busy(): { act: Act; since: number } | undefined {
    return this.#busy && this.#busy.from === this.shown?.status ? this.#busy : undefined;
  }

  /** Nothing more will happen by itself. */
  get over(): boolean {
    return ['done', 'failed', 'cancelled', 'stopped'].includes(this.shown?.status ?? '');
  }

  nameOf(agent: string): string {
    return agentName(agent, this.#names.find(({ id }) => id === agent)?.name);
  }

  preview(call: number): string {
    return this.#previews.get(call) ?? '';
  }

  record(seq: number): JournalRecord | undefined {
    void this.#version;
    return this.#wholes.get(seq) ?? this.#journal.get(seq);
  }

  async open(): Promise<void> {
    const { feed } = this.session;
    await Promise.all(this.#subscribers.map((subscriber) => feed.subscribe(subscriber)));
    if (this.#closed) return;
    void this.#readNames();
    void this.#readDraft();
    await Promise.all([this.#readShown(), this.#read(this.#anchor ? { around: this.#anchor } : {})]);
    this.loading = false;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#showTimer);
    if (this.#draftTimer !== undefined) this.#keepDraft();
    for (const subscriber of this.#subscribers) this.session.feed.unsubscribe(subscriber);
  }

  async retry(): Promise<void> {
    this.error = undefined;
    this.loading = true;
    await Promise.all([this.#readShown(), this.#read({})]);
    this.loading = false;
  }

  /** Goes to an entry, reading around it if it is not held. */
  async goTo(seq: number): Promise<void> {
    if (!this.records.some((record) => record.seq === seq)) {
      this.#anchor = seq;
      if (this.#journal.get(seq)) this.#version += 1;
      else await this.#read({ around: seq });
    }
    this.selected = seq;
  }

  /** Back to the end of the run. */
  async toEnd(): Promise<void> {
    this.#anchor = undefined;
    this.#version += 1;
    if (!this.atEnd) await this.#read({});
  }

  async older(): Promise<void> {
    const first = this.records[0];
    if (!first || first.seq <= 1) return;
    await this.#more({ before: first.seq });
  }

  async newer(): Promise<void> {
    const last = this.records.at(-1);
    if (!last || this.atEnd) return;
    await this.#more({ after: last.seq });
    if (this.atEnd) this.#anchor = undefined;
  }

  /** Scrolling asks again and again for the same stretch; once is enough. */
  async #more(place: { before?: number; after?: number }): Promise<void> {
    if (this.#readingMore) return;
    this.#readingMore = true;
    await this.#read(place, place.before !== undefined);
    this.#readingMore = false;
  }

  /** Reads the whole of an entry whose text was cut on its way. */
  async whole(seq: number): Promise<JournalRecord | undefined> {
    const known = this.#wholes.get(seq);
    if (known) return known;
    if (this.#asked[seq]) return undefined;
    this.#asked[seq] = true;
    try {
      const { value } = await this.session.platform.rpc<JournalRecord>('run.entry', { run: this.id, seq });
      this.#wholes.set(seq, value);
      return value;
    } catch {
      // The cut text stays; the next look asks again.
      return undefined;
    } finally {
      delete this.#asked[seq];
    }
  }

  pause(): Promise<void> {
    return this.#act('pause', 'run.pause', { run: this.id });
  }

  stop(): Promise<void> {
    return this.#act('stop', 'run.cancel', { run: this.id });
  }

  resume(): Promise<void> {
    return this.#act('resume', 'run.resume', { run: this.id });
  }

  /** True when the words have arrived; they then stand among the queued ones. */
  async say(text: string, when: When): Promise<boolean> {
    // Another act is under way, and nothing would be sent: the words stay.
    if (this.busy || !this.shown) return false;
    await this.#act('say', 'run.say', { run: this.id, text, when });
    this.#busy = undefined;
    if (this.refused) return false;
    this.write('');
    return true;
  }

  /** @throws RequestError */
  async fork(request: Omit<ForkRequest, 'run'>): Promise<string> {
    const { value } = await this.session.platform.rpc<RunShown>('run.fork', { run: this.id, ...request });
    return value.id;
  }

  write(text: string): void {
    this.draft = text;
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => this.#keepDraft(), DRAFT_MS);
  }

  async #act(act: Act, name: string, params: object): Promise<void> {
    if (this.busy || !this.shown) return;
    this.refused = undefined;
    this.#busy = { act, from: this.shown.status, since: performance.now() };
    try {
      const { value } = await this.session.platform.rpc<Partial<RunShown>>(name, params);
      // `run.resume` answers something else; what it changed comes with the feed.
      if (value.id === this.id && value.steps) this.shown = value as RunShown;
      else await this.#readShown();
    } catch (error) {
      this.#busy = undefined;
      this.refused = RequestError.from(error);
    }
  }

  async #readShown(): Promise<void> {
    try {
      const { value } = await this.session.platform.rpc<RunShown>('run.show', { run: this.id });
      if (!this.#closed) this.shown = value;
    } catch (error) {
      if (!this.#closed) this.error = RequestError.from(error);
    }
  }

  /** At most once in a while: sums and steps may lag behind the journal by this much. */
  #showSoon(): void {
    if (this.#showTimer !== undefined || this.#closed) return;
    this.#showTimer = setTimeout(() => {
      this.#showTimer = undefined;
      void this.#readShown();
    }, SHOW_AGAIN_MS);
  }

  /** One window after the other: what a later one lays on top must not be older. */
  #read(place: { around?: number; before?: number; after?: number }, before = false): Promise<void> {
    this.#reading = this.#reading.then(() => this.#window(place, before));
    return this.#reading;
  }

  async #window(place: { around?: number; before?: number; after?: number }, before: boolean): Promise<void> {
    try {
      const { value } = await this.session.platform.rpc<WindowShown>('run.window', {
        run: this.id,
        ...place,
        limit: WINDOW_ENTRIES,
      });
      if (this.#closed) return;
      this.#take(value.entries as JournalRecord[]);
      this.#journal.head = Math.max(this.#journal.head, value.last_seq);
      for (const { call, attempt, text, offset } of value.calls)
        this.#streams.begin(call, { attempt, path: '', agent: '', text, offset });
      this.prepended = before;
      this.#version += 1;
      await this.#letGo(place.before ?? place.around ?? place.after ?? value.last_seq, before);
    } catch (error) {
      if (!this.#closed) this.error = RequestError.from(error);
    }
  }

  /**
   * Lets go what is far from `keep`, after what came has been drawn: a list that grows at one side and shrinks at the
   * other in one step cannot tell where it stood.
   */
  async #letGo(keep: number, before: boolean): Promise<void> {
    if (this.#journal.size <= HELD_ENTRIES_MAX) return;
    await tick();
    this.#journal.trim(keep);
    this.prepended = !before;
    // The end was let go: what is read stays the place, whatever comes after it.
    if (before) this.#anchor = keep;
    this.#version += 1;
    await tick();
  }

  async #again(): Promise<void> {
    this.#journal.clear();
    await Promise.all([this.#readShown(), this.#read(this.#anchor ? { around: this.#anchor } : {})]);
  }

  #live(changes: readonly Change[]): void {
    const records = changes.flatMap((change) =>
      change.op === 'upsert' && change.row ? [change.row as JournalRecord] : [],
    );
    if (records.length === 0) return;
    this.prepended = false;
    this.#take(records);
    for (const { kind, body } of records) {
      if (kind === 'message_posted' && typeof body.from === 'object')
        announce(t('run.has_answered', { agent: this.nameOf(body.from.agent) }));
      if (kind === 'task_opened') announce(t('run.task_open'));
    }
    if (this.#journal.size > HELD_ENTRIES_MAX + TRIM_SLACK_ENTRIES)
      this.#journal.trim(this.#anchor ?? this.#journal.head);
    this.#version += 1;
    this.#showSoon();
  }

  #take(records: readonly JournalRecord[]): void {
    this.#journal.put(records);
    for (const record of records) {
      if (record.kind === 'call_finished') this.#streams.finish(record.body.call);
      if (record.kind === 'call_failed' && !isGiven(record.body.retry_at))
        this.#streams.finish(record.body.call);
    }
  }

  #preview(call: number): void {
    const preview = this.#streams.previews().find((one) => one.call === call);
    if (!preview) this.#previews.delete(call);
    else this.#previews.set(call, wholeWords(preview.text));
  }

  async #readNames(): Promise<void> {
    try {
      const { value } = await this.session.platform.rpc<DefinitionList>('agents.list');
      this.#names = value.items;
    } catch {
      // Ids stand for the names.
    }
  }

  async #readDraft(): Promise<void> {
    try {
      const { value } = await this.session.platform.rpc<Draft>('drafts.get', { place: `run:${this.id}` });
      if (this.draft === '') this.draft = value.text;
    } catch {
      // A new one begins empty.
    }
  }

  #keepDraft(): void {
    clearTimeout(this.#draftTimer);
    this.#draftTimer = undefined;
    const draft: Draft = { place: `run:${this.id}`, text: this.draft };
    this.session.platform.rpc('drafts.set', draft).catch(() => undefined);
  }
}

/** New text appears by whole words; the last one waits for its end. */
export function wholeWords(text: string): string {
  const end = Math.max(text.lastIndexOf(' '), text.lastIndexOf('\n'));
  return end < 0 ? text : text.slice(0, end + 1);
}

/** Steps that ship in the person's language. */
function named(lines: PathLine[], workflow: string): PathLine[] {
  return lines.map((line) => {
    const { path, name } = line.step;
    return { ...line, step: { ...line.step, name: stepName(workflow, path, name) } };
  });
}
