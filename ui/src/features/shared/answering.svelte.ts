// One open question being answered: which presses count, what is sent, and that it is sent once. The buttons stay busy until
// the feed says that it is decided.
import type { ScopeOffer, TaskShown } from '../../bindings/types';
import { announce } from '../../components/live.svelte';
import { t } from '../../i18n/i18n.svelte';
import { RequestError } from '../../platform/platform';
import type { Session } from '../../state/session.svelte';
import { decided } from './deck.svelte';
import { ARMED_MS, hear, type Held } from './press';
import { editOf, fieldsOf, offersOf, parsed, termsOf, type EditField } from './task';

export type Act = 'allow' | 'more' | 'edit' | 'deny' | 'answer' | 'happened' | 'again' | 'give_up';
export type Mode = 'ask' | 'edit' | 'deny';

export class Answering {
  readonly session: Session;
  readonly #task: () => TaskShown;
  #armed = $state.raw<Held>();
  #armedTimer: ReturnType<typeof setTimeout> | undefined;
  #changedAt = performance.now();
  mode = $state<Mode>('ask');
  /** What has been sent and is not yet decided. */
  busy = $state<Act>();
  refused = $state.raw<RequestError>();
  reason = $state('');
  answer = $state('');
  fields = $state<EditField[]>([]);
  /** The arguments the fields were made of. */
  #editing = $state.raw<string>();
  /** Names of fields that are not JSON. */
  wrong = $state.raw<readonly string[]>([]);
  #chosen = $state.raw<ScopeOffer>();
  /** A denial for good: the one of the offers that says how far. */
  never = $state.raw<ScopeOffer>();

  constructor(session: Session, task: () => TaskShown) {
    this.session = session;
    this.#task = task;
  }

  get task(): TaskShown {
    return this.#task();
  }

  get armed(): Act | undefined {
    return this.#armed?.act as Act | undefined;
  }

