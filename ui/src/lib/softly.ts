// Long work that lets the window breathe: it stops for a turn of the event loop whenever it has held it for a moment.

/** Below a frame, with room for what else happens in it. */
const HOLD_MS = 8;

/** Whoever wants the work no more. */
export interface Wanted {
  readonly over: boolean;
}

/** Returns a function to await between parts of the work; it really waits only when the time is up. */
export function breather(now: () => number = () => performance.now()): () => Promise<void> | undefined {
  let since = now();
  return () => {
    if (now() - since < HOLD_MS) return undefined;
    return new Promise<void>((resolve) =>
      setTimeout(() => {
        since = now();
        resolve();
      }),
    );
  };
}

/** So many are sorted at once; the sorted pieces are then merged. */
const PIECE = 1_024;

/** A stable sort of any length; undefined when it is wanted no more. */
export async function sortSoftly<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  wanted: Wanted,
): Promise<T[] | undefined> {
  const breathe = breather();
  let runs: T[][] = [];
  for (let at = 0; at < items.length; at += PIECE) {
    runs.push(items.slice(at, at + PIECE).sort(compare));
    await breathe();
    if (wanted.over) return undefined;
  }
  while (runs.length > 1) {
    const next: T[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      const [a, b] = [runs[at]!, runs[at + 1]];
      const merged = b ? await merge(a, b, compare, breathe, wanted) : a;
      if (!merged) return undefined;
      next.push(merged);
    }
    runs = next;
  }
  return runs[0] ?? [];
}

async function merge<T>(
  a: readonly T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
  breathe: () => Promise<void> | undefined,
  wanted: Wanted,
): Promise<T[] | undefined> {
  const out: T[] = [];
  let [left, right] = [0, 0];
  while (left < a.length || right < b.length) {
    const fromLeft = right >= b.length || (left < a.length && compare(a[left]!, b[right]!) <= 0);
    out.push(fromLeft ? a[left++]! : b[right++]!);
    if (out.length % PIECE !== 0) continue;
    await breathe();
    if (wanted.over) return undefined;
  }
  return out;
}
