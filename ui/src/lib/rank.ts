// How well a name fits what was typed, and in which order names stand: the beginning of the whole before the beginning of a
// word, that before the inside of one, that before letters with gaps. Of two that fit alike, what was chosen last comes first;
// otherwise the given order stays. Accents, marks and letter shapes do not count. Pure.

/** Half-open, in UTF-16 units of the text as it is shown. */
export type Range = readonly [number, number];

/** `about`: not by what it is called, but by what it is for. */
export const LEVELS = ['prefix', 'word', 'about', 'inner', 'gaps'] as const;
export type Level = (typeof LEVELS)[number];

export interface Fit {
  level: Level;
  ranges: Range[];
}

export interface Rankable {
  id: string;
  label: string;
  /** Other words it is known by; they are matched, never marked. */
  also?: string;
  /** What it is for, in words a person may look for; matched where a word of them begins, never marked. */
  about?: string;
  /** A sentence, not a name: letters with gaps say nothing in it, and its first word is a word like any. */
  whole?: boolean;
  /** Whoever found it says that it fits. */
  found?: boolean;
}

export interface Ranked<I> {
  item: I;
  level: Level;
  ranges: Range[];
}

interface Folded {
  readonly letters: readonly string[];
  /** The place in the text each folded letter comes from. */
  readonly from: readonly Range[];
  /** A word begins here. */
  readonly starts: readonly boolean[];
}

/** While it is made. */
interface Folding {
  letters: string[];
  from: Range[];
  starts: boolean[];
}

/** Letters that no decomposition takes apart, as a person without the key types them. */
const PLAIN: Readonly<Record<string, string>> = {
  æ: 'ae',
  œ: 'oe',
  ß: 'ss',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ı: 'i',
  ɓ: 'b',
  ɗ: 'd',
  ƙ: 'k',
  ɛ: 'e',
  ɔ: 'o',
  ŋ: 'n',
  ƴ: 'y',
  '’': "'",
  ʼ: "'",
  ى: 'ي',
  ة: 'ه',
  ٱ: 'ا',
  ـ: '',
};
const MARK = /\p{M}/gu;
const WORD = /[\p{L}\p{N}]/u;
const ARTICLE = ['ا', 'ل'];

/** Names that were folded lately: with every letter that is typed the same ones are looked at again. */
const FOLDED_MOST = 5_000;
/** Longer than a name: not kept. */
const NAME_CHARS = 200;
const lately = new Map<string, Folded>();

export function fold(text: string): Folded {
  if (text.length > NAME_CHARS) return foldAnew(text);
  const known = lately.get(text);
  if (known) return known;
  const folded = foldAnew(text);
  if (lately.size >= FOLDED_MOST) lately.clear();
  lately.set(text, folded);
  return folded;
}

function foldAnew(text: string): Folded {
  const folded: Folding = { letters: [], from: [], starts: [] };
  let at = 0;
  let inWord = false;
  for (const sign of text) {
    const range: Range = [at, at + sign.length];
    at += sign.length;
    const bare = sign < '\x80' ? sign.toLowerCase() : sign.normalize('NFKD').replace(MARK, '').toLowerCase();
    const isWord = WORD.test(bare);
    const letters = [...bare].flatMap((one) => [...(PLAIN[one] ?? one)]);
    if (letters.length === 0) {
      // A mark on its own belongs to the letter before it.
      const before = folded.from.pop();
      if (before) folded.from.push([before[0], at]);
      continue;
    }
    let first = isWord && !inWord;
    for (const letter of letters) {
      folded.letters.push(letter);
      folded.from.push(range);
      folded.starts.push(first);
      first = false;
    }
    // An apostrophe lies inside a word: ng'ombe.
    if (letters[0] !== "'") inWord = isWord;
  }
  afterArticles(folded);
  return folded;
}

/** In Arabic a word is also known without its article. */
function afterArticles({ letters, starts }: Folding): void {
  for (let at = 0; at + 2 < letters.length; at += 1)
    if (starts[at] && letters[at] === ARTICLE[0] && letters[at + 1] === ARTICLE[1] && letters[at + 2] !== ' ')
      starts[at + 2] = true;
}

/** Undefined: it does not fit. An empty wish fits everything. */
export function fit(text: string, wish: string, whole = false): Fit | undefined {
  const name = fold(text);
  const wanted = fold(wish.trim()).letters;
  if (wanted.length === 0) return { level: 'prefix', ranges: [] };
  const places = placesOf(name.letters, wanted);
  const [first] = places;
  if (first === 0) return { level: 'prefix', ranges: rangesOf(name, run(0, wanted.length)) };
  const atStart = places.find((place) => name.starts[place]);
  if (atStart !== undefined) return { level: 'word', ranges: rangesOf(name, run(atStart, wanted.length)) };
  const words = wordByWord(name, wanted);
  if (words) return { level: 'word', ranges: rangesOf(name, words) };
  if (first !== undefined) return { level: 'inner', ranges: rangesOf(name, run(first, wanted.length)) };
  const gaps = whole ? undefined : withGaps(name, wanted);
  return gaps && { level: 'gaps', ranges: rangesOf(name, gaps) };
}

