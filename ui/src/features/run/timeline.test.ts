// What the timeline shows for which entries; that pages do not matter; and that times and places answer each other.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JournalRecord } from '../../bindings/types';
import { Timeline, type Item } from './timeline';
import { coarse, GRAIN_PX, holds, MARKS_MOST, marksOf, moved } from './timemarks';
import { fitting, scaleOf, ticksIn, timeOf, widest, xOf, type Idle } from './timescale';

const USAGE = { input_tokens: 10, output_tokens: 5 };
const RESERVE = { micro_usd: 0, tokens: 0 };
const MINUTE = 60_000;

type Told = { kind: string; body: unknown; path?: string; after?: number };

/** Entries a second apart, or `after` milliseconds. */
function journal(...told: Told[]): JournalRecord[] {
  let at = 0;
  return told.map(({ after = 1_000, ...entry }, index) => {
    at += after;
    return { v: 1, ...entry, seq: index + 1, at_ms: at } as JournalRecord;
  });
}

const created = { kind: 'run_created', body: { input: 'Go' } };
const thinks = (agent: string, over: object = {}) => ({
  kind: 'call_intended',
  path: 'a/r1',
  body: {
    call: { kind: 'model', agent, provider: 'p', model: 'm', purpose: 'turn', max_output_tokens: 9 },
    effect: 'paid',
    input: 'h',
    reserve: RESERVE,
  },
  ...over,
});
const uses = (agent: string, tool: string, over: object = {}) => ({
  kind: 'call_intended',
  path: 'a/r1',
  body: {
    call: { kind: 'tool', agent, tool, model_call: 1, index: 0, version: '1' },
    effect: 'pure',
    input: 'h',
    reserve: RESERVE,
  },
  ...over,
});
const answers = (call: number, cost: number | null = 100, over: object = {}) => ({
  kind: 'call_finished',
  body: { call, result: { kind: 'model', cost, parts: [], stop: 'done', usage: USAGE } },
  ...over,
});
const gives = (call: number, is_error = false, over: object = {}) => ({
  kind: 'call_finished',
  body: { call, result: { kind: 'tool', content: 'x', ...(is_error ? { is_error } : {}) } },
  ...over,
});
const fails = (call: number, cost: number | null = 0, over: object = {}) => ({
  kind: 'call_failed',
  body: { call, cost, error: { class: { model: 'overloaded' }, message: 'busy' }, usage: USAGE },
  ...over,
});
const retries = (call: number, attempt: number, over: object = {}) => ({
  kind: 'call_retried',
  body: { call, attempt, provider: 'p', model: 'n', reserve: RESERVE },
  ...over,
});
const asks = (tool: string, over: object = {}) => ({
  kind: 'task_opened',
  body: { ask: { kind: 'approve', agent: 'ops', tool, preview: '' } },
  ...over,
});
const decides = (task: number, kind: string, over: object = {}) => ({
  kind: 'task_decided',
  body: { task, verdict: { kind }, by: {} },
  ...over,
});
const starts = (path: string) => ({ kind: 'step_started', path, body: {} });
const ends = (path: string, kind = 'message') => ({
  kind: 'step_finished',
  path,
  body: { outcome: { kind, message: 1 } },
});

function timeline(...told: Told[]): Timeline {
  const line = new Timeline();
  expect(line.add(journal(...told))).toBe(true);
  return line;
}

const plain = ({ lane, ...item }: Item) => ({ ...item, lane: lane.key });

describe('the lanes', () => {
  it('are the agents, then the tools, then the person, each in the order in which they came', () => {
    const line = timeline(
      created,
      { kind: 'person_said', body: { text: 'Hi', when: 'now', by: 'local_ui' } },
      uses('ops', 'web.fetch'),
      thinks('bi'),
      uses('bi', 'data.table'),
    );
    expect(line.lanes.map(({ key }) => key)).toEqual([
      'agent:ops',
      'agent:bi',
      'tool:web.fetch',
      'tool:data.table',
      'person',
    ]);
  });

  it('tell a tool named like an agent, or like the person, from them', () => {
    const line = timeline(created, thinks('person'), uses('person', 'person'));
    expect(line.lanes.map(({ key }) => key)).toEqual(['agent:person', 'tool:person']);
  });
});

