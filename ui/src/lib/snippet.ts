// A found text as one short line: its white space folded, and begun near enough to the first hit that the hit is seen. Pure.
import type { Piece } from '../bindings/types';

/** So much is kept of what stands before the first hit. */
export const LEAD_CHARS = 40;
/** No line shows more; a snippet is short, but a file's one line need not be. */
export const LINE_CHARS = 400;

export function nearHit(pieces: readonly Piece[]): Piece[] {
  const folded = pieces.map(({ text, hit }) => ({ text: text.replace(/\s+/gu, ' '), hit }));
  const first = folded.findIndex(({ hit }) => hit);
  if (first < 0) return upTo(folded, LINE_CHARS);
  const before = folded
    .slice(0, first)
    .map(({ text }) => text)
    .join('')
    .trimStart();
  const lead = endOf(before);
  return upTo([...(lead ? [{ text: lead, hit: false }] : []), ...folded.slice(first)], LINE_CHARS);
}

/** The last words of it, whole ones where there are any. */
function endOf(text: string): string {
  const letters = [...text];
  if (letters.length <= LEAD_CHARS) return text;
  const end = letters.slice(-LEAD_CHARS).join('');
  const word = end.indexOf(' ');
  return `…${word < 0 ? end : end.slice(word + 1)}`;
}

function upTo(pieces: readonly Piece[], most: number): Piece[] {
  const kept: Piece[] = [];
  let left = most;
  for (const { text, hit } of pieces) {
    const letters = [...text];
    if (letters.length > left) {
      kept.push({ text: `${letters.slice(0, left).join('')}…`, hit });
      break;
    }
    left -= letters.length;
    if (text !== '') kept.push({ text, hit });
  }
  return kept;
}

export function plain(pieces: readonly Piece[]): string {
  return pieces.map(({ text }) => text).join('');
}
