// What did not change stays the object it was, so that whatever draws it sees at a glance that it has nothing to do. Pure.

/** The list, with every item that says the same as before as the object it was. */
export function keepSame<I>(items: readonly I[], before: readonly I[], keyOf: (item: I) => string): I[] {
  const known = new Map(before.map((item) => [keyOf(item), item]));
  return items.map((item) => {
    const was = known.get(keyOf(item));
    return was !== undefined && isSame(was, item) ? was : item;
  });
}

/** Whether two values of JSON say the same. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const names = Object.keys(left);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isSame(left[name], right[name]))
  );
}
