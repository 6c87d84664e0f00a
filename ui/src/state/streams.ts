// The text of model calls in flight. Offsets count UTF-8 bytes; a gap is filled by asking for the whole text. The entry that
// finishes a call replaces the preview. Plain TypeScript.
import type { CallPartial, StreamText } from '../bindings/wire';

export interface Preview {
  call: number;
  attempt: number;
  path: string;
  agent: string;
  text: string;
}

interface State extends Preview {
  bytes: number;
  asking: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Streams {
  readonly #calls = new Map<number, State>();
  /** Calls that have ended: late text does not bring their preview back. */
  readonly #finished = new Set<number>();
  readonly #ask: (call: number) => Promise<CallPartial>;
  readonly #changed: (call: number) => void;

  constructor(ask: (call: number) => Promise<CallPartial>, changed: (call: number) => void) {
    this.#ask = ask;
    this.#changed = changed;
  }

  previews(): Preview[] {
    return [...this.#calls.values()];
  }

  /** What a window of events brought along. */
  begin(call: number, from: Omit<Preview, 'call'> & { offset: number }): void {
    if (this.#finished.has(call)) return;
    const known = this.#calls.get(call);
    if (
      known &&
      (known.attempt > from.attempt || (known.attempt === from.attempt && known.bytes >= from.offset))
    )
      return;
    const { attempt, path, agent, text, offset } = from;
    this.#calls.set(call, { call, attempt, path, agent, text, bytes: offset, asking: false });
    this.#changed(call);
  }

  receive(event: StreamText): void {
    if (this.#finished.has(event.call)) return;
    let state = this.#calls.get(event.call);
    if (state && event.attempt < state.attempt) return;
    if (!state || event.attempt > state.attempt) {
      const { call, attempt, path, agent } = event;
      state = { call, attempt, path, agent, text: '', bytes: 0, asking: false };
      this.#calls.set(call, state);
    }
    if (event.offset > state.bytes) {
      void this.#fill(state);
      return;
    }
    const sent = encoder.encode(event.text);
    const fresh = state.bytes - event.offset;
    if (fresh >= sent.length) return;
    state.text += fresh === 0 ? event.text : decoder.decode(sent.subarray(fresh));
    state.bytes = event.offset + sent.length;
    this.#changed(state.call);
  }

  /** The journal has the call's entry: the preview goes. */
  finish(call: number): void {
    this.#finished.add(call);
    if (this.#calls.delete(call)) this.#changed(call);
  }

  clear(): void {
    this.#calls.clear();
    this.#finished.clear();
  }

  async #fill(state: State): Promise<void> {
    if (state.asking) return;
    state.asking = true;
    try {
      const whole = await this.#ask(state.call);
      const now = this.#calls.get(state.call);
      if (!now || whole.attempt < now.attempt) return;
      if (whole.attempt === now.attempt && whole.offset <= now.bytes) return;
      now.attempt = whole.attempt;
      now.text = whole.text;
      now.bytes = whole.offset;
      this.#changed(now.call);
    } catch {
      // The next piece of text finds the gap again.
    } finally {
      state.asking = false;
    }
  }
}
