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

/** The face nearly every word is written in. */
const FONT = /inter-latin-wght-normal[^/]*\.woff2$/;

/**
 * What the first screen needs is asked for with the page itself: a web view finds out about a font when it lays out the first
 * word, and about the first screen when it has read the frame.
 * @returns {import('vite').Plugin}
 */
export function ahead() {
  return {
    name: 'bwana-ahead',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle = {} }) {
        const files = Object.values(bundle);
        const font = files.find(({ fileName }) => FONT.test(fileName));
        const screen = files.find((file) => file.type === 'chunk' && file.name === 'first');
        /** @type {import('vite').HtmlTagDescriptor[]} */
        const tags = [];
        /** @param {Record<string, string | boolean>} attrs */
        const ask = (attrs) => tags.push({ tag: 'link', attrs, injectTo: 'head' });
        if (font)
          ask({
            rel: 'preload',
            as: 'font',
            type: 'font/woff2',
            crossorigin: true,
            href: `/${font.fileName}`,
          });
        if (screen) ask({ rel: 'modulepreload', crossorigin: true, href: `/${screen.fileName}` });
        return tags;
      },
    },
  };
}
