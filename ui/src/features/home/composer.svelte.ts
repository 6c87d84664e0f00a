// The wish in the composer: its text, its draft, the plan the engine makes of it, and its start. What does not belong
// here: how any of it is drawn.
import type { Draft, Plan, Started } from '../../bindings/types';
import { RequestError, type Platform } from '../../platform/platform';

export const PLACE = 'home';
/** `drafts.set` takes no more; what is longer would be lost with the window. */
export const TEXT_MAX_BYTES = 64 * 1024;
const DRAFT_MS = 300;
const PLAN_MS = 180;
const ATTEMPT = 'bwana.start.home';
/** Before the wish of a dry run, so that it is never taken for the run itself. */
const DRY = 'dry run\n';

export class Composer {
  #text = $state('');
  /** What the plan below is for; the text may be ahead of it. */
  plan = $state.raw<{ text: string; plan: Plan }>();
  planError = $state.raw<RequestError>();
  starting = $state(false);
  /** What is being started is a dry run. */
  dry = $state(false);
  refused = $state.raw<RequestError>();
  readonly #platform: Platform;
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #planTimer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  #closed = false;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  get text(): string {
    return this.#text;
  }

  readonly tooLong = $derived(new TextEncoder().encode(this.#text).length > TEXT_MAX_BYTES);
  readonly empty = $derived(this.#text.trim() === '');
  /** The plan says that this very text cannot be started. */
  readonly stopped = $derived(
    this.plan !== undefined && this.plan.text === this.#text && this.plan.plan.problems.length > 0,
  );
  readonly ready = $derived(!this.empty && !this.tooLong && !this.stopped);
  /** A dry run works with the model of this machine, so a plan that lacks another does not stop it. */
  readonly readyDry = $derived(!this.empty && !this.tooLong);

  /** What stands in the draft takes the place of an empty text; `always`, of any. */
  async read(always = false): Promise<void> {
    if (always) {
      clearTimeout(this.#draftTimer);
      this.#draftTimer = undefined;
    }
    try {
      const { value } = await this.#platform.rpc<Draft>('drafts.get', { place: PLACE });
      if (this.#closed || (!always && this.#text !== '')) return;
      this.#text = value.text;
      this.#planSoon();
    } catch {
      // A new one begins empty.
    }
  }

  write(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    this.refused = undefined;
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => this.#keep(), DRAFT_MS);
    this.#planSoon();
  }

  /** The plan again: a provider came, a workflow changed. */
  planAgain(): void {
    this.#planSoon();
  }

  /** The run that began; nothing when it did not. */
  async start(dry = false): Promise<string | undefined> {
    if (!(dry ? this.readyDry : this.ready) || this.starting) return undefined;
    this.starting = true;
    this.dry = dry;
    this.refused = undefined;
    const text = this.#text;
    try {
      const { value } = await this.#platform.rpc<Started>('run.start_plan', {
        text,
        key: keyFor(dry ? `${DRY}${text}` : text),
        ...(dry ? { dry_run: true } : {}),
      });
      sessionStorage.removeItem(ATTEMPT);
      if (this.#text === text) {
        this.#text = '';
        this.plan = undefined;
      }
      this.#keep();
      return value.run;
    } catch (error) {
      this.refused = RequestError.from(error);
      return undefined;
    } finally {
      this.starting = false;
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#planTimer);
    if (this.#draftTimer !== undefined) this.#keep();
  }

  #keep(): void {
    clearTimeout(this.#draftTimer);
    this.#draftTimer = undefined;
    const draft: Draft = { place: PLACE, text: this.#text };
    this.#platform.rpc('drafts.set', draft).catch(() => undefined);
  }

  #planSoon(): void {
    clearTimeout(this.#planTimer);
    const mine = ++this.#asked;
    if (this.empty) {
      this.plan = undefined;
      this.planError = undefined;
      return;
    }
    this.#planTimer = setTimeout(() => void this.#preview(mine), PLAN_MS);
  }

  async #preview(mine: number): Promise<void> {
    const text = this.#text;
    try {
      const { value } = await this.#platform.rpc<Plan>('plan.preview', { text });
      if (mine !== this.#asked || this.#closed) return;
      this.plan = { text, plan: value };
      this.planError = undefined;
    } catch (error) {
      if (mine === this.#asked && !this.#closed) this.planError = RequestError.from(error);
    }
  }
}

/**
 * One key for one wish until it has begun, over a reload too: when an answer was lost, the next press finds the run that
 * the first one made.
 */
function keyFor(text: string): string {
  try {
    const kept = JSON.parse(sessionStorage.getItem(ATTEMPT) ?? '{}') as { text?: unknown; key?: unknown };
    if (kept.text === text && typeof kept.key === 'string') return kept.key;
  } catch {
    // What cannot be read was not ours.
  }
  const key = crypto.randomUUID();
  sessionStorage.setItem(ATTEMPT, JSON.stringify({ text, key }));
  return key;
}
