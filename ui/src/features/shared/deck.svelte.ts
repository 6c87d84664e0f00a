// Which of the cards on the screen hears the keys: the one that holds the focus, or the only one in sight. With several in
// sight and the focus elsewhere none does, so that no key decides what the person does not look at.
import type { Session } from '../../state/session.svelte';
import type { ActId } from '../../lib/acts';
import type { Act, Answering } from './answering.svelte';

export interface Card {
  answering: Answering;
  /** Some of it is on the screen. */
  inSight: () => boolean;
  focused: () => boolean;
}

/** The last question this window decided. */
export const decided = { task: '', at: -Infinity };

class Deck {
  #cards = $state.raw<readonly Card[]>([]);

  /** The card the keys speak to. */
  readonly active = $derived.by(() => {
    const holds = this.#cards.find((card) => card.focused());
    if (holds) return holds.answering;
    const inSight = this.#cards.filter((card) => card.inSight());
    return inSight.length === 1 ? inSight[0]?.answering : undefined;
  });

  /** Returns the removal. */
  add(card: Card): () => void {
    const forget = this.#cards.length === 0 ? register(card.answering.session) : undefined;
    if (forget) this.#forget = forget;
    this.#cards = [...this.#cards, card];
    return () => {
      this.#cards = this.#cards.filter((one) => one !== card);
      if (this.#cards.length === 0) this.#forget?.();
    };
  }

  #forget: (() => void) | undefined;
}

export const deck = new Deck();

interface Key {
  id: ActId;
  kinds: readonly string[];
  act: Act | 'open_edit' | 'open_deny';
}

const KEYS: readonly Key[] = [
  { id: 'task.allow', kinds: ['approve', 'plan', 'price'], act: 'allow' },
  { id: 'task.more', kinds: ['approve'], act: 'more' },
  { id: 'task.edit', kinds: ['approve'], act: 'open_edit' },
  {
    id: 'task.deny',
    kinds: ['approve', 'plan', 'price', 'answer'],
    act: 'open_deny',
  },
  { id: 'task.happened', kinds: ['uncertain'], act: 'happened' },
  { id: 'task.again', kinds: ['uncertain'], act: 'again' },
  { id: 'task.give_up', kinds: ['uncertain'], act: 'give_up' },
];

function register({ shortcuts, platform }: Session): () => void {
  if (!platform.capabilities.decide) return () => undefined;
  const removals = KEYS.map(({ id, kinds, act }) =>
    shortcuts.on(
      id,
      () => {
        const { active } = deck;
        if (act === 'open_edit') active?.openByKey('edit');
        else if (act === 'open_deny') active?.openByKey('deny');
        else active?.press(act, 'key');
      },
      () => {
        const { active } = deck;
        if (!active || !kinds.includes(active.task.kind) || active.mode !== 'ask') return false;
        return act !== 'more' || active.more !== undefined;
      },
    ),
  );
  return () => removals.forEach((remove) => remove());
}
