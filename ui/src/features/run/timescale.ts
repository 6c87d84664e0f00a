// Where a time stands on the timeline and which time stands at a place. Idle gaps take a fixed width, whatever they lasted;
// the rest is drawn to scale. Pure.

/** A gap in which nothing was done. Unix milliseconds. */
export interface Idle {
  from: number;
  to: number;
  /** A question was open: the run waited for a person. */
  waiting: boolean;
}

export interface Scale {
  /** Strictly rising in both; straight lines between. */
  knots: readonly { t: number; x: number }[];
  gaps: readonly (Idle & { x: number; width: number })[];
  pxPerMs: number;
  width: number;
}

/** A shorter run is drawn as if it had lasted this long. */
const SPAN_LEAST_MS = 1_000;
/** What a compressed gap is wide, and what all gaps take at most of a timeline that is fitted into the view. */
const GAP_PX = 72;
const GAPS_SHARE = 0.4;
/** A millisecond is never drawn wider; below it entries have no order in time. */
const MS_PX_MOST = 2;
/** Browsers lose precision in wider boxes. */
const WIDTH_PX_MOST = 4_000_000;
const TICK_PX = 84;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const TICK_STEPS_MS = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 6, 12, 24, 48, 168, 720].map((n) => n * HOUR),
];

interface Span {
  from: number;
  to: number;
  /** In order, not overlapping, inside of the span. */
  idle: readonly Idle[];
}

function drawnMs({ from, to, idle }: Span): number {
  const gone = idle.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  return Math.max(SPAN_LEAST_MS, to - from - gone);
}

function gapWidth(idle: readonly Idle[], width: number): number {
  return idle.length === 0 ? GAP_PX : Math.max(1, Math.min(GAP_PX, (width * GAPS_SHARE) / idle.length));
}

/** Pixels a millisecond takes when all of it is to be seen in `width`. */
export function fitting(span: Span, width: number): number {
  const gaps = span.idle.length * gapWidth(span.idle, width);
  return Math.max(1, width - gaps) / drawnMs(span);
}

/** The widest a millisecond may be drawn. */
export function widest(span: Span, width: number): number {
  return Math.max(fitting(span, width), Math.min(MS_PX_MOST, WIDTH_PX_MOST / drawnMs(span)));
}

/** @param width of the view the gaps are drawn in */
export function scaleOf(span: Span, pxPerMs: number, width: number): Scale {
  const gapPx = gapWidth(span.idle, width);
  const knots: { t: number; x: number }[] = [{ t: span.from, x: 0 }];
  const gaps: Scale['gaps'][number][] = [];
  let [t, x] = [span.from, 0];
  const draw = (to: number, px: number) => {
    if (to <= t) return;
    [t, x] = [to, x + px];
    knots.push({ t, x });
  };
  for (const gap of span.idle) {
    draw(gap.from, (gap.from - t) * pxPerMs);
    gaps.push({ ...gap, x, width: gapPx });
    draw(gap.to, gapPx);
  }
  const worked = span.idle.reduce((sum, gap) => sum - (gap.to - gap.from), span.to - span.from);
  const end = Math.max(span.to, t) + Math.max(0, SPAN_LEAST_MS - worked);
  draw(end, (end - t) * pxPerMs);
  return { knots, gaps, pxPerMs, width: x };
}

/** A time outside of the scale stands at its near end. */
export function xOf({ knots }: Scale, t: number): number {
  return between(knots, t, 't', 'x');
}

export function timeOf({ knots }: Scale, x: number): number {
  return between(knots, x, 'x', 't');
}

function between(knots: Scale['knots'], value: number, of: 't' | 'x', to: 't' | 'x'): number {
  let [low, high] = [0, knots.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle]![of] <= value) low = middle;
    else high = middle;
  }
  const [a, b] = [knots[low]!, knots[high]!];
  if (value <= a[of]) return a[to];
  if (value >= b[of]) return b[to];
  return a[to] + ((value - a[of]) / (b[of] - a[of])) * (b[to] - a[to]);
}

/** Round times since the beginning, inside of what is seen and never in a gap. */
export function ticksIn(scale: Scale, from: number, to: number): { t: number; x: number }[] {
  const start = scale.knots[0]?.t ?? 0;
  const longest = TICK_STEPS_MS.at(-1)!;
  let step = TICK_STEPS_MS.find((ms) => ms * scale.pxPerMs >= TICK_PX) ?? longest;
  while (step * scale.pxPerMs < TICK_PX) step *= 2;
  const out: { t: number; x: number }[] = [];
  for (let index = 1; index < scale.knots.length; index += 1) {
    const [a, b] = [scale.knots[index - 1]!, scale.knots[index]!];
    if (b.x < from || a.x > to || scale.gaps.some((gap) => gap.from === a.t && gap.to === b.t)) continue;
    const first = Math.max(a.t, timeOf(scale, Math.max(a.x, from)));
    const last = Math.min(b.t, timeOf(scale, Math.min(b.x, to)));
    let t = start + Math.ceil((first - start) / step) * step;
    for (; t <= last; t += step) {
      const x = xOf(scale, t);
      // Where two stretches meet, the tick is there already.
      if (out.at(-1) === undefined || x - out.at(-1)!.x >= TICK_PX / 2) out.push({ t, x });
    }
  }
  return out;
}
