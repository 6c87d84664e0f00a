// Which way a block of text runs: by the majority of its strong characters, because a model that answers in Arabic often
// starts with a Latin name. Code, addresses and numbers do not vote.
export type Direction = 'ltr' | 'rtl';

const RTL_LETTER =
  /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const LETTER = /\p{L}/u;
/**
 * Parts that stay left to right whatever surrounds them. Every part begins at a place of its own (a word, a scheme of bounded
 * length): a long word without an address in it is read once and not from each of its letters.
 */
const NEUTRAL = /```[\s\S]*?(?:```|$)|`[^`\n]*`|\b[a-z][a-z0-9+.-]{0,31}:\/\/\S+|(?<!\S)[^\s@]+@[^\s@]+/giu;
/** A verdict needs no more than this many characters. */
const LOOKED_AT_CHARS = 2_000;

export function directionOf(text: string, otherwise: Direction = 'ltr'): Direction {
  let balance = 0;
  for (const char of text.slice(0, LOOKED_AT_CHARS).replace(NEUTRAL, ' ')) {
    if (RTL_LETTER.test(char)) balance -= 1;
    else if (LETTER.test(char)) balance += 1;
  }
  if (balance === 0) return otherwise;
  return balance > 0 ? 'ltr' : 'rtl';
}

const FIRST_STRONG_ISOLATE = '\u2068';
const LEFT_TO_RIGHT_ISOLATE = '\u2066';
const POP_ISOLATE = '\u2069';

/** Wraps a value that runs against its sentence; a value that runs with it stays as it is. */
export function isolate(value: string, around: Direction): string {
  const against =
    around === 'ltr' ? RTL_LETTER.test(value) : [...value].some((c) => LETTER.test(c) && !RTL_LETTER.test(c));
  return against ? `${FIRST_STRONG_ISOLATE}${value}${POP_ISOLATE}` : value;
}

/** Figures with units and currency signs read left to right in Arabic too. */
export function isolateLtr(value: string, around: Direction): string {
  return around === 'rtl' ? `${LEFT_TO_RIGHT_ISOLATE}${value}${POP_ISOLATE}` : value;
}
