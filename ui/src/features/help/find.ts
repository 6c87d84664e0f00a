// Finds in the handbook: each heading with the words under it is one place. A page's own name counts before a heading, that
// before the words under it; every word of the wish has to be there. Pure.
import { blockText, ERRORS, type BookPage } from '../../lib/handbook';
import { fit, fold, LEVELS, type Range } from '../../lib/rank';

/** One heading and what stands under it. */
export interface Place {
  page: string;
  /** Of the page. */
  title: string;
  /** Of the heading; undefined: the page from its beginning. */
  at?: string;
  heading: string;
  text: string;
}

export interface Found {
  place: Place;
  /** Of the heading: what fits. */
  marks: Range[];
  /** Words around the first that fits; empty when the heading alone does. */
  excerpt: string;
  excerptMarks: Range[];
}

export const FOUND_MOST = 20;
const EXCERPT_CHARS = 140;
/** A heading is worth more than any place in a text: the levels of names end below this. */
const IN_TEXT = LEVELS.length + 1;
const WORD = /[\p{L}\p{N}]/u;

export function placesOf(page: BookPage): Place[] {
  const starts = page.headings.filter(({ level }) => level <= 3);
  const first = starts[0]?.at === 0 ? starts : [{ at: -1, level: 1, id: '', text: page.title }, ...starts];
  return first.map((heading, index): Place => {
    const end = first[index + 1]?.at ?? page.blocks.length;
    const under = page.blocks.slice(heading.at + 1, end).filter(({ kind }) => kind !== 'heading');
    return {
      page: page.id,
      title: page.title,
      ...(index === 0 ? {} : { at: heading.id }),
      heading: heading.text,
      text: under.map(blockText).join(' ').replace(/\s+/g, ' '),
    };
  });
}

/** The best first; of two that fit alike, the one that is read first. */
export function find(places: readonly Place[], wish: string): Found[] {
  const words = wish.trim().split(/\s+/u).filter(Boolean);
  if (words.length === 0) return [];
  const scored = places.flatMap((place) => {
    const own = fit(place.heading, wish, true);
    const near = `${place.heading} ${place.text}`;
    // The name of the page may help, but alone it finds the page, not each heading of it.
    const here = words.some((word) => allIn(near, [word])) && allIn(`${place.title} ${near}`, words);
    if (!own && !here) return [];
    const score = own ? LEVELS.indexOf(own.level) + lateness(place) : IN_TEXT;
    const { text, marks } = excerptOf(place.text, words);
    return [{ score, found: { place, marks: own?.ranges ?? [], excerpt: text, excerptMarks: marks } }];
  });
  return scored
    .sort((a, b) => a.score - b.score)
    .slice(0, FOUND_MOST)
    .map(({ found }) => found);
}

/** Of headings that fit alike, a page's own is meant before one in it, and what is done before what may go wrong. */
function lateness({ page, at }: Place): number {
  if (page.startsWith(`${ERRORS}/`)) return 2;
  return at === undefined ? 0 : 0.5;
}

function allIn(text: string, words: readonly string[]): boolean {
  const { letters } = folded(text);
  return words.every((word) => letters.includes(folded(word).letters));
}

interface Letters {
  /** One unit each, so that a place in them is a place in `from`. */
  letters: string;
  from: readonly Range[];
}

/** The same texts are looked through at every key. */
const known = new Map<string, Letters>();
const KNOWN_MOST = 2_000;
const NO_LETTER = '\ufffd';

function folded(text: string): Letters {
  const before = known.get(text);
  if (before) return before;
  const { letters, from } = fold(text);
  const one = { letters: letters.map((letter) => (letter.length === 1 ? letter : NO_LETTER)).join(''), from };
  if (known.size >= KNOWN_MOST) known.clear();
  known.set(text, one);
  return one;
}

/** A piece of the text that begins a little before the first word that fits. */
function excerptOf(text: string, words: readonly string[]): { text: string; marks: Range[] } {
  const [first] = rangesOf(text, words);
  if (!first) return { text: '', marks: [] };
  let from = Math.max(0, first[0] - EXCERPT_CHARS / 4);
  while (from > 0 && WORD.test(text.charAt(from - 1))) from -= 1;
  let to = Math.min(text.length, from + EXCERPT_CHARS);
  while (to < text.length && WORD.test(text.charAt(to))) to += 1;
  const [head, tail] = [from > 0 ? '… ' : '', to < text.length ? ' …' : ''];
  const piece = text.slice(from, to);
  const marks = rangesOf(piece, words).map(([a, b]): Range => [a + head.length, b + head.length]);
  return { text: head + piece + tail, marks };
}

/** Every place of the words, in order, none over another. */
function rangesOf(text: string, words: readonly string[]): Range[] {
  const { letters, from } = folded(text);
  const found = words.flatMap((word) => {
    const wanted = folded(word).letters;
    const ranges: Range[] = [];
    if (wanted === '') return ranges;
    for (let at = letters.indexOf(wanted); at >= 0; at = letters.indexOf(wanted, at + wanted.length)) {
      const [begin, end] = [from[at]?.[0], from[at + wanted.length - 1]?.[1]];
      if (begin !== undefined && end !== undefined) ranges.push([begin, end]);
    }
    return ranges;
  });
  let last = 0;
  return found
    .sort((a, b) => a[0] - b[0])
    .filter(([begin, end]) => {
      const clear = begin >= last;
      if (clear) last = end;
      return clear;
    });
}
