// What the composer does with its text, without a window: the name that is being typed, what fits it, where a name goes,
// and which words of the wish decided. Pure.

import { NAME_AT_START, type Sign } from '../../lib/wish';

export { withName, type Sign } from '../../lib/wish';

export interface Named {
  id: string;
  name: string;
}

const SHOWN_MOST = 8;

/** The name at the beginning of the text, while the caret is in it: that is when a menu helps. */
export function typedName(text: string, caret: number): { sign: Sign; typed: string } | undefined {
  const found = NAME_AT_START.exec(text);
  if (!found || caret > found[0].length) return undefined;
  const from = found[0].length - (found[2]?.length ?? 0);
  return caret < from ? undefined : { sign: found[1] as Sign, typed: found[2] ?? '' };
}

/** Names that begin with what was typed, then names that have it inside. */
export function fitting<N extends Named>(all: readonly N[], typed: string): N[] {
  const wanted = typed.toLowerCase();
  const rank = ({ id, name }: N) => {
    const [plain, said] = [id.toLowerCase(), name.toLowerCase()];
    if (plain.startsWith(wanted) || said.startsWith(wanted)) return 0;
    return plain.includes(wanted) || said.includes(wanted) ? 1 : 2;
  };
  return all
    .filter((one) => rank(one) < 2)
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, SHOWN_MOST);
}

/** The words of the wish behind the stems that decided, as the person wrote them. */
export function wordsBehind(text: string, stems: readonly string[]): string[] {
  const written = text.match(/[\p{L}\p{N}]+/gu) ?? [];
  const found = stems.map(
    (stem) => written.find((word) => word.toLowerCase().startsWith(stem.toLowerCase())) ?? stem,
  );
  return [...new Set(found)];
}

/** The text of a file, or nothing if it is not text. */
export function textOf(bytes: ArrayBuffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? undefined : text.replace(/\r\n?/gu, '\n').trimEnd();
  } catch {
    return undefined;
  }
}

/** The wish with a file's text behind it, under the file's name. */
export function withFile(text: string, name: string, content: string): string {
  const before = text.trimEnd();
  return `${before}${before === '' ? '' : '\n\n'}${name}:\n${content}\n`;
}
