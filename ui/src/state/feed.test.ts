// The feed client against a model of the engine: whatever is dropped, repeated, reordered or restarted on the way, the rows
// of the client end equal to the engine's.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Change, FeedEvent, Place } from '../bindings/wire';
import { RequestError, type Answer, type Platform } from '../platform/platform';
import { Feed, type Later } from './feed';
import { judge } from './place';
import { Rows } from './rows';

interface Row {
  id: string;
  value: number;
}

const LAST_SENT_WHOLE = 7;

/** The engine's side: rows, a log of changes, and one watch. */
class Engine {
  epoch = 'a';
  rows = new Map<string, Row>();
  log: Change[] = [];
  /** What has been sent but not yet delivered. */
  wire: FeedEvent[] = [];
  sent = 0;
  acks = 0;
  /** Queries under way: each answers when the test lets it. */
  queries: (() => void)[] = [];
  watches = 0;
  topics: string[] = [];
  onEvent: ((event: unknown) => void) | undefined;
  onEnd: ((error?: RequestError) => void) | undefined;

  place(): Place {
    return { epoch: this.epoch, pos: this.log.length, change: this.log.length };
  }

  change(id: string, value: number | undefined): void {
    const at = { topic: 'runs', id };
    if (value === undefined) {
      this.rows.delete(id);
      this.log.push({ ...at, op: 'delete' });
    } else {
      const row = { id, value };
      this.rows.set(id, row);
      // Some rows the engine leaves to the list: the change then only says that there is news.
      this.log.push(value > LAST_SENT_WHOLE ? { ...at, op: 'upsert' } : { ...at, op: 'upsert', row });
    }
  }

  /** Sends what is new as one batch. */
  flush(): void {
    if (this.sent === this.log.length) return;
    const cursor = (at: number) => ({ pos: at, change: at });
    const changes = this.log.slice(this.sent);
    this.wire.push({
      event: 'batch',
      epoch: this.epoch,
      from: cursor(this.sent),
      to: cursor(this.log.length),
      changes,
    });
    this.sent = this.log.length;
  }

  /** Another database was opened. */
  restore(): void {
    this.epoch += 'a';
    this.rows = new Map([['restored', { id: 'restored', value: this.epoch.length }]]);
    this.log = [];
    this.sent = 0;
    this.wire.push({ event: 'reset', epoch: this.epoch, pos: 0, change: 0 });
  }

  platform(): Platform {
    const rpc = async <T>(name: string, params?: object): Promise<Answer<T>> => {
      if (name === 'changes.ack') this.acks += 1;
      if (name === 'changes.tune') this.topics = (params as { topics: string[] }).topics;
      if (name !== 'run.list') return { value: undefined as T };
      const at = this.place();
      const value = [...this.rows.values()] as T;
      await new Promise<void>((resolve) => this.queries.push(resolve));
      return { value, at };
    };
    return {
      kind: 'web',
      caller: 'local_ui',
      capabilities: { decide: true, native: false },
      rpc,
      watch: (_name, params, onEvent, onEnd) => {
        const asked = params as Place & { topics: string[] };
        this.watches += 1;
        this.topics = asked.topics;
        this.onEvent = onEvent;
        this.onEnd = onEnd;
        const goesOn = asked.epoch === this.epoch && asked.pos <= this.log.length;
        this.sent = goesOn ? asked.pos : this.log.length;
        const at = { epoch: this.epoch, pos: this.sent, change: this.sent };
        onEvent({ event: 'open', watch: this.watches, ...at });
        return () => undefined;
      },
      onLink: () => () => undefined,
      openLink: () => Promise.resolve(),
      save: () => Promise.resolve({}),
      copy: () => Promise.resolve(),
      drawn: () => undefined,
    };
  }
}

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

function client(engine: Engine) {
  const waiting: (() => void)[] = [];
  const later: Later = {
    after: (_ms, then) => {
      waiting.push(then);
      return () => undefined;
    },
  };
  const platform = engine.platform();
  const feed = new Feed(platform, later);
  const rows = new Rows<Row, Row[]>({
    feed,
    topic: 'runs',
    query: () => platform.rpc<Row[]>('run.list'),
    rowsOf: (all) => all.map((row) => [row.id, row] as const),
    changed: () => undefined,
  });
  return { feed, rows, waiting };
}

type Step =
  | { do: 'change'; id: string; value: number | undefined }
  | { do: 'flush' | 'deliver' | 'drop' | 'repeat' | 'swap' | 'answer' | 'restore' | 'cut' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      value: fc.option(fc.nat(9), { nil: undefined }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.constantFrom<Step>({ do: 'flush' }, { do: 'deliver' }, { do: 'deliver' }, { do: 'answer' }),
  },
  { weight: 3, arbitrary: fc.constantFrom<Step>({ do: 'drop' }, { do: 'repeat' }, { do: 'swap' }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'restore' }, { do: 'cut' }) },
);