/** Those that fit, best first. */
export function rank<I extends Rankable>(
  items: readonly I[],
  wish: string,
  lately: readonly string[],
): Ranked<I>[] {
  const recency = new Map(lately.map((id, index) => [id, index]));
  const never = lately.length;
  const fitting = items.flatMap((item): Ranked<I>[] => {
    const own = fit(item.label, wish, item.whole);
    const about = item.about === undefined ? undefined : fit(item.about, wish, true);
    const isAbout = about?.level === 'prefix' || about?.level === 'word';
    const better = own !== undefined && LEVELS.indexOf(own.level) < LEVELS.indexOf('about');
    if (isAbout && !better) return [{ item, level: 'about', ranges: [] }];
    // A sentence begins with some word; a name that begins so is meant rather than it.
    if (own?.level === 'prefix' && item.whole && own.ranges.length > 0)
      return [{ item, level: 'word', ranges: own.ranges }];
    if (own) return [{ item, ...own }];
    const other = item.also === undefined ? undefined : fit(item.also, wish, true);
    if (other) return [{ item, level: other.level, ranges: [] }];
    return item.found ? [{ item, level: 'inner', ranges: [] }] : [];
  });
  const levelOf = ({ level }: Pick<Ranked<I>, 'level'>) => LEVELS.indexOf(level);
  const when = ({ item }: Ranked<I>) => recency.get(item.id) ?? never;
  // Letters with gaps are a guess: where something is called so or is for it, nobody meant them.
  const meant = fitting.some(({ level }) => levelOf({ level }) <= LEVELS.indexOf('about'));
  const kept = meant ? fitting.filter(({ level }) => level !== 'gaps') : fitting;
  return kept.sort((a, b) => levelOf(a) - levelOf(b) || when(a) - when(b));
}

/** The text cut where its ranges begin and end. */
export function marked(text: string, ranges: readonly Range[]): { text: string; hit: boolean }[] {
  const pieces: { text: string; hit: boolean }[] = [];
  let at = 0;
  for (const [from, to] of ranges) {
    if (from > at) pieces.push({ text: text.slice(at, from), hit: false });
    pieces.push({ text: text.slice(from, to), hit: true });
    at = to;
  }
  if (at < text.length || pieces.length === 0) pieces.push({ text: text.slice(at), hit: false });
  return pieces;
}

function placesOf(letters: readonly string[], wanted: readonly string[]): number[] {
  const places: number[] = [];
  for (let at = 0; at + wanted.length <= letters.length; at += 1)
    if (wanted.every((letter, index) => letters[at + index] === letter)) places.push(at);
  return places;
}

/** Each word of the wish begins a word of the name, in any order: `setup bus` finds "Complete Business Setup". */
function wordByWord(name: Folded, wanted: readonly string[]): number[] | undefined {
  const words = wanted.join('').split(/\s+/u).filter(Boolean);
  if (words.length < 2) return undefined;
  const taken = new Set<number>();
  for (const word of words) {
    const letters = [...word];
    const place = placesOf(name.letters, letters).find((at) => name.starts[at] && !taken.has(at));
    if (place === undefined) return undefined;
    for (const at of run(place, letters.length)) taken.add(at);
  }
  return [...taken].sort((a, b) => a - b);
}

/** All letters in order, the first at the beginning of a word; after a gap a word's beginning is taken before its inside. */
function withGaps(name: Folded, wanted: readonly string[]): number[] | undefined {
  const first = name.letters.findIndex((letter, at) => name.starts[at] && letter === wanted[0]);
  if (first < 0) return undefined;
  const found = [first];
  for (const letter of wanted.slice(1).filter((one) => one !== ' ')) {
    const last = found.at(-1) ?? 0;
    const next = name.letters.indexOf(letter, last + 1);
    if (next < 0) return undefined;
    const start = name.letters.findIndex((one, at) => at > last && name.starts[at] && one === letter);
    // Together is better than at a start; a start is better than anywhere.
    found.push(next === last + 1 || start < 0 ? next : start);
  }
  return found;
}

function run(from: number, length: number): number[] {
  return Array.from({ length }, (_, index) => from + index);
}

/** Places of folded letters as ranges of the shown text, joined where they touch. */
function rangesOf({ from }: Folded, places: readonly number[]): Range[] {
  const ranges: [number, number][] = [];
  for (const place of places) {
    const [begin, end] = from[place] ?? [0, 0];
    const last = ranges.at(-1);
    if (last && begin <= last[1]) last[1] = Math.max(last[1], end);
    else ranges.push([begin, end]);
  }
  return ranges;
}
