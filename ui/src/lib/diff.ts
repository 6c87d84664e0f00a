// What differs between two texts: lines that went, came or changed, with the words marked. After Myers, "An O(ND) difference
// algorithm and its variations". Pure.

/** Edits after which two lists are taken for different altogether, so that no text makes it slow. */
const EDITS_MAX = 2_000;
/** Words of a line that are compared; a longer line changed as a whole. */
const WORDS_MAX = 2_000;
/** Of the letters of two lines, the part that must be shared for one to be the other changed. */
const ALIKE = 0.3;

/** Lines in which the other of a changed one is looked for. */
const LOOK_MAX = 12;

export interface Part {
  text: string;
  /** Only this side has it. */
  mark: boolean;
}

export interface Line {
  /** Counted from 1. */
  n: number;
  parts: Part[];
}

/** Side by side: a line stands in both, in one of them, or in both but changed. */
export interface Row {
  kind: 'same' | 'gone' | 'added' | 'changed';
  before: Line | undefined;
  after: Line | undefined;
}

export function lineDiff(before: string, after: string): Row[] {
  const [a, b] = [linesOf(before), linesOf(after)];
  const rows: Row[] = [];
  for (const { from, to, otherFrom, otherTo, same } of blocks(a, b)) {
    if (same) {
      for (let i = from; i < to; i += 1) {
        const text = a[i] ?? '';
        rows.push({
          kind: 'same',
          before: plain(i, text),
          after: plain(otherFrom + i - from, text),
        });
      }
    } else rows.push(...changed(a.slice(from, to), from, b.slice(otherFrom, otherTo), otherFrom));
  }
  return rows;
}

/** The end of the last line is no line of its own. */
function linesOf(text: string): string[] {
  if (text === '') return [];
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}

const plain = (index: number, text: string): Line => ({ n: index + 1, parts: [{ text, mark: false }] });

/** Lines in each other's place, in order: those that are alike stand side by side, with what differs marked. */
function changed(gone: readonly string[], from: number, added: readonly string[], otherFrom: number): Row[] {
  const rows: Row[] = [];
  let next = 0;
  for (const [index, line] of gone.entries()) {
    const near = added.slice(next, next + LOOK_MAX).findIndex((other) => isAlike(line, other));
    const partner = next + near;
    if (near < 0) {
      rows.push({ kind: 'gone', before: plain(from + index, line), after: undefined });
      continue;
    }
    for (; next < partner; next += 1) rows.push(came(added[next] ?? '', otherFrom + next));
    const [before, after] = wordDiff(line, added[partner] ?? '');
    rows.push({
      kind: 'changed',
      before: { n: from + index + 1, parts: before },
      after: { n: otherFrom + partner + 1, parts: after },
    });
    next = partner + 1;
  }
  for (; next < added.length; next += 1) rows.push(came(added[next] ?? '', otherFrom + next));
  return rows;
}

const came = (text: string, index: number): Row => ({
  kind: 'added',
  before: undefined,
  after: plain(index, text),
});

function isAlike(a: string, b: string): boolean {
  const [mine, other] = [a.trim(), b.trim()];
  if (mine === '' || other === '') return mine === other;
  const [before] = wordDiff(mine, other);
  const shared = before.reduce((sum, { text, mark }) => sum + (mark ? 0 : text.trim().length), 0);
  return shared >= ALIKE * Math.max(mine.length, other.length);
}

/** Both sides of a line, with the words only one of them has marked. */
export function wordDiff(before: string, after: string): [Part[], Part[]] {
  const words = (text: string): string[] => text.match(/\s+|[\p{L}\p{N}_]+|./gsu) ?? [];
  const [a, b] = [words(before), words(after)];
  if (a.length > WORDS_MAX || b.length > WORDS_MAX)
    return [[{ text: before, mark: true }], [{ text: after, mark: true }]];
  const parts: [Part[], Part[]] = [[], []];
  for (const { from, to, otherFrom, otherTo, same } of blocks(a, b)) {
    add(parts[0], a.slice(from, to).join(''), !same);
    add(parts[1], b.slice(otherFrom, otherTo).join(''), !same);
  }
  return parts;
}

function add(parts: Part[], text: string, mark: boolean) {
  if (text !== '') parts.push({ text, mark });
}

interface Block {
  same: boolean;
  from: number;
  to: number;
  otherFrom: number;
  otherTo: number;
}

