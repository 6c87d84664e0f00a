// Who does a wish: `/workflow` or `@agent` at its beginning. Pure.

export type Sign = '/' | '@';

export const NAME_AT_START = /^\s*([/@])([^\s]*)/u;

/** Puts a name at the beginning of the wish, in place of one that stands there. */
export function withName(text: string, sign: Sign, id: string): string {
  const found = NAME_AT_START.exec(text);
  const rest = (found ? text.slice(found[0].length) : text).trimStart();
  return `${sign}${id} ${rest}`;
}