describe('a call', () => {
  it('lasts from its intent to its end, and costs what its end says', () => {
    const line = timeline(created, thinks('bi'), answers(2, 310, { after: 3_200 }));
    expect(line.items.map(plain)).toEqual([
      {
        id: 0,
        kind: 'model',
        lane: 'agent:bi',
        agent: 'bi',
        what: 'p/m',
        attempt: 1,
        row: 0,
        from: 2,
        to: 3,
        tells: 3,
        start: 2_000,
        end: 5_200,
        state: 'done',
        micro: 310,
      },
    ]);
    expect(line.itemAt(2)).toBe(line.items[0]);
    expect(line.itemAt(3)).toBe(line.items[0]);
    expect(line.itemAt(1)).toBeUndefined();
  });

  it('that is tried again lies under its attempt before, each with its own end', () => {
    const line = timeline(
      created,
      thinks('bi'),
      fails(2, 5),
      retries(2, 2),
      fails(2),
      retries(2, 3),
      answers(2),
    );
    expect(
      line.items.map(({ row, attempt, state, from, to }) => ({ row, attempt, state, from, to })),
    ).toEqual([
      { row: 0, attempt: 1, state: 'failed', from: 2, to: 3 },
      { row: 1, attempt: 2, state: 'failed', from: 4, to: 5 },
      { row: 2, attempt: 3, state: 'done', from: 6, to: 7 },
    ]);
    expect(line.items[2]?.what).toBe('p/n');
    expect(line.lanes[0]?.rows).toBe(3);
  });

  it('at the same time as another one in the lane lies under it', () => {
    const line = timeline(created, uses('a', 't'), uses('b', 't'), gives(2), gives(3), uses('a', 't'));
    expect(line.items.map(({ row }) => row)).toEqual([0, 1, 0]);
  });

  it('with bad news, cut off, or of unknown outcome is not done', () => {
    const line = timeline(
      created,
      uses('a', 't'),
      gives(2, true),
      uses('a', 't'),
      { kind: 'call_interrupted', body: { call: 4, cost: 0, usage: USAGE } },
      uses('a', 't'),
      { kind: 'call_uncertain', body: { call: 6, why: 'died' } },
    );
    expect(line.items.map(({ state }) => state)).toEqual(['bad', 'interrupted', 'uncertain']);
  });

  it('whose outcome is told later keeps the time it took', () => {
    const line = timeline(
      created,
      uses('a', 't'),
      { kind: 'call_uncertain', body: { call: 2, why: 'died' } },
      gives(2, false, { after: 60 * MINUTE }),
    );
    expect(line.items[0]).toMatchObject({ state: 'done', end: 3_000, to: 3, tells: 4 });
  });

  it('that was open when the run was forked or ended is cut off there', () => {
    const fork = { kind: 'run_forked', body: { parent: 'r', run: 's', at: 2, by: 'local_ui' } };
    const line = timeline(created, thinks('bi'), asks('mail'), fork);
    expect(line.items.map(({ state, to }) => ({ state, to }))).toEqual([
      { state: 'interrupted', to: 4 },
      { state: 'dropped', to: 4 },
    ]);
    expect(line.at(4)).toMatchObject({ atWork: [], waiting: [] });
  });
});

describe('a question', () => {
  it('about a tool stands in its lane from the asking to the answer', () => {
    const line = timeline(created, asks('email.send'), decides(2, 'deny'));
    expect(line.items.map(plain)).toMatchObject([
      { kind: 'ask', lane: 'tool:email.send', from: 2, to: 3, state: 'denied', verdict: 'deny', tells: 3 },
    ]);
  });

  it('of an agent stands in the lane of the person', () => {
    const line = timeline(created, {
      kind: 'task_opened',
      body: { ask: { kind: 'answer', agent: 'ops', question: 'Which?' } },
    });
    expect(line.items.map(plain)).toMatchObject([{ kind: 'ask', lane: 'person', state: 'waiting' }]);
  });
});

