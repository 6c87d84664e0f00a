// What the chat shows for which entries, and that it does not depend on the order in which they were loaded.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JournalRecord } from '../../bindings/types';
import { keepSame } from '../../lib/same';
import { buildChat, standsOf, targetOf, type ChatItem } from './chat';
import { Journal } from './journal';
import { editable, endOf, inspect } from './inspect';
import { stepAt } from './path';
import { wholeWords } from './view.svelte';

const USAGE = { input_tokens: 10, output_tokens: 5 };
const RESERVE = { micro_usd: 0, tokens: 0 };

/** Entries with `seq` by their place; a second apart. */
function journal(
  ...entries: { kind: string; body: unknown; path?: string; cut?: boolean }[]
): JournalRecord[] {
  return entries.map(
    (entry, index) => ({ v: 1, ...entry, seq: index + 1, at_ms: (index + 1) * 1_000 }) as JournalRecord,
  );
}

const created = { kind: 'run_created', body: { by: 'local_ui', input: 'Find ice', workflow: 'w' } };
const chosen = (path: string, agent: string, by = 'round_robin') => ({
  kind: 'speaker_chosen',
  path,
  body: { agent, by },
});
const thinks = (path: string, agent: string, purpose = 'turn') => ({
  kind: 'call_intended',
  path,
  body: {
    call: { kind: 'model', agent, provider: 'p', model: 'm', purpose, max_output_tokens: 9 },
    effect: 'paid',
    input: 'h',
    reserve: RESERVE,
  },
});
const uses = (path: string, agent: string, model_call: number, index: number, tool = 'web.fetch') => ({
  kind: 'call_intended',
  path,
  body: {
    call: { kind: 'tool', agent, model_call, index, tool, version: '1' },
    effect: 'pure',
    input: 'h',
    reserve: RESERVE,
  },
});
const text = (words: string) => ({ type: 'text', text: words });
const asks = (url: string) => ({
  type: 'tool_call',
  id: url,
  name: 'web.fetch',
  args: JSON.stringify({ url }),
});
const answers = (path: string, call: number, ...parts: object[]) => ({
  kind: 'call_finished',
  path,
  body: { call, result: { kind: 'model', cost: 120, parts, stop: 'done', usage: USAGE } },
});
const gives = (path: string, call: number, content: string, is_error = false) => ({
  kind: 'call_finished',
  path,
  body: { call, result: { kind: 'tool', content, is_error } },
});
const fails = (path: string, call: number, over: object = {}) => ({
  kind: 'call_failed',
  path,
  body: {
    call,
    cost: null,
    error: { class: { model: 'overloaded' }, message: 'busy' },
    usage: USAGE,
    ...over,
  },
});
const posts = (path: string, agent: string, call: number) => ({
  kind: 'message_posted',
  path,
  body: { from: { agent }, call },
});

/** An item in one line: what a reader would name of it. */
function line(item: ChatItem): string {
  switch (item.kind) {
    case 'said':
      return `you: ${item.text}${item.heard ? '' : ' (queued)'}`;
    case 'note':
      return `-- ${item.note.kind}`;
    case 'task':
      return `? ${item.ask.kind} ${item.decided?.verdict.kind ?? 'open'}`;
    case 'turn': {
      const parts = item.parts.map((part) => {
        if (part.kind === 'text') return part.text;
        if (part.kind === 'writing') return `…${part.attempt}`;
        if (part.kind === 'footnote') return `*${part.note.kind}`;
        return part.calls.map((call) => `[${call.target} ${call.state}]`).join('');
      });
      return `${item.agent}: ${parts.join(' | ')}`;
    }
  }
}

function check(name: string, entries: JournalRecord[], expected: string[]): void {
  it(name, () => expect(buildChat(entries).map(line)).toEqual(expected));
}

