import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestError, type LinkState } from './platform';
import { SEND_WITHIN_MS, socketPlatform } from './web';

class Socket {
  static readonly OPEN = 1;
  static dialled: Socket[] = [];
  readyState = 0;
  sent: { id: number; name?: string }[] = [];
  onopen?: () => void;
  onmessage?: (message: { data: string }) => void;
  onclose?: () => void;

  constructor() {
    Socket.dialled.push(this);
  }

  send(frame: string) {
    this.sent.push(JSON.parse(frame) as { id: number; name?: string });
  }

  open() {
    this.readyState = Socket.OPEN;
    this.onopen?.();
  }

  close() {
    this.readyState = 3;
    this.onclose?.();
  }

  static get last(): Socket {
    return Socket.dialled.at(-1)!;
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  Socket.dialled = [];
  vi.stubGlobal('WebSocket', Socket);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function platform() {
  const states: LinkState[] = [];
  const made = socketPlatform('local_person', () => new Socket() as unknown as WebSocket);
  made.onLink((state) => states.push(state));
  return { made, states };
}
const failure = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: unknown) => RequestError.from(error).code,
  );

test('a request that cannot be sent is given back in time, and never sent later', async () => {
  const { made, states } = platform();
  Socket.last.open();
  Socket.last.close();
  expect(states.at(-1)).toBe('lost');
  const call = failure(made.rpc('run.say', { text: 'hello' }));
  await vi.advanceTimersByTimeAsync(SEND_WITHIN_MS);
  expect(await call).toBe('not_sent');
  for (const socket of Socket.dialled.slice(1)) socket.close();
  await vi.advanceTimersByTimeAsync(20_000);
  Socket.last.open();
  expect(Socket.last.sent).toEqual([]);
});

test('a request that can be sent in time is sent once', async () => {
  const { made } = platform();
  Socket.last.open();
  Socket.last.close();
  const call = failure(made.rpc('run.say'));
  await vi.advanceTimersByTimeAsync(SEND_WITHIN_MS - 1);
  Socket.last.open();
  await vi.advanceTimersByTimeAsync(SEND_WITHIN_MS);
  expect(Socket.last.sent.map(({ name }) => name)).toEqual(['run.say']);
  Socket.last.onmessage?.({ data: JSON.stringify({ id: Socket.last.sent[0]!.id, value: 1 }) });
  expect(await call).toBe('done');
});

test('the feed waits for as long as it takes', async () => {
  const { made } = platform();
  const ended = vi.fn();
  made.watch('changes.watch', {}, () => undefined, ended);
  await vi.advanceTimersByTimeAsync(60_000);
  Socket.last.open();
  expect(ended).not.toHaveBeenCalled();
  expect(Socket.last.sent.map(({ name }) => name)).toEqual(['changes.watch']);
});

test('a request dials at once where the next dial is seconds away', async () => {
  const { made } = platform();
  for (let tries = 0; tries < 6; tries += 1) {
    Socket.last.close();
    await vi.advanceTimersByTimeAsync(8_000);
  }
  Socket.last.close();
  await vi.advanceTimersByTimeAsync(1_500);
  const before = Socket.dialled.length;
  const calls = [failure(made.rpc('a')), failure(made.rpc('b'))];
  expect(Socket.dialled.length).toBe(before + 1);
  await vi.advanceTimersByTimeAsync(SEND_WITHIN_MS);
  expect(await Promise.all(calls)).toEqual(['not_sent', 'not_sent']);
});
