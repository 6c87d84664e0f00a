// Where the points and bars of the small charts stand. Pure; the components only draw.
export interface Bar {
  x: number;
  width: number;
  y: number;
  height: number;
}

/** Bars in a box of `width` x `height`, the largest value reaching the top; a value above zero is at least 1 high. */
export function bars(
  values: readonly number[],
  width: number,
  height: number,
  gap: number,
  limit = 0,
): Bar[] {
  const top = Math.max(limit, ...values, 0);
  const each = (width - gap * Math.max(0, values.length - 1)) / Math.max(1, values.length);
  return values.map((value, index) => {
    const size = top === 0 || value <= 0 ? 0 : Math.max(1, (value / top) * height);
    return { x: index * (each + gap), width: each, y: height - size, height: size };
  });
}

/**
 * Bars of several parts on top of each other, the first at the bottom: one list a bar. A part above zero is at least 1 high
 * where its bar has room; a seam of `seam` parts it from the one below.
 */
export function stacks(
  values: readonly (readonly number[])[],
  width: number,
  height: number,
  gap: number,
  top: number,
  seam: number,
): Bar[][] {
  const sums = values.map((parts) => parts.reduce((sum, part) => sum + Math.max(0, part), 0));
  return bars(sums, width, height, gap, top).map(({ x, width: each, height: whole }, index) => {
    const sum = sums[index] ?? 0;
    let under = 0;
    return (values[index] ?? []).map((part) => {
      if (part <= 0 || sum === 0) return { x, width: each, y: height - under, height: 0 };
      const size = (part / sum) * whole;
      const y = height - under - size;
      const open = under > 0 && size > 2 * seam ? seam : 0;
      under += size;
      return { x, width: each, y, height: size - open };
    });
  });
}

const STEPS = [1, 2, 2.5, 5, 10];

/** The end of an axis that holds `most`, and the round values from 0 to there; about `parts` of them above 0. */
export function axis(most: number, parts = 4): number[] {
  if (!(most > 0) || !Number.isFinite(most)) return [0];
  const step = stepOf(most / parts);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/** Round values that hold everything between `low` and `high`, zero always among them. */
export function axisBetween(low: number, high: number, parts = 4): number[] {
  const [from, to] = [Math.min(0, low), Math.max(0, high)];
  if (!(to > from) || !Number.isFinite(to - from)) return [0];
  const step = stepOf((to - from) / parts);
  const first = Math.floor(from / step + 1e-9);
  const last = Math.ceil(to / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
}

/** The round step next above. */
function stepOf(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return (STEPS.find((one) => one * power >= rough * (1 - 1e-9)) ?? 10) * power;
}

/** Which of `count` labels are written when at most `most` fit: the last one always, and then every so many. */
export function labelled(count: number, most: number): number[] {
  const every = Math.max(1, Math.ceil(count / Math.max(1, most)));
  const found: number[] = [];
  for (let index = count - 1; index >= 0; index -= every) found.unshift(index);
  return found;
}

/** A line through the values, as the `d` of a path. One value is a flat line. */
export function line(values: readonly number[], width: number, height: number): string {
  if (values.length === 0) return '';
  const all = values.length === 1 ? [values[0]!, values[0]!] : values;
  const low = Math.min(...all);
  const span = Math.max(...all) - low;
  const point = (value: number, index: number) => {
    const x = (index / (all.length - 1)) * width;
    const y = span === 0 ? height / 2 : height - ((value - low) / span) * height;
    return `${round(x)} ${round(y)}`;
  };
  return `M${all.map(point).join('L')}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