describe('the chat of a run', () => {
  check('begins with the wish', journal(created), ['you: Find ice']);
  check(
    'shows what an agent said once, whatever posts it',
    journal(
      chosen('s/r1', 'bi'),
      thinks('s/r1', 'bi'),
      answers('s/r1', 2, text('Ice is dear.')),
      posts('s/r1', 'bi', 2),
    ),
    ['bi: Ice is dear.'],
  );
  check('has a place for text on its way', journal(thinks('s/r1', 'bi')), ['bi: …1']);
  check(
    'keeps what broke off as a footnote beside the text that came after',
    journal(
      thinks('s/r1', 'bi'),
      fails('s/r1', 1, { partial: 'Ice i', retry_at: 9 }),
      { kind: 'call_retried', path: 's/r1', body: { call: 1, attempt: 2, reserve: RESERVE } },
      answers('s/r1', 1, text('Ice is dear.')),
    ),
    ['bi: *failed | Ice is dear.'],
  );
  check(
    'waits for the second attempt after the first broke off',
    journal(thinks('s/r1', 'bi'), fails('s/r1', 1, { retry_at: 9 }), {
      kind: 'call_retried',
      path: 's/r1',
      body: { call: 1, attempt: 2, reserve: RESERVE },
    }),
    ['bi: *failed | …2'],
  );
  check(
    'says nothing is on its way after the last attempt',
    journal(thinks('s/r1', 'bi'), fails('s/r1', 1)),
    ['bi: *failed'],
  );
  check(
    'puts tool calls of one turn into one group, with the state of each',
    journal(
      thinks('s/r1', 'bi'),
      answers('s/r1', 1, asks('https://a.example'), asks('https://b.example')),
      uses('s/r1', 'bi', 1, 0),
      gives('s/r1', 3, 'found'),
      uses('s/r1', 'bi', 1, 1),
      thinks('s/r1', 'bi'),
      answers('s/r1', 6, asks('https://c.example')),
    ),
    ['bi: [a.example done][b.example running][c.example asked]'],
  );
  check(
    'marks a tool that came back with bad news, and one that is refused',
    journal(
      thinks('s/r1', 'bi'),
      answers('s/r1', 1, asks('https://a.example'), asks('https://b.example')),
      uses('s/r1', 'bi', 1, 0),
      gives('s/r1', 3, '404', true),
      {
        kind: 'tool_assessed',
        path: 's/r1',
        body: { model_call: 1, index: 1, verdict: { kind: 'refuse', message: 'no' } },
      },
    ),
    ['bi: [a.example bad][b.example refused]'],
  );
  check(
    'shows a question and what became of it',
    journal(
      {
        kind: 'task_opened',
        path: 's/r1',
        body: { ask: { kind: 'answer', agent: 'bi', question: 'Where?' } },
      },
      {
        kind: 'task_opened',
        path: 's/r1',
        body: { ask: { kind: 'answer', agent: 'bi', question: 'When?' } },
      },
      {
        kind: 'task_decided',
        body: { by: 'local_ui', task: 1, verdict: { kind: 'answer', text: 'Mombasa' } },
      },
    ),
    ['? answer answer', '? answer open'],
  );
  check(
    'tells words that are heard from words that wait',
    journal(
      { kind: 'person_said', body: { by: 'local_ui', text: 'Cheaper', when: 'now' } },
      { kind: 'person_said', body: { by: 'local_ui', text: 'Greener', when: 'at_end' } },
      { kind: 'message_posted', path: 's', body: { from: 'person', said: 1 } },
    ),
    ['you: Cheaper', 'you: Greener (queued)'],
  );
  check(
    'notes who a model chose, and is silent about turns in order',
    journal(chosen('s/r1', 'bi'), chosen('s/r2', 'sm', 'model'), thinks('s', 'manager', 'select')),
    ['-- chosen'],
  );
  check(
    'shows what a fork says instead, with a footnote',
    journal(thinks('s/r1', 'bi'), answers('s/r1', 1, text('Old')), posts('s/r1', 'bi', 1), {
      kind: 'edited',
      body: { replace: 2, edit: { text: 'New' } },
    }),
    ['bi: New | *edited'],
  );
  check(
    'keeps branches that work at the same time apart',
    journal(
      thinks('s/a/r1', 'bi'),
      thinks('s/b/r1', 'ti'),
      answers('s/a/r1', 1, text('A')),
      answers('s/b/r1', 2, text('B')),
    ),
    ['bi: A', 'ti: B'],
  );
  check(
    'passes over kinds it does not know',
    journal(created, { kind: 'moon_rose', body: { how: 'slowly' } }),
    ['you: Find ice'],
  );

  it('stands on every text and tool call in order', () => {
    const items = buildChat(
      journal(
        created,
        thinks('s/r1', 'bi'),
        answers('s/r1', 2, text('Hm'), asks('https://a.example')),
        uses('s/r1', 'bi', 2, 0),
      ),
    );
    expect(standsOf(items)).toEqual([
      { seq: 1, item: 0 },
      { seq: 3, item: 1 },
      { seq: 4, item: 1 },
    ]);
  });
});