function perform(engine: Engine, waiting: (() => void)[], now: Step): void {
  const { wire } = engine;
  switch (now.do) {
    case 'change':
      return engine.change(now.id, now.value);
    case 'flush':
      return engine.flush();
    case 'deliver': {
      const event = wire.shift();
      if (event) engine.onEvent?.(event);
      return;
    }
    case 'drop':
      // A reset is the one event whose loss ends the watch; the transport keeps order and completeness for it.
      if (wire[0]?.event === 'batch') wire.shift();
      return;
    case 'repeat':
      if (wire[0]) wire.unshift(wire[0]);
      return;
    case 'swap':
      if (wire[0]?.event === 'batch' && wire[1]?.event === 'batch') [wire[0], wire[1]] = [wire[1], wire[0]];
      return;
    case 'answer':
      return engine.queries.shift()?.();
    case 'restore':
      return engine.restore();
    case 'cut': {
      wire.length = 0;
      engine.onEnd?.(new RequestError({ code: 'connection_lost', message: 'cut' }));
      for (const then of waiting.splice(0)) then();
    }
  }
}

describe('the feed client', () => {
  it('ends equal to the engine whatever happens on the way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const engine = new Engine();
        engine.change('a', 1);
        const { rows, waiting } = client(engine);
        const opened = rows.open();
        await settle();
        for (const now of steps) {
          perform(engine, waiting, now);
          await settle();
        }
        // One more change shows a loss at the end; then everything arrives.
        engine.change('z', 1);
        engine.flush();
        while (engine.wire.length > 0 || engine.queries.length > 0) {
          const event = engine.wire.shift();
          if (event) engine.onEvent?.(event);
          engine.queries.shift()?.();
          await settle();
        }
        await opened;
        expect([...rows.rows.values()].sort((a, b) => a.id.localeCompare(b.id))).toEqual(
          [...engine.rows.values()].sort((a, b) => a.id.localeCompare(b.id)),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('acknowledges each batch it was sent', async () => {
    const engine = new Engine();
    const { rows } = client(engine);
    void rows.open();
    await settle();
    engine.queries.shift()?.();
    for (const value of [1, 2, 3]) {
      engine.change('a', value);
      engine.flush();
      engine.onEvent?.(engine.wire.shift());
    }
    await settle();
    expect(engine.acks).toBe(3);
    expect(rows.rows.get('a')).toEqual({ id: 'a', value: 3 });
  });

  it('carries the topics of everybody who is there', async () => {
    const engine = new Engine();
    const { feed, rows } = client(engine);
    void rows.open();
    await settle();
    const other = { topic: 'run:r_1', changes: () => undefined, requery: () => undefined };
    await feed.subscribe(other);
    expect(engine.topics).toEqual(['run:r_1', 'runs']);
    feed.unsubscribe(other);
    await settle();
    expect(engine.topics).toEqual(['runs']);
    expect(engine.watches).toBe(1);
  });

  it('opens again where it was when the connection drops', async () => {
    const engine = new Engine();
    const { feed, rows, waiting } = client(engine);
    void rows.open();
    await settle();
    engine.queries.shift()?.();
    await settle();
    engine.change('a', 7);
    engine.onEnd?.(new RequestError({ code: 'connection_lost', message: 'cut' }));
    for (const then of waiting.splice(0)) then();
    engine.flush();
    engine.onEvent?.(engine.wire.shift());
    await settle();
    expect(engine.queries).toHaveLength(0);
    expect(rows.rows.get('a')).toEqual({ id: 'a', value: 7 });
    expect(feed.place).toEqual(engine.place());
  });

  it('keeps an error of its query until a retry succeeds', async () => {
    const engine = new Engine();
    const platform = engine.platform();
    let refuse = true;
    const rows = new Rows<Row, Row[]>({
      feed: new Feed(platform),
      topic: 'runs',
      query: () =>
        refuse ? Promise.reject({ code: 'busy', message: 'later' }) : Promise.resolve({ value: [] }),
      rowsOf: (all) => all.map((row) => [row.id, row] as const),
      changed: () => undefined,
    });
    await rows.open();
    expect(rows.error).toMatchObject({ code: 'busy' });
    refuse = false;
    rows.requery();
    await settle();
    expect(rows.error).toBeUndefined();
    expect(rows.loaded).toBe(true);
  });
});

describe('a batch', () => {
  const at = { epoch: 'a', pos: 4, change: 9 };
  const batch = (from: [number, number], to: [number, number], epoch = 'a') => ({
    epoch,
    from: { pos: from[0], change: from[1] },
    to: { pos: to[0], change: to[1] },
  });
  it.each([
    ['that begins here', batch([4, 9], [5, 9]), 'apply'],
    ['that is contained', batch([2, 8], [4, 9]), 'drop'],
    ['that begins later', batch([5, 9], [6, 9]), 'requery'],
    ['that is ahead in one number only', batch([3, 8], [3, 10]), 'requery'],
    ['of another epoch', batch([4, 9], [5, 9], 'b'), 'requery'],
  ] as const)('%s', (_name, one, verdict) => expect(judge(at, one)).toBe(verdict));
});
