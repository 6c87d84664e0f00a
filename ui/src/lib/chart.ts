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
