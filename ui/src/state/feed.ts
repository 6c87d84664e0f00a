// The client of the change feed: one watch per window, whatever the screens need in it. It keeps the place, judges batches,
// acknowledges them, and tells subscribers to query again when something was missed. Plain TypeScript; nothing reactive.
import type { Change, FeedEvent, Place, StreamText } from '../bindings/wire';
import type { Cancel, Platform, RequestError } from '../platform/platform';
import { judge } from './place';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

export interface Subscriber {
  topic: string;
  /** Changes of the topic, in order, with the place they lead to. */
  changes(changes: Change[], to: Place): void;
  /** Something was missed: read the rows again. */
  requery(): void;
  stream?(text: StreamText): void;
}

/** Timers are passed in so that tests need none. */
export interface Later {
  after(ms: number, then: () => void): Cancel;
}

const realTime: Later = {
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

export class Feed {
  readonly #platform: Platform;
  readonly #later: Later;
  readonly #subscribers = new Set<Subscriber>();
  #place: Place = { epoch: '', pos: 0, change: 0 };
  #watch: number | undefined;
  #cancel: Cancel = () => undefined;
  #retry: Cancel = () => undefined;
  #wait = FIRST_WAIT_MS;
  #visible = true;
  #tuned = '';
  #tuning: Promise<void> = Promise.resolve();
  #ready: (() => void)[] = [];
  #closed = false;
  #started = false;

  constructor(platform: Platform, later: Later = realTime) {
    this.#platform = platform;
    this.#later = later;
  }

  get place(): Place {
    return this.#place;
  }

  /** Adds a subscriber; resolves when the feed carries its topic, so that a query made then misses nothing. */
  async subscribe(subscriber: Subscriber): Promise<void> {
    this.#subscribers.add(subscriber);
    if (!this.#started) {
      this.#started = true;
      this.#open();
    }
    if (this.#watch === undefined) await new Promise<void>((resolve) => this.#ready.push(resolve));
    await this.#tune();
  }

  unsubscribe(subscriber: Subscriber): void {
    if (this.#subscribers.delete(subscriber)) void this.#tune();
  }

  /** A hidden window is told once a second instead of at each frame. */
  setVisible(visible: boolean): void {
    if (visible === this.#visible) return;
    this.#visible = visible;
    void this.#tune();
  }

  close(): void {
    this.#closed = true;
    this.#retry();
    this.#cancel();
  }

  #topics(): string[] {
    return [...new Set([...this.#subscribers].map((subscriber) => subscriber.topic))].sort();
  }

  #open(): void {
    if (this.#closed) return;
    const request = { ...this.#place, topics: this.#topics(), visible: this.#visible };
    this.#tuned = JSON.stringify([request.topics, request.visible]);
    this.#cancel = this.#platform.watch(
      'changes.watch',
      request,
      (event) => this.#receive(event as FeedEvent),
      (error) => this.#lost(error),
    );
  }

  #lost(_error?: RequestError): void {
    this.#watch = undefined;
    this.#retry = this.#later.after(this.#wait, () => this.#open());
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }

  /** One after the other: of two on their way the older could be heard last, and its topics would stand. */
  #tune(): Promise<void> {
    this.#tuning = this.#tuning.then(() => this.#tuneNow());
    return this.#tuning;
  }

  async #tuneNow(): Promise<void> {
    const watch = this.#watch;
    const wanted = { topics: this.#topics(), visible: this.#visible };
    const key = JSON.stringify([wanted.topics, wanted.visible]);
    if (watch === undefined || key === this.#tuned) return;
    this.#tuned = key;
    try {
      await this.#platform.rpc('changes.tune', { watch, ...wanted });
    } catch {
      // The watch is gone; its end opens a new one with the topics wanted then.
      if (this.#watch === watch) this.#tuned = '';
    }
  }

  #receive(event: FeedEvent): void {
    switch (event.event) {
      case 'open': {
        const before = this.#place;
        this.#watch = event.watch;
        this.#wait = FIRST_WAIT_MS;
        // A watch that goes on from our place sends what we missed; any other start means rows may be older than it.
        const goesOn =
          before.epoch === event.epoch && before.pos === event.pos && before.change === event.change;
        this.#place = { epoch: event.epoch, pos: event.pos, change: event.change };
        if (before.epoch !== '' && !goesOn) this.#requeryAll();
        for (const resolve of this.#ready.splice(0)) resolve();
        void this.#tune();
        break;
      }
      case 'batch': {
        const verdict = judge(this.#place, event);
        if (verdict !== 'drop') this.#place = { epoch: event.epoch, ...event.to };
        if (verdict === 'apply') this.#apply(event.changes);
        if (verdict === 'requery') this.#requeryAll();
        this.#acknowledge(event.to);
        break;
      }
      case 'stream':
        for (const subscriber of this.#subscribers)
          if (subscriber.topic === `run:${event.run}`) subscriber.stream?.(event);
        break;
      case 'reset':
        this.#place = { epoch: event.epoch, pos: event.pos, change: event.change };
        this.#requeryAll();
        break;
    }
  }

  #apply(changes: Change[]): void {
    const byTopic = new Map<string, Change[]>();
    for (const change of changes) {
      const list = byTopic.get(change.topic);
      if (list) list.push(change);
      else byTopic.set(change.topic, [change]);
    }
    for (const subscriber of this.#subscribers) {
      const mine = byTopic.get(subscriber.topic);
      if (mine) subscriber.changes(mine, this.#place);
    }
  }

  #requeryAll(): void {
    for (const subscriber of this.#subscribers) subscriber.requery();
  }

  #acknowledge(to: { pos: number; change: number }): void {
    if (this.#watch === undefined) return;
    // A lost acknowledgement ends the watch on the other side; its end is what we act on.
    this.#platform.rpc('changes.ack', { watch: this.#watch, to }).catch(() => undefined);
  }
}
