// One workflow's file while it is being edited: the text, its draft, the check that runs behind the typing, and its way to
// the engine. What does not belong here: how any of it is drawn.
import type { ExportedText, ImportReport, Validation, WorkflowShown } from '../../bindings/types';
import { RequestError, type Platform } from '../../platform/platform';
import { DraftPlace } from '../../state/draft';
import {
  BUILTIN,
  bytesOf,
  DRAFT_MAX_BYTES,
  EDITED,
  FILE_MAX_BYTES,
  hasComments,
  readDraft,
  writeDraft,
} from './file';
import { changedEnd, History, type Moment } from './history';
import { readFlow } from './doc';
import { misfitsOf } from './forms';

const DRAFT_MS = 300;
const CHECK_MS = 300;
const NOT_FOUND = 'usage.not_found';

/** Why a save stopped to ask: the one opened is another by now, or the id is another workflow's. */
export interface Conflict {
  kind: 'changed' | 'exists';
  id: string;
  builtin: boolean;
}

interface Options {
  platform: Platform;
  /** Nothing: a new one. */
  id: string | undefined;
  /** The text of a new one, and of a copy of one that comes with the program. */
  fresh: () => string;
  copied: (text: string) => string;
}

export class Editing {
  readonly id: string | undefined;
  loaded = $state(false);
  missed = $state.raw<RequestError>();
  /** What `workflows.show` said when the text was taken from it. */
  shown = $state.raw<WorkflowShown>();
  checked = $state.raw<{ text: string; validation: Validation }>();
  checkFailed = $state.raw<RequestError>();
  saving = $state(false);
  refused = $state.raw<RequestError>();
  conflict = $state.raw<Conflict>();
  /** Another version was saved meanwhile. */
  behind = $state(false);
  /** It began with words of an earlier time. */
  resumed = $state(false);
  readonly #options: Options;
  readonly #platform: Platform;
  readonly #drafts: DraftPlace;
  /** The number of the step that is looked at, the same in the outline and in the text; empty: the workflow itself. */
  place = $state('1');
  #text = $state('');
  #history = new History({ text: '', place: '1' });
  /** So that what may be undone is drawn again. */
  #moments = $state(0);
  #base = $state.raw('');
  /** The version the text began with; empty where there is none. */
  #hash = '';
  #draftTimer: ReturnType<typeof setTimeout> | undefined;
  #checkTimer: ReturnType<typeof setTimeout> | undefined;
  #flight: Promise<void> | undefined;
  #closed = false;
  #settled = false;

  constructor(options: Options) {
    this.#options = options;
    this.#platform = options.platform;
    this.id = options.id;
    this.#drafts = new DraftPlace(options.platform, this.#place);
  }

  get text(): string {
    return this.#text;
  }

