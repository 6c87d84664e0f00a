// Lines of a text, counted from 1 as people count them. Pure.

/** The offsets of a line, without its end. A line behind the end is the last one, one before the first the first. */
export function lineAt(text: string, line: number): { n: number; from: number; to: number } {
  const lines = text.split('\n');
  const n = Math.min(Math.max(line, 1), lines.length);
  const from = lines.slice(0, n - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return { n, from, to: from + (lines[n - 1]?.length ?? 0) };
}
