// A long Markdown text in parts that are each read at once, cut where nothing is open: before a heading or after a blank
// line outside of code. Pure.
import { MESSAGE_LIMIT_CHARS, readMarkdown, type Block } from './markdown';

/** More of a run is not printed: some thousand pages. */
export const PAPER_CHARS = 8 * 1024 * 1024;
/** Well under what a reading takes, so that a part that cannot be cut still fits. */
const PART_CHARS = MESSAGE_LIMIT_CHARS / 4;

export function sheetsOf(text: string): Block[][] {
  return partsOf(text.slice(0, PAPER_CHARS)).map(readMarkdown);
}

export function partsOf(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  let fence: string | undefined;
  const close = () => {
    // A code block without a cut in it is cut where the reading would end.
    for (let at = 0; at < part.length; at += MESSAGE_LIMIT_CHARS)
      parts.push(part.slice(at, at + MESSAGE_LIMIT_CHARS));
    part = '';
  };
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    part += line;
    const mark = /^ {0,3}(```+|~~~+)/.exec(line)?.[1];
    if (mark !== undefined) {
      if (fence === undefined) fence = mark;
      else if (mark.startsWith(fence)) fence = undefined;
    }
    if (fence === undefined && part.length >= PART_CHARS && line.trim() === '') close();
  }
  if (part !== '') close();
  return parts;
}