/** Two lists as stretches that are the same in both, and stretches in each other's place. */
export function blocks(a: readonly string[], b: readonly string[]): Block[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end])
    end += 1;
  const inner = matches(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const all: [number, number][] = [
    ...Array.from({ length: start }, (_, i): [number, number] => [i, i]),
    ...inner.map(([i, j]): [number, number] => [i + start, j + start]),
    ...Array.from({ length: end }, (_, i): [number, number] => [a.length - end + i, b.length - end + i]),
  ];
  return stretches(all, a.length, b.length);
}

function stretches(pairs: readonly [number, number][], aEnd: number, bEnd: number): Block[] {
  const found: Block[] = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...pairs, [aEnd, bEnd] as const]) {
    if (x > i || y > j) found.push({ same: false, from: i, to: x, otherFrom: j, otherTo: y });
    if (x < aEnd && y < bEnd) {
      const last = found.at(-1);
      if (last?.same && last.to === x && last.otherTo === y) {
        last.to += 1;
        last.otherTo += 1;
      } else found.push({ same: true, from: x, to: x + 1, otherFrom: y, otherTo: y + 1 });
    }
    [i, j] = [x + 1, y + 1];
  }
  return found;
}

/** How far each diagonal reaches, for one number of edits. */
class Reach {
  readonly #far: Int32Array;
  readonly #zero: number;

  constructor(far: Int32Array, zero: number) {
    this.#far = far;
    this.#zero = zero;
  }

  at(k: number): number {
    return this.#far[this.#zero + k] ?? -1;
  }

  set(k: number, x: number): void {
    this.#far[this.#zero + k] = x;
  }

  /** It as it is now, as far as so many edits can have led. */
  kept(edits: number): Reach {
    return new Reach(this.#far.slice(this.#zero - edits - 1, this.#zero + edits + 2), edits + 1);
  }

  /** Whether the way to a diagonal came by a line of the second list. */
  isDown(k: number, edits: number): boolean {
    return k === -edits || (k !== edits && this.at(k - 1) < this.at(k + 1));
  }
}

/** The places of a longest common subsequence; none where there are too many edits. */
function matches(a: readonly string[], b: readonly string[]): [number, number][] {
  const most = Math.min(a.length + b.length, EDITS_MAX);
  const trace: Reach[] = [];
  const reach = new Reach(new Int32Array(2 * most + 3).fill(-1), most + 1);
  reach.set(1, 0);
  for (let edits = 0; edits <= most; edits += 1) {
    trace.push(reach.kept(edits));
    for (let k = -edits; k <= edits; k += 2) {
      let x = reach.isDown(k, edits) ? reach.at(k + 1) : reach.at(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      reach.set(k, x);
      if (x >= a.length && x - k >= b.length) return walked(trace, a.length, b.length);
    }
  }
  return [];
}

/** Back from the end along the way that led there. */
function walked(trace: readonly Reach[], aEnd: number, bEnd: number): [number, number][] {
  const pairs: [number, number][] = [];
  let [x, y] = [aEnd, bEnd];
  for (const [edits, reach] of [...trace.entries()].reverse()) {
    const k = x - y;
    const before = reach.isDown(k, edits) ? k + 1 : k - 1;
    const fromX = edits === 0 ? 0 : reach.at(before);
    const fromY = edits === 0 ? 0 : fromX - before;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      pairs.push([x, y]);
    }
    [x, y] = [fromX, fromY];
  }
  return pairs.reverse();
}

/** Rows near a change, and how many are left out between them. */
export interface Stretch {
  /** Rows that are the same and not shown before these. */
  skipped: number;
  rows: Row[];
}

export function nearChanges(rows: readonly Row[], around: number): { shown: Stretch[]; rest: number } {
  const near = rows.map((_, index) =>
    rows.slice(Math.max(0, index - around), index + around + 1).some(({ kind }) => kind !== 'same'),
  );
  const shown: Stretch[] = [];
  let skipped = 0;
  for (const [index, row] of rows.entries()) {
    if (!near[index]) {
      skipped += 1;
      continue;
    }
    if (skipped > 0 || shown.length === 0) shown.push({ skipped, rows: [] });
    shown.at(-1)?.rows.push(row);
    skipped = 0;
  }
  return { shown, rest: skipped };
}
