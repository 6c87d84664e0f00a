import { describe, expect, it } from 'vitest';
import { hear, type CardTimes, type Press } from './press';

const times: CardTimes = { changedAt: 0, otherDecidedAt: -10_000 };
const press = (over: Partial<Press> = {}): Press => ({
  act: 'allow',
  twice: true,
  by: 'key',
  at: 1_000,
  ...over,
});

function check(name: string, at: CardTimes, one: Press, expected: string) {
  it(name, () => expect(hear(at, one).kind).toBe(expected));
}

describe('a press', () => {
  check('acts at once where one is enough', times, press({ twice: false }), 'act');
  check('arms where two are needed', times, press(), 'armed');
  const armed = { ...times, armed: { act: 'allow', at: 1_000 } };
  check('acts as the second within three seconds', armed, press({ at: 4_000 }), 'act');
  check('arms again when the first is too old', armed, press({ at: 4_001 }), 'armed');
  check('arms anew when the first was another act', armed, press({ act: 'more', at: 1_200 }), 'armed');
  check('is the same for clicks', armed, press({ by: 'click', at: 1_200 }), 'act');
  check('of a key is not heard right after the card changed', times, press({ at: 499 }), 'ignored');
  check('of a key is not heard even where one is enough', times, press({ at: 499, twice: false }), 'ignored');
  check('of a key is heard half a second after', times, press({ at: 500 }), 'armed');
  check('of the pointer is heard at once', times, press({ by: 'click', at: 10, twice: false }), 'act');
  const follows = { changedAt: 0, otherDecidedAt: 0 };
  check(
    'of the pointer is not heard where another card was just decided',
    follows,
    press({ by: 'click', at: 499, twice: false }),
    'ignored',
  );
});