  readonly canUndo = $derived(this.#moments >= 0 && this.#history.canUndo);
  readonly canRedo = $derived(this.#moments >= 0 && this.#history.canRedo);
  /** The text as steps, or why it cannot be drawn as such. */
  readonly flow = $derived(readFlow(this.#text));

  /** What stands in it and cannot be read as what it has to be. */
  readonly misfits = $derived('trouble' in this.flow ? [] : misfitsOf(this.flow));

  /** One that comes with the program stays: a copy is edited. */
  readonly isCopy = $derived(this.shown?.source === BUILTIN);
  readonly changed = $derived(this.loaded && this.#text !== this.#base);
  readonly tooLong = $derived(bytesOf(this.#text) > FILE_MAX_BYTES);
  readonly draftTooLong = $derived(bytesOf(writeDraft(this.#hash, this.#text)) > DRAFT_MAX_BYTES);
  readonly hasComments = $derived(hasComments(this.#text));
  /** What the check said of this very text. */
  readonly validation = $derived(this.checked?.text === this.#text ? this.checked.validation : undefined);
  /** The one workflow this text is; nothing while that is not known, or when it holds something else. */
  readonly target = $derived(
    this.validation?.workflows.length === 1 && this.validation.agents.length === 0
      ? this.validation.workflows[0]
      : undefined,
  );
  /** Nothing known speaks against saving it; what was typed in the last moment is checked first. */
  get ready(): boolean {
    // A copy and a new one can be saved as they are.
    const isOther = this.changed || this.isCopy || this.id === undefined;
    const refused = this.validation && !(this.validation.valid && this.target !== undefined);
    return this.loaded && isOther && !this.tooLong && !refused && this.misfits.length === 0;
  }

  async open(): Promise<void> {
    this.missed = undefined;
    try {
      const [draft, base] = await Promise.all([this.#draft(), this.#read()]);
      if (this.#closed) return;
      this.#base = base;
      this.#text = draft?.text ?? base;
      this.resumed = draft !== undefined && draft.text !== base;
      this.#history = new History({ text: this.#text, place: this.place });
      this.#moments += 1;
      // A draft that began with an older version is compared with that one when it is saved.
      if (draft && draft.hash !== '' && this.shown && draft.hash !== this.shown.hash && !this.isCopy) {
        this.#hash = draft.hash;
        this.behind = true;
      } else this.#hash = this.shown?.hash ?? '';
      this.loaded = true;
      void this.#check();
    } catch (error) {
      if (!this.#closed) this.missed = RequestError.from(error);
    }
  }

  /** `key` names the field that is typed into: what is typed in one go is undone in one go. `place`: where it leads. */
  write(text: string, key = '', place = this.place): void {
    if (this.saving) return;
    this.#history.look(this.place);
    this.place = place;
    if (text === this.#text) return;
    this.#history.push({ text, place }, key, Date.now());
    this.#take(text);
  }

  /** The end of what changed, or nothing if there was nothing to go back to. */
  undo(): number | undefined {
    return this.#return(() => this.#history.undo());
  }

  redo(): number | undefined {
    return this.#return(() => this.#history.redo());
  }

  #return(step: () => Moment | undefined): number | undefined {
    if (this.saving) return undefined;
    const moment = step();
    if (!moment) return undefined;
    const at = changedEnd(this.#text, moment.text);
    this.place = moment.place;
    this.#take(moment.text);
    return at;
  }

  #take(text: string): void {
    this.#moments += 1;
    this.#text = text;
    this.refused = undefined;
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => void this.#keep(), DRAFT_MS);
    this.#checkSoon();
  }

  /** The engine said that workflows changed: is this one another by now? */
  async look(): Promise<void> {
    if (!this.loaded || this.id === undefined || this.isCopy || this.saving || this.#settled) return;
    try {
      const now = await this.#show(this.id);
      if (this.#closed || this.saving || this.#settled) return;
      this.behind = now !== undefined && now.hash !== this.#hash;
    } catch {
      // The save looks again.
    }
  }

  /** Takes the version there is now. What was typed is one step back. */
  async reload(): Promise<void> {
    this.conflict = undefined;
    try {
      const base = await this.#read();
      if (this.#closed) return;
      this.#hash = this.shown?.hash ?? '';
      this.#base = base;
      this.behind = false;
      this.discard();
    } catch (error) {
      if (!this.#closed) this.refused = RequestError.from(error);
    }
  }

  /** The id it is saved under; nothing when it was not saved. `anyway`: the question about a conflict was answered. */
  async save(anyway = false): Promise<string | undefined> {
    if (!this.ready || this.saving) return undefined;
    this.saving = true;
    this.refused = this.conflict = undefined;
    const text = this.#text;
    try {
      await this.#checkNow();
      const { target } = this;
      if (!this.ready || target === undefined) return undefined;
      if (!anyway) {
        this.conflict = await this.#conflictOf(target);
        if (this.conflict) return undefined;
      }
      await this.#platform.rpc<ImportReport>('definitions.import', { file: { name: EDITED, text } });
      this.#settled = true;
      this.#base = text;
      void this.#keep();
      return target;
    } catch (error) {
      this.refused = RequestError.from(error);
      return undefined;
    } finally {
      this.saving = false;
    }
  }

  discard(): void {
    this.resumed = false;
    this.#history.push({ text: this.#base, place: this.place }, '', Date.now());
    this.#moments += 1;
    this.#text = this.#base;
    void this.#keep();
    this.#checkSoon();
  }

  /** Keeps at once what was typed in the last moment. */
  flush(): void {
    if (this.#draftTimer !== undefined) void this.#keep();
  }

  /** The page goes, and a request may no longer leave it: what the engine may not hear of waits in this window. */
  leave(): void {
    // What is too long for the engine is in no draft at all.
    const tooLong = this.draftTooLong && this.changed;
    if (this.#draftTimer === undefined && !tooLong) return;
    clearTimeout(this.#draftTimer);
    this.#draftTimer = undefined;
    try {
      sessionStorage.setItem(this.#waiting, writeDraft(this.#hash, this.#text));
    } catch {
      // The draft of a moment ago is there.
    }
    if (!tooLong) this.#drafts.keepNow(this.#kept);
  }

  checkAgain(): void {
    this.checkFailed = undefined;
    void this.#check();
  }

  close(): void {
    this.flush();
    this.#closed = true;
    clearTimeout(this.#checkTimer);
    this.#drafts.close();
  }

  async #read(): Promise<string> {
    const { id, fresh, copied } = this.#options;
    if (id === undefined) return fresh();
    // In this order: a version saved in between is noticed as one, never overwritten as if it had been read.
    const shown = await this.#platform.rpc<WorkflowShown>('workflows.show', { id });
    const { value } = await this.#platform.rpc<ExportedText>('workflows.export', { id });
    this.shown = shown.value;
    return shown.value.source === BUILTIN ? copied(value.text) : value.text;
  }

  async #draft(): Promise<{ hash: string; text: string } | undefined> {
    const kept = await this.#drafts.open();
    const waiting = sessionStorage.getItem(this.#waiting);
    if (waiting !== null) {
      sessionStorage.removeItem(this.#waiting);
      this.#draftTimer = setTimeout(() => void this.#keep(), DRAFT_MS);
      return readDraft(waiting);
    }
    return readDraft(kept);
  }

  async #conflictOf(target: string): Promise<Conflict | undefined> {
    const now = await this.#show(target);
    if (!now) return undefined;
    const builtin = now.source === BUILTIN;
    if (target !== this.id || this.isCopy) return { kind: 'exists', id: target, builtin };
    return now.hash === this.#hash ? undefined : { kind: 'changed', id: target, builtin };
  }

  /** Nothing when there is none. */
  async #show(id: string): Promise<WorkflowShown | undefined> {
    try {
      return (await this.#platform.rpc<WorkflowShown>('workflows.show', { id })).value;
    } catch (error) {
      if (RequestError.from(error).code === NOT_FOUND) return undefined;
      throw error;
    }
  }

  #checkSoon(): void {
    this.checkFailed = undefined;
    clearTimeout(this.#checkTimer);
    this.#checkTimer = setTimeout(() => void this.#check(), CHECK_MS);
  }

  async #checkNow(): Promise<void> {
    clearTimeout(this.#checkTimer);
    // One under way is of a text that may be older by now.
    await this.#flight;
    await this.#check();
  }

  /** One check at a time; what was typed during it is checked after it. */
  async #check(): Promise<void> {
    if (this.#flight || this.#closed || this.tooLong || this.validation) return;
    this.#flight = this.#ask(this.#text);
    await this.#flight;
    this.#flight = undefined;
    if (!this.validation && !this.checkFailed) this.#checkSoon();
  }

  async #ask(text: string): Promise<void> {
    const name = `${this.id ?? 'workflow'}.yaml`;
    try {
      const { value } = await this.#platform.rpc<Validation>('definitions.validate', { name, text });
      this.checked = { text, validation: value };
    } catch (error) {
      if (text === this.#text) this.checkFailed = RequestError.from(error);
    }
  }

  async #keep(): Promise<void> {
    clearTimeout(this.#draftTimer);
    this.#draftTimer = undefined;
    if (this.draftTooLong && this.changed) return;
    // A draft that is not kept is missed only if the window goes as well.
    await this.#drafts.keep(this.#kept);
  }

  /** What is kept of it: nothing of what is saved. */
  get #kept(): string {
    return this.#text === this.#base ? '' : writeDraft(this.#hash, this.#text);
  }

  get #waiting(): string {
    return `bwana.draft.${this.#place}`;
  }

  get #place(): string {
    return this.id === undefined ? 'workflow' : `workflow:${this.id}`;
  }
}
