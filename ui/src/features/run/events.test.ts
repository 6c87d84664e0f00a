import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Session } from '../../state/session.svelte';
import { EventTable } from './events.svelte';

interface Asked {
  around?: number;
  after?: number;
  filter?: string;
}

/** A table whose answers are given by hand, in any order. */
function table() {
  const asked: {
    params: Asked;
    answer: (seqs: number[], total?: number) => Promise<void>;
    fail: () => Promise<void>;
  }[] = [];
  const rpc = (_: string, params: Asked) =>
    new Promise((resolve, reject) => {
      asked.push({
        params,
        fail: async () => {
          reject(new Error('no answer'));
          await vi.advanceTimersByTimeAsync(0);
        },
        answer: async (seqs, total = 1_000) => {
          resolve({ value: { entries: seqs.map((seq) => ({ seq })), total, last_seq: 1_000 } });
          await vi.advanceTimersByTimeAsync(0);
        },
      });
    });
  const events = new EventTable({ platform: { rpc } } as unknown as Session, 'a run');
  return { events, asked, seqs: () => events.rows.map(({ seq }) => seq) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a number is gone to at once, words only after a pause', async () => {
  const { events, asked } = table();
  events.type('#31');
  expect(asked.map(({ params }) => params.around)).toEqual([31]);
  events.type('to');
  events.type('tool');
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked.map(({ params }) => params.filter)).toEqual([undefined, 'tool']);
});

test('what was typed last is shown, in whatever order the answers come', async () => {
  const { events, asked, seqs } = table();
  events.type('3');
  events.type('31');
  await asked[1]!.answer([30, 31, 32]);
  await asked[0]!.answer([2, 3, 4]);
  expect(seqs()).toEqual([30, 31, 32]);
  expect(events.jump).toEqual({ seq: 31 });
});

test('what was being read further on is not put behind another place', async () => {
  const { events, asked, seqs } = table();
  const opening = events.open(5);
  await asked[0]!.answer([4, 5, 6]);
  await opening;
  const reading = events.newer();
  events.type('500');
  await asked[2]!.answer([499, 500, 501]);
  await asked[1]!.answer([7, 8]);
  await reading;
  expect(seqs()).toEqual([499, 500, 501]);
  const more = events.newer();
  await asked[3]!.answer([502, 503]);
  await more;
  expect(asked[3]!.params.after).toBe(501);
  expect(seqs()).toEqual([499, 500, 501, 502, 503]);
});

test('what is wished for while another place is on its way is read after it, from there', async () => {
  const { events, asked, seqs } = table();
  const opening = events.open();
  await asked[0]!.answer([998, 999, 1_000]);
  await opening;
  events.type('31');
  events.grown();
  expect(asked).toHaveLength(2);
  await asked[1]!.answer([30, 31, 32]);
  expect(seqs()).toEqual([30, 31, 32]);
  // At the end once more, what has grown meanwhile is asked for.
  events.type('1000');
  events.grown();
  await asked[2]!.answer([998, 999, 1_000]);
  expect(asked[3]!.params.after).toBe(1_000);
  await asked[3]!.answer([1_001], 1_001);
  expect(seqs()).toEqual([998, 999, 1_000, 1_001]);
});

test('a trouble goes when the next answer comes', async () => {
  const { events, asked, seqs } = table();
  const opening = events.open();
  await asked[0]!.answer([1, 2], 2);
  await opening;
  events.grown();
  await asked[1]!.fail();
  expect(events.error).toBeDefined();
  events.grown();
  await asked[2]!.answer([3], 3);
  expect(events.error).toBeUndefined();
  expect(seqs()).toEqual([1, 2, 3]);
});
