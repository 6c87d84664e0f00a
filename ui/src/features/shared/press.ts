// Which presses count. What reaches others, costs money or cannot be undone takes a second press within three seconds; keys do
// nothing for half a second after a card appears or changes; and the second half of a double click does not decide the card
// that took the first one's place. Pure: the caller brings the time, in milliseconds of one clock.

/** So long the first press of two holds. */
export const ARMED_MS = 3_000;
/** So long a card that has appeared or changed hears no keys. */
export const QUIET_MS = 500;

export interface Press {
  act: string;
  /** It takes two presses. */
  twice: boolean;
  by: 'key' | 'click';
  at: number;
}

export interface Held {
  act: string;
  at: number;
}

export interface CardTimes {
  /** When the card appeared or last changed. */
  changedAt: number;
  /** When another card was decided in this window. */
  otherDecidedAt: number;
  armed?: Held | undefined;
}

export type Heard = { kind: 'ignored' } | { kind: 'armed'; armed: Held } | { kind: 'act' };

export function hear(times: CardTimes, press: Press): Heard {
  const since = press.by === 'key' ? times.changedAt : times.otherDecidedAt;
  if (press.at - since < QUIET_MS) return { kind: 'ignored' };
  if (!press.twice) return { kind: 'act' };
  const { armed } = times;
  if (armed?.act === press.act && press.at - armed.at <= ARMED_MS) return { kind: 'act' };
  return { kind: 'armed', armed: { act: press.act, at: press.at } };
}