  readonly offers = $derived.by(() => offersOf(this.#task()));
  /** What the second button would allow. */
  readonly more = $derived(
    this.offers.more.find((offer) => same(offer, this.#chosen)) ?? this.offers.more[0],
  );

  /** The card has changed under the person's eyes: no key counts for a while, and nothing stays armed. */
  changed(): void {
    this.#changedAt = performance.now();
    this.disarm();
  }

  choose(offer: ScopeOffer): void {
    this.disarm();
    this.#chosen = offer;
  }

  twice(act: Act): boolean {
    if (act === 'again') return true;
    return ['allow', 'more', 'edit'].includes(act) && this.task.second_key === true;
  }

  /** Hears a press; sends what it decides. */
  press(act: Act, by: 'key' | 'click'): void {
    if (this.busy !== undefined || this.task.status !== 'open') return;
    const at = performance.now();
    const heard = hear(
      {
        changedAt: this.#changedAt,
        otherDecidedAt: decided.task === this.task.id ? -Infinity : decided.at,
        armed: this.#armed,
      },
      { act, twice: this.twice(act), by, at },
    );
    if (heard.kind === 'ignored') return;
    if (act === 'edit' && !this.#checked()) return this.disarm();
    if (heard.kind === 'armed') return this.#arm(heard.armed);
    this.disarm();
    void this.#send(act);
  }

  open(mode: Mode): void {
    if (this.busy !== undefined) return;
    this.disarm();
    const { ask } = this.task;
    // What was changed before stays, unless it was about other arguments.
    if (mode === 'edit' && 'args' in ask && this.#editing !== ask.args) this.#fill(ask.args);
    this.wrong = [];
    this.never = undefined;
    this.mode = mode;
  }

  /** The person has changed arguments and not sent them. */
  readonly edited = $derived.by(() => {
    const { ask } = this.#task();
    if (!('args' in ask) || this.#editing !== ask.args) return false;
    const made = fieldsOf(ask.args);
    return this.fields.some(({ text }, index) => text !== made[index]?.text);
  });

  /** What is typed and not sent: changed arguments, an answer, a reason. */
  readonly unsent = $derived.by(() => {
    if (this.busy !== undefined) return '';
    if (this.edited) return this.fields.map(({ name, text }) => `${name}: ${text}`).join('\n');
    return this.answer.trim() || (this.mode === 'deny' ? this.reason.trim() : '');
  });

  /** The changed arguments as a draft keeps them; empty where nothing is changed. */
  get kept(): string {
    if (!this.edited) return '';
    return JSON.stringify({ args: this.#editing, texts: this.fields.map(({ text }) => text) });
  }

  /** Takes changes from a draft, if they are about these arguments. */
  restore(kept: string): void {
    const { ask } = this.task;
    if (!('args' in ask) || this.#editing !== undefined) return;
    const { args, texts } = (parsed(kept) ?? {}) as { args?: unknown; texts?: unknown[] };
    if (args !== ask.args || !Array.isArray(texts)) return;
    this.#fill(ask.args);
    this.fields = this.fields.map((field, index) => ({ ...field, text: String(texts[index] ?? field.text) }));
  }

  /** Back to the arguments as they were asked about. */
  startOver(): void {
    const { ask } = this.task;
    this.disarm();
    this.wrong = [];
    if ('args' in ask) this.#fill(ask.args);
  }

  #fill(args: string): void {
    this.#editing = args;
    this.fields = fieldsOf(args);
  }

  /** Keys open a form by the same rule by which they decide. */
  openByKey(mode: Mode): void {
    const at = performance.now();
    const press = { act: mode, twice: false, by: 'key', at } as const;
    if (hear({ changedAt: this.#changedAt, otherDecidedAt: -Infinity }, press).kind === 'act')
      this.open(mode);
  }

  disarm(): void {
    clearTimeout(this.#armedTimer);
    this.#armed = undefined;
  }

  #arm(armed: Held): void {
    clearTimeout(this.#armedTimer);
    this.#armed = armed;
    this.#armedTimer = setTimeout(() => (this.#armed = undefined), ARMED_MS);
    announce(t('task.press_again'));
  }

  #checked(): boolean {
    const { ask } = this.task;
    const edited = 'args' in ask ? editOf(ask.args, this.fields) : undefined;
    this.wrong = edited && !edited.ok ? edited.wrong : [];
    return edited?.ok === true;
  }

  async #send(act: Act): Promise<void> {
    this.busy = act;
    this.refused = undefined;
    const { id } = this.task;
    Object.assign(decided, { task: id, at: performance.now() });
    try {
      await this.session.platform.rpc(...this.#request(act));
    } catch (error) {
      this.busy = undefined;
      this.refused = RequestError.from(error);
      // What was asked about may be another thing by now: look before the next press.
      this.#changedAt = performance.now();
    }
  }

  #request(act: Act): [name: string, params: object] {
    const { id: task, ask } = this.task;
    switch (act) {
      case 'allow':
        return ['tasks.approve', { task, scope: 'once' }];
      case 'more':
        return ['tasks.approve', { task, ...(this.more ? termsOf(this.more) : { scope: 'once' }) }];
      case 'edit': {
        const edited = editOf('args' in ask ? ask.args : '', this.fields);
        const edit = edited.ok && edited.changed ? { edit: edited.args } : {};
        return ['tasks.approve', { task, scope: 'once', ...edit }];
      }
      case 'deny':
        return [
          'tasks.deny',
          { task, reason: this.reason.trim(), ...(this.never ? termsOf(this.never) : { scope: 'once' }) },
        ];
      case 'answer':
        return ['tasks.answer', { task, text: this.answer.trim() }];
      case 'happened':
        return ['tasks.resolve', { task, outcome: 'happened' }];
      case 'again':
        return ['tasks.resolve', { task, outcome: 'send_again' }];
      case 'give_up':
        return ['tasks.resolve', { task, outcome: 'give_up' }];
    }
  }
}

function same(a: ScopeOffer, b: ScopeOffer | undefined): boolean {
  return b !== undefined && JSON.stringify(termsOf(a)) === JSON.stringify(termsOf(b));
}
