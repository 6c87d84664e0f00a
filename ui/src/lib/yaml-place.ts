// Where in a YAML text the caret stands, told by lines and indentation alone: it works while the text is half written, when
// nothing could be parsed. Pure.

/** Keys from the top; `[]` is an item of a list. */
export type Place = readonly string[];

export interface CaretPlace {
  /** A key is written, a value, or either: the first word of an item. */
  kind: 'key' | 'value' | 'item';
  /** Of a key: the map it stands in; of a value: what holds it. */
  path: Place;
  /** What is written of it already, and where that begins. */
  typed: string;
  from: number;
  /** Keys that stand in the same map. */
  others: readonly string[];
}

interface Row {
  /** Columns of its dashes. */
  dashes: number[];
  column: number;
  key: string | undefined;
  rest: string;
}

const KEY = /^([\w.-]+|"[^"]*"|'[^']*'):(?:\s+(.*))?$/;

function rowOf(line: string): Row {
  const lead = /^ *(?:- +)*(?:-$)?/.exec(line)?.[0] ?? '';
  const dashes = [...lead.matchAll(/-/g)].map(({ index }) => index);
  const rest = line.slice(lead.length);
  const found = KEY.exec(rest);
  return { dashes, column: lead.length, key: found?.[1]?.replace(/["']/g, ''), rest: found?.[2] ?? '' };
}

const isEmpty = (line: string) => /^\s*(?:#.*)?$/.test(line);

/** Nothing inside a block of text, a comment or quotes. */
export function caretPlace(text: string, offset: number): CaretPlace | undefined {
  const before = text.slice(0, offset).split('\n');
  const line = before.pop() ?? '';
  if (/(?:^|\s)#/.test(line)) return undefined;
  const row = rowOf(line);
  const path = around(before, row);
  if (path === undefined) return undefined;
  const made = (kind: CaretPlace['kind'], at: Place, typed: string, others: readonly string[] = []) => ({
    kind,
    path: at,
    typed,
    from: offset - typed.length,
    others,
  });
  if (row.key !== undefined) {
    // The rest of the line behind the colon and one space.
    const value = line.slice(row.column + row.key.length + 1).trimStart();
    const typed = /[\w.]*$/.exec(value)?.[0] ?? '';
    const open = value.slice(0, value.length - typed.length);
    if (open === '') return made('value', [...path, row.key], typed);
    return /^\[(?:[\w.]+\s*,\s*)*\s*$/.test(open)
      ? made('value', [...path, row.key, '[]'], typed)
      : undefined;
  }
  const typed = line.slice(row.column);
  if (!/^[\w.]*$/.test(typed)) return undefined;
  const kind = row.dashes.length > 0 ? 'item' : 'key';
  return made(kind, path, typed, siblings(text, offset, row.column));
}

/** The key at a place of the text, with the way to it. */
export function keyAt(text: string, offset: number): Place | undefined {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  const line = text.slice(start, end < 0 ? text.length : end);
  if (isEmpty(line)) return undefined;
  const row = rowOf(line);
  if (row.key === undefined) return undefined;
  const path = around(text.slice(0, start).split('\n').slice(0, -1), row);
  return path && [...path, row.key];
}

/** The way to the map or list a line stands in; nothing inside a block of text. */
function around(lines: readonly string[], row: Row): Place | undefined {
  const path: string[] = [];
  let limit = row.column;
  /** A list may begin in the column of its key. */
  let isItem = false;
  const leave = (dashes: readonly number[]) => {
    for (const dash of dashes.toReversed()) {
      path.unshift('[]');
      limit = dash;
      isItem = true;
    }
  };
  leave(row.dashes);
  for (const line of lines.toReversed()) {
    if (isEmpty(line)) continue;
    const above = rowOf(line);
    const holds = above.column < limit || (isItem && above.column === limit && above.dashes.length === 0);
    if (above.key === undefined) {
      if (above.column < limit && above.dashes.length === 0) return undefined;
      continue;
    }
    if (holds) {
      if (/^[|>]/.test(above.rest)) return undefined;
      path.unshift(above.key);
      limit = above.column;
      isItem = false;
      leave(above.dashes);
    } else if (above.column === limit && !isItem && above.dashes.length > 0) leave(above.dashes);
    if (limit === 0 && !isItem) break;
  }
  return path;
}

/** Keys of the same map, above and below. */
function siblings(text: string, offset: number, column: number): string[] {
  const keys: string[] = [];
  const collect = (lines: readonly string[], up: boolean) => {
    for (const line of lines) {
      if (isEmpty(line)) continue;
      const row = rowOf(line);
      if (row.column < column) return;
      if (row.column > column) continue;
      // Below, a dash begins the next item; above, the one that holds this line.
      if (!up && row.dashes.length > 0) return;
      if (row.key !== undefined) keys.push(row.key);
      if (row.dashes.length > 0) return;
    }
  };
  const above = text.slice(0, offset).split('\n').slice(0, -1);
  const isFirst = /^ *- /.test(text.slice(text.lastIndexOf('\n', offset - 1) + 1));
  if (!isFirst) collect(above.toReversed(), true);
  collect(text.slice(offset).split('\n').slice(1), false);
  return keys;
}
