// What the interface needs from whatever holds it: requests, streams, and the few things only a host can do. Two hosts
// implement it (desktop.ts, web.ts); nobody else knows which one is there.
import type { Caller, Place, WireError } from '../bindings/wire';

export interface Answer<T> {
  value: T;
  /** The feed's place read before the rows; present on answers of reading commands. */
  at?: Place;
}

export type Cancel = () => void;

export interface Capabilities {
  /** May approve, grant, change policy and settings; otherwise cards say "Answer this in the app". */
  decide: boolean;
  /** Has windows, a tray and a file manager of its own. */
  native: boolean;
}

/** What a file holds. */
export type Content = string | Uint8Array<ArrayBuffer>;

/** `lost` means: the next request may fail; the transport dials again by itself. */
export type LinkState = 'connecting' | 'ready' | 'lost';

export interface Platform {
  readonly kind: 'desktop' | 'web';
  readonly caller: Caller;
  readonly capabilities: Capabilities;
  /** @throws RequestError */
  rpc<T>(name: string, params?: object): Promise<Answer<T>>;
  /**
   * A command that tells what happens until it ends or is cancelled. `onEnd` is called once, without an error when the
   * command ended by itself, never after a cancel.
   */
  watch(
    name: string,
    params: object,
    onEvent: (event: unknown) => void,
    onEnd: (error?: RequestError) => void,
  ): Cancel;
  /** Told at once and at each change. */
  onLink(listener: (state: LinkState) => void): Cancel;
  /** Opens an https or mailto address outside, after the person saw its host. */
  openLink(url: string): Promise<void>;
  copy(text: string): Promise<void>;
  /**
   * Gives the person a file of this name, never over another one. Says where it lies, if the host knows.
   * @throws RequestError
   */
  save(name: string, content: Content): Promise<{ path?: string }>;
  /** The window has drawn itself; the desktop's watchdog waits for this. */
  drawn(): void;
}

/** A request that failed, with the engine's code; the words are the interface's. */
export class RequestError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly details: unknown;

  constructor(wire: WireError) {
    super(wire.message);
    this.name = 'RequestError';
    this.code = wire.code;
    this.hint = wire.hint ?? '';
    this.details = wire.details ?? null;
  }

  /** Whatever was thrown, as a request error; what is not one becomes `fallback`. */
  static from(thrown: unknown, fallback = 'transport'): RequestError {
    if (thrown instanceof RequestError) return thrown;
    if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'message' in thrown) {
      const { code, message, hint, details } = thrown as Record<string, unknown>;
      return new RequestError({
        code: String(code),
        message: String(message),
        ...(typeof hint === 'string' ? { hint } : {}),
        details,
      });
    }
    return new RequestError({
      code: fallback,
      message: thrown instanceof Error ? thrown.message : String(thrown),
    });
  }
}

/** Only these leave the window, whatever a model wrote. */
export function allowedLink(url: string): URL | undefined {
  try {
    const parsed = new URL(url);
    return parsed.protocol === 'https:' || parsed.protocol === 'mailto:' ? parsed : undefined;
  } catch {
    return undefined;
  }
}