describe('what stood at an entry', () => {
  const line = timeline(
    created,
    starts('a'),
    thinks('bi'),
    answers(3, 310),
    thinks('ops'),
    asks('mail'),
    answers(5, 1_000),
    ends('a'),
    starts('b'),
    starts('b/inner'),
    ends('b/inner'),
    ends('skip', 'skipped'),
    fails(3, null),
  );

  it('is the cost booked until then', () => {
    expect([1, 3, 4, 6, 7, 13].map((seq) => line.at(seq).micro)).toEqual([0, 0, 310, 310, 1_310, 1_310]);
    expect([12, 13].map((seq) => line.at(seq).unknown)).toEqual([false, true]);
  });

  it('is the steps of the workflow that were over, and not those inside of them', () => {
    expect([7, 8, 11, 12].map((seq) => line.at(seq).stepsDone)).toEqual([0, 1, 1, 2]);
  });

  it('is who was at work, and what waited for an answer', () => {
    const working = (seq: number) => line.at(seq).atWork.map(({ agent }) => agent);
    expect([2, 3, 4, 6, 7].map(working)).toEqual([[], ['bi'], [], ['ops'], []]);
    expect([5, 6, 13].map((seq) => line.at(seq).waiting.length)).toEqual([0, 1, 1]);
  });

  it('is that of the nearest entry outside of the journal', () => {
    expect(line.at(0).seq).toBe(1);
    expect(line.at(99).seq).toBe(13);
    expect(new Timeline().at(1)).toMatchObject({ micro: 0, stepsDone: 0, atWork: [] });
  });
});

describe('idle gaps', () => {
  it('are long ones in which nothing was on its way', () => {
    const line = timeline(
      created,
      thinks('bi'),
      answers(2),
      asks('mail', { after: 2_000 }),
      decides(4, 'approve', { after: 120 * MINUTE }),
      thinks('bi'),
      answers(6, 1, { after: 10 * MINUTE }),
      thinks('bi', { after: 15 * MINUTE }),
    );
    expect(line.idle()).toEqual([
      { from: 5_000, to: 5_000 + 120 * MINUTE, waiting: true },
      { from: 6_000 + 130 * MINUTE, to: 6_000 + 145 * MINUTE, waiting: false },
    ]);
  });

  it('are not short ones, nor short beside the work', () => {
    expect(timeline(created, thinks('bi', { after: 50_000 })).idle()).toEqual([]);
    const long = timeline(
      created,
      thinks('bi'),
      answers(2, 1, { after: 600 * MINUTE }),
      thinks('bi', { after: 2 * MINUTE }),
    );
    expect(long.idle()).toEqual([]);
  });

  it('reach until now while a live run waits', () => {
    const line = timeline(created, asks('mail'));
    expect(line.idle(10 * MINUTE)).toEqual([{ from: 2_000, to: 10 * MINUTE, waiting: true }]);
    expect(timeline(created, thinks('bi')).idle(10 * MINUTE)).toEqual([]);
  });
});

