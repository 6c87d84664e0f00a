// One agent while it is being changed: what was typed, its draft, and its way to the engine. What does not belong here: how
// any of it is drawn.
import type { AgentPanel, AgentShown, Draft } from '../../bindings/types';
import { RequestError, type Platform } from '../../platform/platform';
import {
  bytesOf,
  changesOf,
  complaintsOf,
  editOf,
  partsOf,
  readDraft,
  TEXT_MAX_BYTES,
  writeDraft,
  type Edit,
  type EditField,
} from './edit';

const DRAFT_MS = 300;

export class Editing {
  readonly id: string;
  /** The agent as the engine has it. */
  shown = $state.raw<AgentShown>();
  missed = $state.raw<RequestError>();
  /** The form is open. */
  open = $state(false);
  /** Which act is under way: it ends when the engine's own answer shows what came of it. */
  busy = $state<'save' | 'reset'>();
  refused = $state.raw<RequestError>();
  readonly #platform: Platform;
  #parts = $state.raw<Partial<Edit>>({});
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #reads = 0;
  /** The version that stood when the act under way was taken. */
  #before: string | undefined;
  #closed = false;

  constructor(platform: Platform, id: string) {
    this.#platform = platform;
    this.id = id;
  }

  readonly base = $derived(this.shown && editOf(this.shown.agent));
  readonly edit: Edit | undefined = $derived(this.base && { ...this.base, ...this.#parts });
  readonly changed = $derived(Object.keys(this.#parts).length > 0);
  readonly complaints = $derived(complaintsOf(this.refused?.details));
  readonly emptyText = $derived(this.edit?.instructions.trim() === '');
  readonly tooLong: Partial<Record<EditField, true>> = $derived({
    ...(bytesOf(this.edit?.instructions ?? '') > TEXT_MAX_BYTES ? { instructions: true as const } : {}),
    ...(bytesOf(this.edit?.small ?? '') > TEXT_MAX_BYTES ? { small: true as const } : {}),
  });
  readonly ready = $derived(this.changed && !this.emptyText && Object.keys(this.tooLong).length === 0);

  /** Reads the agent again; the last answer counts. */
  async read(): Promise<void> {
    const mine = ++this.#reads;
    try {
      const { value } = await this.#platform.rpc<AgentShown>('agents.show', { id: this.id });
      if (mine !== this.#reads || this.#closed) return;
      [this.shown, this.missed] = [value, undefined];
      if (this.#before !== undefined && this.#before !== versionOf(value)) this.#arrived();
    } catch (error) {
      if (mine === this.#reads && !this.#closed) this.missed = RequestError.from(error);
    }
  }

  /** What was typed before and not saved opens the form again. */
  async readDraft(): Promise<void> {
    try {
      const { value } = await this.#platform.rpc<Draft>('drafts.get', { place: this.#place });
      const parts = readDraft(value.text);
      if (this.#closed || this.open || !parts) return;
      this.#parts = parts;
      this.open = true;
    } catch {
      // Without a draft the agent stands as it is.
    }
  }

  set(part: Partial<Edit>): void {
    if (!this.base || !this.edit) return;
    this.#parts = partsOf(this.base, { ...this.edit, ...part });
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => this.#keep(), DRAFT_MS);
  }

  async save(): Promise<void> {
    if (!this.base || !this.edit || !this.ready) return;
    await this.#act('save', 'agents.edit', { id: this.id, ...changesOf(this.base, this.edit) });
  }

  async reset(): Promise<void> {
    await this.#act('reset', 'agents.reset', { id: this.id });
  }

  discard(): void {
    this.#parts = {};
    this.refused = undefined;
    this.open = false;
    clearTimeout(this.#draftTimer);
    this.#keep();
  }

  /** Keeps at once what was typed in the last moment. */
  flush(): void {
    if (this.#draftTimer === undefined) return;
    clearTimeout(this.#draftTimer);
    this.#keep();
  }

  close(): void {
    this.flush();
    this.#closed = true;
  }

  async #act(busy: 'save' | 'reset', name: string, params: object): Promise<void> {
    if (this.busy !== undefined || !this.shown) return;
    this.busy = busy;
    this.refused = undefined;
    const before = versionOf(this.shown);
    try {
      await this.#platform.rpc<AgentPanel>(name, params);
      this.#before = before;
      // The feed says so as well; whichever shows another version first ends the act.
      await this.read();
    } catch (error) {
      this.refused = RequestError.from(error);
      this.busy = undefined;
    }
  }

  #arrived(): void {
    this.#before = undefined;
    this.busy = undefined;
    this.discard();
  }

  #keep(): void {
    this.#draftTimer = undefined;
    const text = writeDraft(this.#parts);
    this.#platform.rpc('drafts.set', { place: this.#place, text }).catch(() => undefined);
  }

  get #place(): string {
    return `agent:${this.id}`;
  }
}

function versionOf({ hash, source }: AgentShown): string {
  return `${hash} ${source}`;
}
