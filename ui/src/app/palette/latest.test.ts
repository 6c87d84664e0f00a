import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ASK_AFTER_MS, latest } from './latest';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function asker() {
  const asked: { text: string; answer: (text: string) => void; fail: () => void }[] = [];
  const told: string[] = [];
  const search = latest(
    (text) =>
      new Promise<string>((answer, reject) => asked.push({ text, answer, fail: () => reject(new Error()) })),
    (text, answer) => told.push(`${text}: ${answer}`),
    (text) => told.push(`${text} failed`),
  );
  return { asked, told, search, texts: () => asked.map(({ text }) => text) };
}
const pass = (ms = ASK_AFTER_MS) => vi.advanceTimersByTimeAsync(ms);

test('asks once, a moment after the last key', async () => {
  const { search, texts } = asker();
  for (const text of ['f', 'fo', 'for']) {
    search.want(text);
    await pass(ASK_AFTER_MS - 1);
  }
  expect(texts()).toEqual([]);
  await pass(1);
  expect(texts()).toEqual(['for']);
});

test('has one question under way, drops its answer when it is old, and asks the newest', async () => {
  const { search, texts, asked, told } = asker();
  search.want('a');
  await pass();
  search.want('ab');
  await pass();
  search.want('abc');
  await pass();
  expect(texts()).toEqual(['a']);
  asked[0]?.answer('old');
  await pass(0);
  expect(told).toEqual([]);
  expect(texts()).toEqual(['a', 'abc']);
  asked[1]?.answer('new');
  await pass(0);
  expect(told).toEqual(['abc: new']);
});

test('asks again after a failure', async () => {
  const { search, asked, told } = asker();
  search.want('a');
  await pass();
  asked[0]?.fail();
  await pass(0);
  search.want('ab');
  await pass();
  asked[1]?.answer('x');
  await pass(0);
  expect(told).toEqual(['a failed', 'ab: x']);
});

test('tells nothing once it was stopped', async () => {
  const { search, asked, told } = asker();
  search.want('a');
  await pass();
  search.stop();
  asked[0]?.answer('x');
  await pass();
  expect(told).toEqual([]);
  expect(asked).toHaveLength(1);
});

test('asks once more what is wanted, and nothing once it is over', async () => {
  const { asked, told, search, texts } = asker();
  search.want('for');
  await pass();
  search.again();
  expect(texts()).toEqual(['for']);
  asked[0]?.answer('one');
  await pass();
  search.again();
  expect(texts()).toEqual(['for', 'for']);
  asked[1]?.answer('two');
  await pass();
  expect(told).toEqual(['for: one', 'for: two']);
  search.stop();
  search.again();
  expect(texts()).toHaveLength(2);
});
