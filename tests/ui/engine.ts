// An engine for browser tests: answers the WebSocket of `bwana serve` inside the page. Test code only; the product talks to
// the real one.
import type { Page, WebSocketRoute } from '@playwright/test';

export interface FakeEngine {
  /** Every request in order. */
  calls: { name: string; params: Record<string, unknown> }[];
  /** Answers by command; a function gets the params. What is missing answers `unknown_command`. */
  answers: Record<string, unknown>;
  /** Commands that fail, with the error they answer. */
  refusals: Record<string, { code: string; message: string; hint?: string; details?: unknown }>;
  /** Sends a batch of changes to the page's watch. */
  change(
    changes: {
      topic: string;
      id: string;
      op: 'upsert' | 'delete';
      row?: unknown;
    }[],
  ): void;
  /** Sends any other event to the page's watch, like text on its way. */
  tell(event: object): void;
  /** From now on a command of this name is not answered until `answerTo`. */
  pending(name: string): void;
  /** Sends an event to the last such command. */
  tellOf(name: string, event: object): void;
  /** Answers the last such command. */
  answerTo(name: string, value: unknown): void;
  /** Ends the connection as a dropped network does. */
  drop(): Promise<void>;
  /** Ends the connection, and no dial is answered until the returned call: the engine was killed. */
  kill(): Promise<() => Promise<void>>;
}

const EMPTY_DAY = {
  day: '2026-11-20',
  time_zone: 'Africa/Nairobi',
  runs: 6,
  runs_done: 5,
  live: 0,
  waiting: 1,
  spent: 0.42,
  reserved: 0,
  limit: 1,
  bytes_in: 1_200_000,
  bytes_out: 80_000,
  unpriced_calls: 0,
  troubled_providers: [],
};

export const HEALTHY = {
  mode: 'normal',
  free_bytes: 80_000_000_000,
  reserve_bytes: 0,
  since: null,
};

export function settings(values: Record<string, unknown>) {
  return {
    settings: Object.entries(values).map(([key, value]) => ({ key, value })),
  };
}

export async function fakeEngine(page: Page, answers: Record<string, unknown> = {}): Promise<FakeEngine> {
  let socket: WebSocketRoute | undefined;
  let watch = 0;
  let at = 1;
  /** Commands that wait for their answer, and the number of the last of each. */
  const waiting = new Map<string, number>();
  const engine: FakeEngine = {
    calls: [],
    refusals: {},
    answers: {
      'settings.show': settings({
        language: 'en',
        region: 'KE',
        time_zone: 'Africa/Nairobi',
      }),
      'usage.today': EMPTY_DAY,
      'tasks.list': { tasks: [] },
      'home.health': HEALTHY,
      'search.find': { runs: [], messages: [], files: [], ready: true },
      'updates.show': {
        version: '0.1.0',
        database_format: 5,
        source: null,
        checked_at: null,
        newer: null,
        installed: null,
        runs: 0,
        previous: null,
        backup: null,
      },
      'changes.tune': {},
      'changes.ack': {},
      ...answers,
    },
    change(changes) {
      const [from, to] = [at, at + 1];
      at = to;
      const cursor = (pos: number) => ({ pos, change: pos });
      const event = {
        event: 'batch',
        epoch: 'e1',
        from: cursor(from),
        to: cursor(to),
        changes,
      };
      socket?.send(JSON.stringify({ id: watch, event }));
    },
    tell(event) {
      socket?.send(JSON.stringify({ id: watch, event }));
    },
    pending(name) {
      waiting.set(name, -1);
    },
    tellOf(name, event) {
      socket?.send(JSON.stringify({ id: waiting.get(name), event }));
    },
    answerTo(name, value) {
      socket?.send(JSON.stringify({ id: waiting.get(name), value }));
    },
    async drop() {
      await socket?.close();
    },
    async kill() {
      await page.evaluate(() => {
        const given = window.WebSocket;
        class Refused {
          readyState = 3;
          onclose?: () => void;
          constructor() {
            setTimeout(() => this.onclose?.(), 1);
          }
        }
        const refused = Object.assign(Refused, { OPEN: given.OPEN }) as unknown as typeof WebSocket;
        Object.assign(window, { WebSocket: refused, givenSocket: given });
      });
      await socket?.close();
      return () =>
        page.evaluate(() => {
          const { givenSocket } = window as unknown as { givenSocket: typeof WebSocket };
          window.WebSocket = givenSocket;
        });
    },
  };
  await page.addInitScript(() => {
    sessionStorage.setItem('bwana.token', 'test');
    sessionStorage.setItem('bwana.caller', 'local_person');
  });
  await page.routeWebSocket('**/api/ws', (route) => {
    socket = route;
    route.onMessage((message) => {
      const { id, name, params } = JSON.parse(String(message)) as {
        id: number;
        name?: string;
        params: Record<string, unknown>;
      };
      if (name === undefined) return;
      engine.calls.push({ name, params });
      if (name === 'changes.watch') {
        watch = id;
        const place = { epoch: 'e1', pos: at, change: at };
        route.send(
          JSON.stringify({
            id,
            event: { event: 'open', watch: `w${id}`, ...place },
          }),
        );
        return;
      }
      if (waiting.has(name)) {
        waiting.set(name, id);
        return;
      }
      const known = Object.hasOwn(engine.answers, name);
      const refusal = engine.refusals[name];
      if (refusal) {
        route.send(JSON.stringify({ id, error: refusal }));
        return;
      }
      const answer = engine.answers[name];
      const value = typeof answer === 'function' ? (answer as (p: unknown) => unknown)(params) : answer;
      route.send(
        JSON.stringify(
          known
            ? { id, value, at: { epoch: 'e1', pos: at, change: at } }
            : {
                id,
                error: {
                  code: 'unknown_command',
                  message: `${name} is not answered here`,
                },
              },
        ),
      );
    });
  });
  return engine;
}