/** A journal of a run that makes, fails, retries and asks at random. */
const told = fc
  .array(
    fc.record({
      what: fc.constantFrom(
        'model',
        'tool',
        'finish',
        'fail',
        'retry',
        'ask',
        'decide',
        'said',
        'start',
        'end',
      ),
      pick: fc.nat(50),
      after: fc.oneof(fc.nat(5_000), fc.nat(3 * 60 * MINUTE)),
    }),
    { maxLength: 120 },
  )
  .map((acts) => {
    const calls: number[] = [];
    const tasks: number[] = [];
    const out: Told[] = [created];
    for (const { what, pick, after } of acts) {
      const seq = out.length + 1;
      const of = (all: number[]) => all[pick % Math.max(1, all.length)] ?? 1;
      const when = { after };
      if (what === 'model') out.push(thinks(`agent${pick % 4}`, when));
      if (what === 'tool') out.push(uses(`agent${pick % 4}`, `tool${pick % 5}`, when));
      if (what === 'model' || what === 'tool') calls.push(seq);
      if (what === 'finish') out.push(answers(of(calls), pick === 7 ? null : pick, when));
      if (what === 'fail') out.push(fails(of(calls), pick, when));
      if (what === 'retry') out.push(retries(of(calls), 2, when));
      if (what === 'ask') tasks.push(seq);
      if (what === 'ask') out.push(asks(`tool${pick % 5}`, when));
      if (what === 'decide') out.push(decides(of(tasks), 'approve', when));
      if (what === 'said') out.push({ kind: 'person_said', body: { text: 'x' }, ...when });
      if (what === 'start') out.push({ ...starts(`s${pick % 6}`), ...when });
      if (what === 'end') out.push({ ...ends(`s${pick % 6}`), ...when });
    }
    return journal(...out);
  });

describe('for any journal', () => {
  it('the pages it came in do not matter, nor entries that come twice', () => {
    fc.assert(
      fc.property(told, fc.array(fc.nat(40), { maxLength: 10 }), (records, cuts) => {
        const whole = new Timeline();
        whole.add(records);
        const parts = new Timeline();
        let at = 0;
        for (const cut of cuts) {
          parts.add(records.slice(Math.max(0, at - 3), at + cut));
          at += cut;
        }
        parts.add(records.slice(Math.max(0, at - 3)));
        parts.add(records);
        expect(parts.items.map(plain)).toEqual(whole.items.map(plain));
        expect(parts.steps).toEqual(whole.steps);
        for (const { seq } of records) expect(parts.at(seq).micro).toBe(whole.at(seq).micro);
      }),
    );
  });

  it('a prefix tells the same of its entries as the whole', () => {
    fc.assert(
      fc.property(told, fc.nat(120), (records, cut) => {
        const whole = new Timeline();
        whole.add(records);
        const part = new Timeline();
        part.add(records.slice(0, cut + 1));
        const seq = part.head;
        const brief = (line: Timeline) => {
          const { atWork, waiting, ...rest } = line.at(seq);
          return { ...rest, atWork: atWork.map(({ id }) => id), waiting: waiting.map(({ id }) => id) };
        };
        expect(brief(whole)).toEqual(brief(part));
      }),
    );
  });

  it('bars of one place do not cover each other, unless there are more than places', () => {
    fc.assert(
      fc.property(told, (records) => {
        const line = new Timeline();
        line.add(records);
        for (const lane of line.lanes) {
          if (lane.rows >= 4) continue;
          for (let row = 0; row < lane.rows; row += 1) {
            const own = lane.items.filter((item) => item.row === row);
            own.slice(1).forEach((item, index) => {
              expect(own[index]!.end ?? Infinity).toBeLessThanOrEqual(item.start);
            });
          }
        }
      }),
    );
  });

  it('a missing page is noticed, and nothing after it is taken', () => {
    const line = new Timeline();
    const records = journal(created, thinks('bi'), answers(2));
    expect(line.add([records[0]!, records[2]!])).toBe(false);
    expect(line.head).toBe(1);
  });
});

/** A span with idle gaps in it, in order. */
const spans = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 1e7 }), fc.integer({ min: 1, max: 1e9 })), { maxLength: 12 })
  .chain((parts) => fc.tuple(fc.constant(parts), fc.nat(1e7), fc.nat(1e12)))
  .map(([parts, tail, from]) => {
    let at = from;
    const idle: Idle[] = parts.map(([work, gap]) => {
      const start = at + work;
      at = start + gap;
      return { from: start, to: at, waiting: false };
    });
    return { from, to: at + tail, idle };
  });