/** A run of many turns that uses everything above. */
function longRun(turns: number): JournalRecord[] {
  const entries: Parameters<typeof journal> = [created];
  for (let turn = 1; turn <= turns; turn += 1) {
    const path = `s/r${turn}`;
    entries.push(chosen(path, 'bi', turn % 3 === 0 ? 'model' : 'round_robin'), thinks(path, 'bi'));
    const call = entries.length;
    if (turn % 4 === 0) {
      entries.push(fails(path, call, { partial: 'x', retry_at: 1 }), {
        kind: 'call_retried',
        path,
        body: { call, attempt: 2, reserve: RESERVE },
      });
    }
    entries.push(
      answers(path, call, text(`Turn ${turn}`), asks('https://a.example')),
      uses(path, 'bi', call, 0),
    );
    entries.push(gives(path, entries.length, 'found'), posts(path, 'bi', call));
  }
  return journal(...entries);
}

describe('windows of the journal', () => {
  it('give the same chat in whatever order and however often they are loaded', () => {
    const all = longRun(20);
    const whole = buildChat(all);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.infiniteStream(fc.nat()),
        fc.array(fc.tuple(fc.nat(all.length), fc.integer({ min: 1, max: 40 })), { maxLength: 8 }),
        (size, dice, extra) => {
          const windows: [number, number][] = extra.map(([from, count]) => [from, from + count]);
          for (let from = 0; from < all.length; from += size) windows.push([from, from + size]);
          const order = windows.map((one) => ({ one, at: dice.next().value })).sort((a, b) => a.at - b.at);
          const loaded = new Journal();
          for (const { one } of order) loaded.put(all.slice(...one));
          expect(buildChat(loaded.stretch())).toEqual(whole);
          expect(buildChat(loaded.stretch(all.length >> 1))).toEqual(whole);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('are apart until what lies between them is there', () => {
    const all = longRun(4);
    const loaded = new Journal();
    loaded.put(all.slice(0, 5));
    loaded.put(all.slice(10, 15));
    const seqs = (at?: number) => loaded.stretch(at).map(({ seq }) => seq);
    expect(seqs(2)).toEqual([1, 2, 3, 4, 5]);
    expect(seqs()).toEqual([11, 12, 13, 14, 15]);
    expect(seqs(8)).toEqual([]);
    loaded.put(all.slice(5, 10));
    expect(seqs(1)).toHaveLength(15);
  });

  it('let go what is far from the place that is kept, and stay whole there', () => {
    const all = longRun(30);
    const loaded = new Journal();
    loaded.put(all);
    loaded.trim(all.length, 40);
    expect(loaded.size).toBe(40);
    expect(loaded.stretch().map(({ seq }) => seq)).toEqual(all.slice(-40).map(({ seq }) => seq));
  });
});

describe('what stays as it was', () => {
  const keyOf = ({ key }: ChatItem) => key;
  const all = journal(
    created,
    chosen('s/r1', 'bi'),
    thinks('s/r1', 'bi'),
    answers('s/r1', 3, text('Ice')),
    chosen('s/r2', 'ops'),
    thinks('s/r2', 'ops'),
    answers('s/r2', 6, text('Salt')),
  );

  it('is the same object after each new entry, and what changed is not', () => {
    let before: readonly ChatItem[] = [];
    for (let n = 1; n <= all.length; n += 1) {
      const anew = buildChat(all.slice(0, n));
      const kept = keepSame(anew, before, keyOf);
      expect(kept).toEqual(anew);
      for (const item of before.slice(0, -1)) expect(kept).toContain(item);
      before = kept;
    }
    expect(keepSame(buildChat(all), before, keyOf).map((item, at) => item === before[at])).toEqual([
      true,
      true,
      true,
    ]);
  });

  it('is not, if one word of it is another', () => {
    const other = journal(
      created,
      chosen('s/r1', 'bi'),
      thinks('s/r1', 'bi'),
      answers('s/r1', 3, text('Salt')),
    );
    const before = buildChat(all.slice(0, 4));
    const kept = keepSame(buildChat(other), before, keyOf);
    expect(kept[0]).toBe(before[0]);
    expect(kept[1]).not.toBe(before[1]);
    expect(kept).toEqual(buildChat(other));
  });
});

describe('small rules', () => {
  it.each([
    ['{"url":"https://a.example/x"}', 'a.example/x'],
    ['{"limit":3,"query":"ice  price"}', 'ice price'],
    ['{"n":1}', ''],
    ['{"url":"cut', ''],
    ['[]', ''],
  ])('the target of %s is "%s"', (args, target) => expect(targetOf(args)).toBe(target));

  it.each([
    ['Ice is de', 'Ice is '],
    ['Ice', 'Ice'],
    ['', ''],
  ])('of "%s" the words "%s" are whole', (streamed, shown) => expect(wholeWords(streamed)).toBe(shown));

  it('the inspector puts an end and its intent together', () => {
    const all = journal(thinks('s/r1', 'bi'), answers('s/r1', 1, text('Ice')));
    expect(inspect(all[1]!, (seq) => all[seq - 1])).toMatchObject({
      agent: 'bi',
      model: 'p/m',
      cost: 0.00012,
      elapsedMs: 1_000,
      tokensIn: 10,
      state: 'done',
    });
    expect(editable(all[1]!)).toEqual({ field: 'text', text: 'Ice' });
    expect(editable(all[0]!)).toBeUndefined();
  });

  it('a path lies in the deepest step that begins it, by whole names', () => {
    const at = (path: string) => ({ step: { path }, depth: 0, mark: 'run', current: true, number: 1 });
    const lines = ['a', 'a/b', 'ab'].map(at) as unknown as Parameters<typeof stepAt>[0];
    expect(stepAt(lines, 'a/b/r1')?.step.path).toBe('a/b');
    expect(stepAt(lines, 'ab/r2')?.step.path).toBe('ab');
    expect(stepAt(lines, 'c')).toBeUndefined();
  });
});

it('counts what a file holds, not what the tool said of it', () => {
  const write = { type: 'tool_call', id: 'w', name: 'file.write', args: '{"path":"a.md","content":"Größe"}' };
  const records = journal(
    created,
    thinks('s/r1', 'ops'),
    answers('s/r1', 2, write, asks('https://ice.example')),
    uses('s/r1', 'ops', 2, 0, 'file.write'),
    { kind: 'call_finished', body: { call: 4, result: { kind: 'tool', content: 'Written.' } }, path: 's/r1' },
    uses('s/r1', 'ops', 2, 1),
    { kind: 'call_finished', body: { call: 6, result: { kind: 'tool', content: 'abc' } }, path: 's/r1' },
  );
  const [lines] = buildChat(records).flatMap((item) =>
    item.kind === 'turn' ? item.parts.flatMap((part) => (part.kind === 'tools' ? [part.calls] : [])) : [],
  );
  expect(lines?.map(({ bytes }) => bytes)).toEqual([7, 3]);
});

it('says of the beginning of a call what became of it', () => {
  const records = journal(
    created,
    thinks('s/r1', 'ops'),
    thinks('s/r1', 'sales'),
    answers('s/r1', 2, text('Done.')),
  );
  const at = (seq: number) => records[seq - 1];
  const state = (seq: number) => {
    const record = at(seq);
    return record && inspect(record, at, endOf(seq, records)).state;
  };
  expect([state(2), state(3)]).toEqual(['done', 'run']);
  expect(inspect(records[2] as JournalRecord, at, 'unknown').state).toBeUndefined();
});