/** The same engine behind a window of the shell: its one command, carried over the same socket. */
export async function fakeDesktop(page: Page, answers: Record<string, unknown> = {}): Promise<FakeEngine> {
  const engine = await fakeEngine(page, {
    'shell.ready': { autostart: false, can_profile: true, can_shortcut: true },
    'shell.links': [],
    'shell.cancel': null,
    ...answers,
  });
  await page.addInitScript(() => {
    interface Call {
      events: { id: number };
      told: number;
      resolve: (value: unknown) => void;
      reject: (error: unknown) => void;
    }
    interface Frame {
      id: number;
      event?: unknown;
      error?: unknown;
      value?: unknown;
      at?: unknown;
    }
    const callbacks = new Map<number, (message: unknown) => void>();
    const calls = new Map<number, Call>();
    const queued: string[] = [];
    let [lastCallback, lastCall] = [0, 0];
    const socket = new WebSocket(`ws://${location.host}/api/ws`);
    socket.onopen = () => queued.splice(0).forEach((frame) => socket.send(frame));
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(String(data)) as Frame;
      const call = calls.get(frame.id);
      if (!call) return;
      if ('event' in frame) {
        callbacks.get(call.events.id)?.({ index: call.told++, message: frame.event });
        return;
      }
      calls.delete(frame.id);
      if ('error' in frame) call.reject(frame.error);
      else call.resolve({ value: frame.value ?? null, at: frame.at });
    };
    Object.assign(window, {
      __TAURI_INTERNALS__: {
        transformCallback(callback: (message: unknown) => void) {
          callbacks.set(++lastCallback, callback);
          return lastCallback;
        },
        unregisterCallback: (id: number) => callbacks.delete(id),
        invoke: (
          _: string,
          { name, params, events }: { name: string; params: object; events: { id: number } },
        ) =>
          new Promise((resolve, reject) => {
            const id = ++lastCall;
            calls.set(id, { events, told: 0, resolve, reject });
            const frame = JSON.stringify({ id, name, params });
            if (socket.readyState === WebSocket.OPEN) socket.send(frame);
            else queued.push(frame);
          }),
      },
    });
  });
  return engine;
}
