// Reads CSV as people and programs write it: RFC 4180, with the delimiter told from the first lines, any line end, and quotes
// that never close. Every cell is text and stays text. Pure; a text that comes in pieces is read piece by piece.

export const ROWS_MOST = 200_000;
export const COLUMNS_MOST = 100;
/** More of a cell is dropped, and said. */
export const CELL_CHARS_MOST = 10_000;
const DELIMITERS = [',', ';', '\t', '|'] as const;
export type Delimiter = (typeof DELIMITERS)[number];
/** The delimiter is told from so much of the beginning. */
const LOOKED_AT_CHARS = 4_096;
const LOOKED_AT_LINES = 10;

export interface Rows {
  head: string[];
  /** Each as wide as it was written, up to the limit. */
  rows: string[][];
  /** Something is longer than is kept: rows, columns or a cell. */
  cut: boolean;
}

/** The one that stands in the first lines most evenly; a comma where none does. */
export function delimiterOf(text: string): Delimiter {
  const lines = linesOf(text.slice(0, LOOKED_AT_CHARS)).slice(0, LOOKED_AT_LINES);
  let best: { delimiter: Delimiter; score: number } = { delimiter: ',', score: 0 };
  for (const delimiter of DELIMITERS) {
    const counts = lines.map((line) => line.split(delimiter).length - 1);
    const [first = 0] = counts;
    const even = counts.filter((count) => count === first).length / Math.max(1, counts.length);
    const score = first === 0 ? 0 : even * 100 + Math.min(first, 50);
    if (score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
}

/** Lines without what stands in quotes; the last one may be cut and does not count among several. */
function linesOf(text: string): string[] {
  const bare = text.replace(/"(?:[^"]|"")*(?:"|$)/g, '');
  const lines = bare.split(/\r\n|\r|\n/).filter((line) => line !== '');
  return lines.length > 1 ? lines.slice(0, -1) : lines;
}

export class RowReader {
  readonly #rows: string[][] = [];
  #delimiter: Delimiter | undefined;
  #row: string[] = [];
  #cell = '';
  #quoted = false;
  /** A quote inside of quotes was seen: it ends them unless another follows. */
  #quote = false;
  /** The line ended with a return; a line feed right after belongs to it. */
  #returned = false;
  /** Quotes stood in this line: it is not blank, though nothing may be in them. */
  #held = false;
  #cut = false;
  #begun = false;

  /** True once no more rows are kept. */
  get full(): boolean {
    return this.#rows.length > ROWS_MOST;
  }

  push(text: string): void {
    if (text === '') return;
    this.#delimiter ??= delimiterOf(text);
    let at = 0;
    // The mark of UTF-8 is no part of the first name.
    if (!this.#begun && text.startsWith('\ufeff')) at = 1;
    this.#begun = true;
    while (at < text.length && !this.full)
      at = this.#quoted ? this.#inside(text, at) : this.#outside(text, at);
    if (at < text.length) this.#cut = true;
  }

  end(): Rows {
    if (this.#cell !== '' || this.#row.length > 0 || this.#held) this.#endRow();
    const [head = [], ...rows] = this.#rows;
    if (rows.length > ROWS_MOST) {
      rows.length = ROWS_MOST;
      this.#cut = true;
    }
    return { head, rows, cut: this.#cut };
  }

  #inside(text: string, from: number): number {
    if (this.#quote) {
      this.#quote = false;
      if (text[from] === '"') {
        this.#add('"');
        return from + 1;
      }
      this.#quoted = false;
      return from;
    }
    const end = text.indexOf('"', from);
    this.#add(text.slice(from, end < 0 ? text.length : end));
    if (end < 0) return text.length;
    this.#quote = true;
    return end + 1;
  }

  #outside(text: string, from: number): number {
    const delimiter = this.#delimiter ?? ',';
    let at = from;
    while (at < text.length) {
      const char = text[at]!;
      if (char === delimiter || char === '\n' || char === '\r' || char === '"') break;
      at += 1;
    }
    if (at > from) this.#returned = false;
    this.#add(text.slice(from, at));
    const char = text[at];
    if (char === undefined) return at;
    if (char === '"') {
      // A quote begins quotes only at the beginning of a cell.
      if (this.#cell === '') this.#quoted = this.#held = true;
      else this.#add('"');
    } else if (char === delimiter) this.#endCell();
    else if (char === '\r' || !this.#returned) this.#endRow();
    this.#returned = char === '\r';
    return at + 1;
  }

  #add(text: string): void {
    const room = CELL_CHARS_MOST - this.#cell.length;
    if (text.length > room) this.#cut = true;
    this.#cell += text.slice(0, Math.max(0, room));
  }

  #endCell(): void {
    if (this.#row.length < COLUMNS_MOST) this.#row.push(this.#cell);
    else this.#cut = true;
    this.#cell = '';
    this.#quoted = false;
    this.#quote = false;
  }

  #endRow(): void {
    const blank = this.#row.length === 0 && this.#cell === '' && !this.#held;
    this.#endCell();
    if (!blank) this.#rows.push(this.#row);
    this.#row = [];
    this.#held = false;
  }
}

export function readRows(text: string): Rows {
  const reader = new RowReader();
  reader.push(text);
  return reader.end();
}

/** A cell as a figure, however thousands and decimals are parted; undefined: it is a text. */
export function figureIn(cell: string): number | undefined {
  const bare = cell.trim().replace(/^(-|−|\+)?\s*/u, (_, sign?: string) => (sign && sign !== '+' ? '-' : ''));
  const plain = bare.replace(/%$/, '').replace(/[\s\u00a0\u202f'’](?=\d{3}(?!\d))/gu, '');
  if (!/^-?\d[\d.,]*$/.test(plain)) return undefined;
  const [comma, point] = [plain.lastIndexOf(','), plain.lastIndexOf('.')];
  const grouped = (mark: string) => new RegExp(`^-?\\d{1,3}(\\${mark}\\d{3})+$`).test(plain);
  if (comma >= 0 && point >= 0) {
    // The later one parts the decimals; the other one thousands.
    const [decimal, group] = comma > point ? [',', '.'] : ['.', ','];
    const [whole = '', ...rest] = plain.split(decimal);
    if (rest.length !== 1 || !new RegExp(`^-?\\d{1,3}(\\${group}\\d{3})+$`).test(whole)) return undefined;
    return finite(`${whole.replaceAll(group, '')}.${rest[0]}`);
  }
  if (comma >= 0) return finite(grouped(',') ? plain.replaceAll(',', '') : plain.replace(',', '.'));
  // One point parts decimals, several thousands.
  const points = plain.split('.').length - 1;
  return points > 1 ? (grouped('.') ? finite(plain.replaceAll('.', '')) : undefined) : finite(plain);
}

function finite(text: string): number | undefined {
  const value = text === '' ? NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** A column is one of figures when nearly all of what stands in its first rows is one. */
const SAMPLE_ROWS = 200;
const FIGURES_LEAST = 0.8;

export function isFigures(rows: readonly (readonly string[])[], column: number): boolean {
  const filled = rows.slice(0, SAMPLE_ROWS).flatMap((row) => (row[column]?.trim() ? [row[column]] : []));
  const figures = filled.filter((cell) => figureIn(cell) !== undefined).length;
  return filled.length > 0 && figures / filled.length >= FIGURES_LEAST;
}
