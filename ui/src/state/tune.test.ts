import { expect, test } from 'vitest';
import type { Platform } from '../platform/platform';
import { Feed, type Subscriber } from './feed';

test('topics are sent one list after the other, so that the newest stands last', async () => {
  const waiting: { topics: string[]; answer: () => void }[] = [];
  const platform = {
    rpc: (_: string, params: { topics: string[] }) =>
      new Promise((resolve) => {
        waiting.push({ topics: params.topics, answer: () => resolve({ value: {} }) });
      }),
    watch: (_: string, __: object, onEvent: (event: unknown) => void) => {
      queueMicrotask(() => onEvent({ event: 'open', watch: 1, epoch: 'e', pos: 0, change: 0 }));
      return () => undefined;
    },
  } as unknown as Platform;
  const feed = new Feed(platform);
  const on = (topic: string): Subscriber => ({ topic, changes: () => undefined, requery: () => undefined });
  const [runs, agents] = [on('runs'), on('agents')];
  void feed.subscribe(on('settings'));
  await new Promise((resolve) => setTimeout(resolve));
  void feed.subscribe(runs);
  await new Promise((resolve) => setTimeout(resolve));
  feed.unsubscribe(runs);
  void feed.subscribe(agents);
  await new Promise((resolve) => setTimeout(resolve));
  expect(waiting.map(({ topics }) => topics)).toEqual([['runs', 'settings']]);
  waiting[0]?.answer();
  await new Promise((resolve) => setTimeout(resolve));
  expect(waiting.map(({ topics }) => topics)).toEqual([
    ['runs', 'settings'],
    ['agents', 'settings'],
  ]);
});
