// The page `bwana serve` hands out: one WebSocket for requests and streams, dialled again when it drops. The one-time code
// of the address is exchanged for a token that lives in this tab.
import type { Caller, WireError } from '../bindings/wire';
import {
  RequestError,
  allowedLink,
  type Answer,
  type Cancel,
  type LinkState,
  type Platform,
} from './platform';

const TOKEN_KEY = 'bwana.token';
const CALLER_KEY = 'bwana.caller';
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 8_000;
/** A request that could not be sent by then is given back: whoever made it still has the words. */
export const SEND_WITHIN_MS = 6_000;
/** A request asks for a dial of its own, but not in a storm of them. */
const DIAL_EVERY_MS = 1_000;
const SAVED_MS = 60_000;
/** The watch everything shown lives from; it goes on whenever the engine is back. */
const FEED = 'changes.watch';
const SUBPROTOCOL = 'bwana.v1';

type Frame =
  | { id: number; event: unknown }
  | { id: number; value: unknown; at?: Answer<unknown>['at'] }
  | { id: number; error: WireError };

interface Pending {
  frame: string;
  sent: boolean;
  /** Gives it back unsent; none for the feed, which waits for as long as it takes. */
  bound?: ReturnType<typeof setTimeout>;
  /** Set for streaming commands. */
  onEvent?: (event: unknown) => void;
  onValue: (answer: Answer<unknown>) => void;
  onError: (error: RequestError) => void;
}

/**
 * Takes the code out of the address and exchanges it; without a code, the token this tab already has.
 * @throws RequestError `no_session` when there is neither
 */
export async function webPlatform(): Promise<Platform> {
  const code = new URLSearchParams(location.hash.slice(1)).get('c');
  if (code !== null) {
    history.replaceState(history.state, '', location.pathname + location.search);
    const response = await fetch('/api/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    });
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok)
      throw RequestError.from(
        body ?? { code: 'no_session', message: `the code was refused (${response.status})` },
      );
    const { token, caller } = body as { token: string; caller?: Caller };
    sessionStorage.setItem(TOKEN_KEY, token);
    sessionStorage.setItem(CALLER_KEY, caller ?? 'local_browser');
  }
  const token = sessionStorage.getItem(TOKEN_KEY);
  if (token === null)
    throw new RequestError({ code: 'no_session', message: 'open the address `bwana serve` printed' });
  const caller = (sessionStorage.getItem(CALLER_KEY) ?? 'local_browser') as Caller;
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return socketPlatform(
    caller,
    () => new WebSocket(`${scheme}//${location.host}/api/ws`, [SUBPROTOCOL, `t.${token}`]),
  );
}

export function socketPlatform(caller: Caller, dial: () => WebSocket): Platform {
  const pending = new Map<number, Pending>();
  const listeners = new Set<(state: LinkState) => void>();
  let socket: WebSocket | undefined;
  let state: LinkState = 'connecting';
  let wait = FIRST_WAIT_MS;
  let next = 1;
  let again: ReturnType<typeof setTimeout> | undefined;
  let dialledAt = 0;

  function say(now: LinkState): void {
    state = now;
    for (const listener of listeners) listener(now);
  }

  function open(): void {
    clearTimeout(again);
    again = undefined;
    dialledAt = Date.now();
    const mine = dial();
    socket = mine;
    mine.onopen = () => {
      wait = FIRST_WAIT_MS;
      say('ready');
      for (const call of pending.values()) send(call);
    };
    mine.onmessage = (message) => receive(String(message.data));
    mine.onclose = () => {
      if (socket !== mine) return;
      socket = undefined;
      // What was sent may or may not have been done: the caller decides, we do not repeat it.
      const lost = new RequestError({
        code: 'connection_lost',
        message: 'the connection dropped before the answer',
      });
      for (const [id, call] of pending)
        if (call.sent) {
          pending.delete(id);
          call.onError(lost);
        }
      say('lost');
      again = setTimeout(open, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    };
  }

  function send(call: Pending): void {
    if (call.sent || socket?.readyState !== WebSocket.OPEN) return;
    call.sent = true;
    clearTimeout(call.bound);
    socket.send(call.frame);
  }

  function receive(text: string): void {
    const frame = JSON.parse(text) as Frame;
    const call = pending.get(frame.id);
    if (!call) return;
    if ('event' in frame) {
      call.onEvent?.(frame.event);
      return;
    }
    pending.delete(frame.id);
    if ('error' in frame) call.onError(new RequestError(frame.error));
    else call.onValue(frame.at ? { value: frame.value, at: frame.at } : { value: frame.value });
  }

  function start(name: string, params: object, call: Omit<Pending, 'frame' | 'sent' | 'bound'>): number {
    const id = next++;
    const entry: Pending = { ...call, frame: JSON.stringify({ id, name, params }), sent: false };
    pending.set(id, entry);
    send(entry);
    if (entry.sent || name === FEED) return id;
    entry.bound = setTimeout(() => giveBack(id), SEND_WITHIN_MS);
    // Somebody waits for this: the next dial may be seconds away.
    if (again !== undefined && Date.now() - dialledAt >= DIAL_EVERY_MS) open();
    return id;
  }

  function giveBack(id: number): void {
    const call = pending.get(id);
    if (!call || call.sent) return;
    pending.delete(id);
    call.onError(
      new RequestError({ code: 'not_sent', message: 'the engine did not answer; nothing was sent' }),
    );
  }

  open();
  return {
    kind: 'web',
    caller,
    capabilities: { decide: caller !== 'local_browser', native: false },
    rpc: <T>(name: string, params: object = {}) =>
      new Promise<Answer<T>>((resolve, reject) => {
        start(name, params, { onValue: (answer) => resolve(answer as Answer<T>), onError: reject });
      }),
    watch(name, params, onEvent, onEnd): Cancel {
      const id = start(name, params, { onEvent, onValue: () => onEnd(), onError: onEnd });
      return () => {
        const call = pending.get(id);
        clearTimeout(call?.bound);
        if (!pending.delete(id) || !call?.sent || socket?.readyState !== WebSocket.OPEN) return;
        socket.send(JSON.stringify({ id, cancel: true }));
      };
    },
    onLink(listener) {
      listeners.add(listener);
      listener(state);
      return () => listeners.delete(listener);
    },
    openLink(url) {
      const link = allowedLink(url);
      if (!link) {
        const refused = new RequestError({
          code: 'bad_link',
          message: 'only https and mailto addresses are opened',
        });
        return Promise.reject(refused);
      }
      window.open(link.href, '_blank', 'noopener,noreferrer');
      return Promise.resolve();
    },
    copy: (text) => navigator.clipboard.writeText(text),
    save(name, content) {
      // A type no browser shows by itself: what is saved is never opened in this window.
      const url = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }));
      const link = document.createElement('a');
      link.href = url;
      link.download = name;
      link.click();
      // The browser has taken it up by then.
      setTimeout(() => URL.revokeObjectURL(url), SAVED_MS);
      return Promise.resolve({});
    },
    drawn: () => undefined,
  };
}
