// A JSON value as the lines of a tree: only what stands open. Pure; nothing recurses, however deep the value is.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface TreeLine {
  /** The place in the value, unique and stable: `$.a[3]` as its keys. */
  id: string;
  depth: number;
  /** Absent at the root and in lists. */
  key?: string;
  /** In a list: from 0. */
  index?: number;
  kind: 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null' | 'more';
  /** Of a value without children, and of `more` how many are not shown. */
  text: string;
  /** Children of an object or a list. */
  size?: number;
  open?: boolean;
  parent?: string;
  /** From 0, among so many that are drawn. */
  place: number;
  of: number;
}

/** More children of one value are counted, not drawn. */
export const CHILDREN_MOST = 5_000;
/** A text is drawn up to here on its line. */
export const TEXT_CHARS = 300;

const ROOT = '$';

export function linesOfTree(value: Json, open: ReadonlySet<string>): TreeLine[] {
  const lines: TreeLine[] = [];
  const waiting: (TreeLine | { value: Json; line: Omit<TreeLine, 'kind' | 'text'> })[] = [
    { value, line: { id: ROOT, depth: 0, place: 0, of: 1 } },
  ];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (!('value' in next)) {
      lines.push(next);
      continue;
    }
    const { value: own, line } = next;
    if (typeof own !== 'object' || own === null) {
      lines.push({ ...line, ...leaf(own) });
      continue;
    }
    const isList = Array.isArray(own);
    const keys = Object.keys(own);
    const isOpen = open.has(line.id);
    lines.push({
      ...line,
      kind: isList ? 'array' : 'object',
      text: '',
      size: keys.length,
      ...(keys.length > 0 ? { open: isOpen } : {}),
    });
    if (!isOpen) continue;
    const { depth, id } = line;
    const drawn = Math.min(keys.length, CHILDREN_MOST);
    const of = drawn + Number(keys.length > drawn);
    if (keys.length > CHILDREN_MOST)
      waiting.push({
        id: `${id}/…`,
        depth: depth + 1,
        kind: 'more',
        text: String(keys.length - CHILDREN_MOST),
        parent: id,
        place: drawn,
        of,
      });
    // The last is taken first.
    for (let at = drawn - 1; at >= 0; at -= 1) {
      const key = keys[at]!;
      waiting.push({
        value: (own as Record<string, Json>)[key]!,
        line: {
          id: childId(id, key),
          depth: depth + 1,
          parent: id,
          place: at,
          of,
          ...(isList ? { index: at } : { key }),
        },
      });
    }
  }
  return lines;
}

/** A slash in a key is none of ours. */
function childId(parent: string, key: string): string {
  return `${parent}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function leaf(value: null | boolean | number | string): Pick<TreeLine, 'kind' | 'text'> {
  if (value === null) return { kind: 'null', text: 'null' };
  if (typeof value !== 'string') return { kind: typeof value as 'number' | 'boolean', text: String(value) };
  const cut = value.length > TEXT_CHARS ? `${value.slice(0, TEXT_CHARS)}…` : value;
  return { kind: 'string', text: JSON.stringify(cut) };
}

/** What stands open at first: the root, and what is small enough to be seen with it. */
const FIRST_LINES = 40;

export function firstOpen(value: Json): Set<string> {
  const open = new Set([ROOT]);
  for (let more = true; more;) {
    more = false;
    const lines = linesOfTree(value, open);
    for (const { id, open: isOpen, size = 0 } of lines) {
      if (isOpen !== false || lines.length + size > FIRST_LINES) continue;
      open.add(id);
      more = true;
      break;
    }
  }
  return open;
}