const worked = ({ from, to, idle }: { from: number; to: number; idle: Idle[] }) =>
  idle.reduce((sum, gap) => sum - (gap.to - gap.from), to - from);

describe('times and places', () => {
  const widths = fc.integer({ min: 200, max: 3_000 });

  it('answer each other', () => {
    fc.assert(
      fc.property(spans, widths, fc.double({ min: 0, max: 1, noNaN: true }), (span, width, share) => {
        const scale = scaleOf(span, fitting(span, width), width);
        const x = share * scale.width;
        expect(xOf(scale, timeOf(scale, x))).toBeCloseTo(x, 2);
        const t = span.from + share * (span.to - span.from);
        expect(Math.abs(timeOf(scale, xOf(scale, t)) - t)).toBeLessThan(1);
      }),
    );
  });

  it('rise together, and both ends are at the ends', () => {
    fc.assert(
      fc.property(
        spans,
        widths,
        fc.array(fc.double({ min: -0.1, max: 1.1, noNaN: true })),
        (span, width, shares) => {
          const scale = scaleOf(span, fitting(span, width), width);
          expect(xOf(scale, span.from)).toBe(0);
          expect(timeOf(scale, 0)).toBe(span.from);
          if (worked(span) >= 1_000) expect(xOf(scale, span.to)).toBe(scale.width);
          else expect(scale.width).toBeGreaterThanOrEqual(xOf(scale, span.to));
          const times = shares
            .map((share) => span.from + share * (span.to - span.from))
            .sort((a, b) => a - b);
          const places = times.map((t) => xOf(scale, t));
          places.slice(1).forEach((x, index) => expect(x).toBeGreaterThanOrEqual(places[index]!));
          for (const x of places) expect(x >= 0 && x <= scale.width).toBe(true);
        },
      ),
    );
  });

  it('fit the view when all is to be seen, and no gap is drawn to scale', () => {
    fc.assert(
      fc.property(spans, widths, (span, width) => {
        const scale = scaleOf(span, fitting(span, width), width);
        expect(scale.width).toBeLessThanOrEqual(width + 0.01);
        expect(scale.gaps.length).toBe(span.idle.length);
        for (const gap of scale.gaps) {
          expect(xOf(scale, gap.to) - xOf(scale, gap.from)).toBeCloseTo(gap.width, 3);
          expect(gap.width).toBeLessThanOrEqual(72);
        }
        expect(widest(span, width)).toBeGreaterThanOrEqual(fitting(span, width));
      }),
    );
  });

  it('have round ticks apart from each other and never inside of a gap', () => {
    fc.assert(
      fc.property(spans, widths, (span, width) => {
        const scale = scaleOf(span, fitting(span, width), width);
        const ticks = ticksIn(scale, 0, scale.width);
        expect(ticks.length).toBeLessThanOrEqual(width / 42 + span.idle.length + 2);
        for (const { t } of ticks) {
          expect((t - span.from) % 1_000).toBe(0);
          expect(scale.gaps.some((gap) => gap.from < t && t < gap.to)).toBe(false);
        }
      }),
    );
  });
});

