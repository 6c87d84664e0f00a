// Rows as CSV (RFC 4180) that a spreadsheet takes as text and figures, never as formulas. Pure.

/** How a spreadsheet knows that this is UTF-8. */
const MARK = '\ufeff';
const LINE_END = '\r\n';
/** What a spreadsheet would compute instead of show, in its full-width forms too. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/u;

/** Figures are written as they are; a text that begins like a formula gets an apostrophe before it. */
export function csvCell(value: string | number): string {
  if (typeof value === 'number') return Number.isFinite(value) ? plain(value) : '';
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvOf(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return MARK + [head, ...rows].map((row) => row.map(csvCell).join(',') + LINE_END).join('');
}

/** Never with an exponent, which not every reader of CSV knows. */
function plain(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(20).replace(/\.?0+$/, '') : text;
}
