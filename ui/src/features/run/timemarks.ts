// What of a lane is drawn: its items inside of the view, with those too narrow to be told apart drawn as one. So the document
// stays small however long the run is. Also where the arrow keys lead. Pure.
import type { Item, Lane } from './timeline';
import { xOf, type Scale } from './timescale';

/** What is narrower than this joins its neighbours, unless there is more than can be drawn. */
export const GRAIN_PX = 8;
/** So many marks are drawn at most, whatever the run and the view: the document must stay small. */
export const MARKS_MOST = 260;
/** Nothing is drawn narrower. */
const BAR_PX_LEAST = 3;
/** A dot or a diamond reaches this far to both sides. */
export const SIGN_PX = 7;

export interface Mark {
  /** The first of what it stands for. */
  first: Item;
  last: Item;
  count: number;
  /** How many of them went wrong. */
  bad: number;
  x: number;
  width: number;
}

const TROUBLE: ReadonlySet<Item['state']> = new Set(['bad', 'failed', 'interrupted', 'uncertain', 'denied']);

export function isBad(item: Item): boolean {
  return TROUBLE.has(item.state);
}

export function isCall(item: Item): boolean {
  return item.kind === 'model' || item.kind === 'tool';
}

export interface View {
  scale: Scale;
  /** The end of what is still going on. */
  now: number;
  /** What is seen, in the scale's pixels. */
  from: number;
  to: number;
  /** What is narrower joins its neighbours. */
  grain: number;
}

/** The grain at which that many lanes give no more marks than are drawn. */
export function coarse(lanes: number, width: number): number {
  return Math.max(GRAIN_PX, (lanes * width) / MARKS_MOST);
}

/** @param keep an item that is drawn wherever it stands, because it has the focus */
export function marksOf(lane: Lane, { scale, now, from, to, grain }: View, keep?: Item): Mark[] {
  const marks: Mark[] = [];
  const earliest = scale.knots[0]?.t ?? 0;
  // Calls join calls, and questions and words each other, or there would be no end of either.
  let open: { bar?: Mark; sign?: Mark } = {};
  for (const item of lane.items) {
    const x = xOf(scale, Math.max(item.start, earliest));
    if (x - SIGN_PX > to && item !== keep) {
      if (keep && keep.lane === lane && keep.id > item.id) continue;
      break;
    }
    const end = Math.max(xOf(scale, item.end ?? now), x);
    if (end + SIGN_PX < from && item !== keep) continue;
    const bad = isBad(item) ? 1 : 0;
    const width = Math.max(BAR_PX_LEAST, end - x);
    if (width >= grain) {
      open = {};
      marks.push({ first: item, last: item, count: 1, bad, x, width });
      continue;
    }
    const sort = isCall(item) ? 'bar' : 'sign';
    const near = open[sort];
    if (near && x - (near.x + near.width) < grain - BAR_PX_LEAST) {
      near.last = item;
      near.count += 1;
      near.bad += bad;
      near.width = Math.max(near.width, x + width - near.x);
      continue;
    }
    const mark = { first: item, last: item, count: 1, bad, x, width };
    open[sort] = mark;
    marks.push(mark);
  }
  return marks;
}

export function holds(mark: Mark, item: Item): boolean {
  if (mark.count === 1) return mark.first === item;
  return (
    isCall(mark.first) === isCall(item) &&
    mark.first.lane === item.lane &&
    mark.first.id <= item.id &&
    item.id <= mark.last.id
  );
}

export type Move = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown' | 'Home' | 'End';

/** The mark an arrow key leads to; undefined at an edge. */
export function moved(
  lanes: readonly Lane[],
  current: Item,
  key: Move,
  view: Pick<View, 'scale' | 'now' | 'grain'>,
): Mark | undefined {
  const all = (lane: Lane) => marksOf(lane, { ...view, from: -Infinity, to: Infinity });
  const own = all(current.lane);
  const at = own.findIndex((mark) => holds(mark, current));
  if (key === 'Home') return own[0];
  if (key === 'End') return own.at(-1);
  if (key === 'ArrowLeft') return at > 0 ? own[at - 1] : undefined;
  if (key === 'ArrowRight') return own[at + 1];
  const by = key === 'ArrowDown' ? 1 : -1;
  const x = own[at]?.x ?? 0;
  for (let index = lanes.indexOf(current.lane) + by; lanes[index]; index += by) {
    const there = all(lanes[index]!);
    const nearest = there.reduce<Mark | undefined>(
      (best, mark) => (!best || Math.abs(mark.x - x) < Math.abs(best.x - x) ? mark : best),
      undefined,
    );
    if (nearest) return nearest;
  }
  return undefined;
}