describe('what is drawn', () => {
  const many = () => {
    const out: Told[] = [created];
    for (let n = 0; n < 2_000; n += 1)
      out.push(uses('a', 't', { after: 10 }), gives(out.length + 1, n === 5, { after: 10 }));
    return timeline(...out);
  };
  const viewOf = (line: Timeline, width: number, zoom = 1) => {
    const span = { from: line.start, to: line.last, idle: line.idle() };
    const scale = scaleOf(span, fitting(span, width) * zoom, width);
    return { scale, now: line.last, from: 0, to: width, grain: GRAIN_PX };
  };

  it('is no more than the view has room for, and stands for every item', () => {
    const line = many();
    const lane = line.lanes.find(({ kind }) => kind === 'tool')!;
    const marks = marksOf(lane, viewOf(line, 800));
    expect(marks.length).toBeLessThanOrEqual(800 / GRAIN_PX);
    expect(marks.reduce((sum, mark) => sum + mark.count, 0)).toBe(2_000);
    expect(marks.reduce((sum, mark) => sum + mark.bad, 0)).toBe(1);
    expect(lane.items.every((item) => marks.filter((mark) => holds(mark, item)).length === 1)).toBe(true);
  });

  it('is only what is in view, and what has the focus', () => {
    const line = many();
    const lane = line.lanes.find(({ kind }) => kind === 'tool')!;
    const view = viewOf(line, 800, 200);
    const near = marksOf(lane, view);
    expect(near.length).toBeGreaterThan(2);
    expect(near.length).toBeLessThan(40);
    const far = lane.items[1_500]!;
    expect(near.some((mark) => holds(mark, far))).toBe(false);
    expect(marksOf(lane, view, far).some((mark) => holds(mark, far))).toBe(true);
  });

  it('is never more than the document may hold, whatever the run and the zoom', () => {
    fc.assert(
      fc.property(
        told,
        fc.integer({ min: 300, max: 2_400 }),
        fc.integer({ min: 1, max: 500 }),
        (records, width, zoom) => {
          const line = new Timeline();
          line.add(records);
          const { lanes } = line;
          const grain = coarse(lanes.length, width);
          const view = { ...viewOf(line, width, zoom), grain };
          const marks = lanes.flatMap((lane) => marksOf(lane, view));
          const rows = Math.max(1, ...lanes.map((lane) => lane.rows));
          // Calls and signs are joined apart, and each lane may show one more at both edges.
          expect(marks.length).toBeLessThanOrEqual((rows + 1) * (MARKS_MOST + 2 * lanes.length));
          for (const lane of lanes) {
            const whole = marksOf(lane, { ...view, from: -Infinity, to: Infinity });
            expect(whole.reduce((sum, mark) => sum + mark.count, 0)).toBe(lane.items.length);
            for (const item of lane.items) expect(whole.filter((mark) => holds(mark, item)).length).toBe(1);
          }
        },
      ),
    );
  });

  it('is left by arrow keys in time and between lanes', () => {
    const line = timeline(
      created,
      thinks('bi'),
      answers(2),
      uses('bi', 't'),
      gives(4),
      thinks('ops'),
      answers(6),
    );
    const view = viewOf(line, 800);
    const [bi, tool, ops] = line.items as [Item, Item, Item];
    const to = (item: Item, key: Parameters<typeof moved>[2]) => moved(line.lanes, item, key, view)?.first;
    expect(to(bi, 'ArrowRight')).toBeUndefined();
    expect(to(bi, 'ArrowDown')).toBe(ops);
    expect(to(ops, 'ArrowDown')).toBe(tool);
    expect(to(tool, 'ArrowUp')).toBe(ops);
    expect(to(bi, 'ArrowUp')).toBeUndefined();
    const later = timeline(created, thinks('bi'), answers(2), thinks('bi', { after: 30_000 }), answers(4));
    const [first, second] = later.items as [Item, Item];
    const next = (item: Item, key: Parameters<typeof moved>[2]) =>
      moved(later.lanes, item, key, viewOf(later, 800))?.first;
    expect(next(first, 'ArrowRight')).toBe(second);
    expect(next(second, 'ArrowLeft')).toBe(first);
    expect(next(first, 'End')).toBe(second);
    expect(next(second, 'Home')).toBe(first);
  });
});

describe('a long journal', () => {
  it('answers any place of it', () => {
    const out: Told[] = [created];
    while (out.length < 100_000)
      out.push(thinks(`a${out.length % 7}`, { after: 40 }), answers(out.length + 1, 3, { after: 40 }));
    const line = timeline(...out);
    const spent = (seq: number) => 3 * Math.max(0, Math.floor((seq - 1) / 2));
    for (let seq = 1; seq <= line.head; seq += 5_003) expect(line.at(seq).micro).toBe(spent(seq));
    expect(line.at(100_000).micro).toBe(3 * 49_999);
  });
});
