// Which modules travel together: those of the first screen in one file, those of the frame around every screen in another.
// A web view asks for each file one by one, and on a small machine every one of them is heard by whoever looks at an empty
// window.

const FRAME = '/src/main.ts';
/** Of these only what is used comes along, which the bundler finds out by itself. */
const PACKAGES = '/node_modules/';
const FIRST_SCREEN = '/src/features/home/Screen.svelte';

/** @typedef {{ getModuleInfo(id: string): { importedIds: readonly string[] } | null }} Context */

/**
 * Everything a module imports, and what that imports; what is only asked for later is not among it.
 * @param {string} from
 * @param {Context} context
 */
function reach(from, context) {
  const found = new Set([from]);
  for (const id of found)
    for (const next of context.getModuleInfo(id)?.importedIds ?? [])
      if (!next.includes(PACKAGES)) found.add(next);
  // The entry stays one of its own: by it, everybody who reads the list of files knows where it all begins.
  if (from.endsWith(FRAME)) found.delete(from);
  return found;
}

/** @param {string} root the folder of the interface */
export function groups(root) {
  const base = root.replace(/\/$/, '');
  /** @param {string} entry */
  const group = (entry) => {
    /** @type {Map<Context, Set<string>>} */
    const known = new Map();
    return (/** @type {string} */ id, /** @type {Context} */ context) => {
      let all = known.get(context);
      if (!all) known.set(context, (all = reach(base + entry, context)));
      return all.has(id);
    };
  };
  const [frame, first] = [group(FRAME), group(FIRST_SCREEN)];
  return [
    {
      name: (/** @type {string} */ id, /** @type {Context} */ context) =>
        frame(id, context) ? 'frame' : null,
      priority: 2,
    },
    {
      name: (/** @type {string} */ id, /** @type {Context} */ context) =>
        first(id, context) ? 'first' : null,
      priority: 1,
    },
  ];
}
