// Colours for code, by Lezer. Each language is loaded when the first block in it is seen. Gives spans, never HTML.
import { classHighlighter, highlightCode } from '@lezer/highlight';
import type { Parser } from '@lezer/common';

export interface Span {
  text: string;
  /** Lezer's class names, as `tok-keyword`. */
  classes: string;
}

/** Longer code stays plain: colouring it would hold up the window. */
const LIMIT_CHARS = 64 * 1024;

const javascript = async () => (await import('@lezer/javascript')).parser;
const LANGUAGES: Readonly<Record<string, () => Promise<Parser>>> = {
  js: javascript,
  javascript,
  jsx: async () => (await javascript()).configure({ dialect: 'jsx' }),
  ts: async () => (await javascript()).configure({ dialect: 'ts' }),
  typescript: async () => (await javascript()).configure({ dialect: 'ts' }),
  tsx: async () => (await javascript()).configure({ dialect: 'ts jsx' }),
  json: async () => (await import('@lezer/json')).parser,
  python: async () => (await import('@lezer/python')).parser,
  py: async () => (await import('@lezer/python')).parser,
  rust: async () => (await import('@lezer/rust')).parser,
  rs: async () => (await import('@lezer/rust')).parser,
  html: async () => (await import('@lezer/html')).parser,
  css: async () => (await import('@lezer/css')).parser,
};

export function canHighlight(language: string): boolean {
  return Object.hasOwn(LANGUAGES, language.toLowerCase());
}

/** Lines of spans; `undefined` when the language is not known or the code is too long. */
export async function highlight(code: string, language: string): Promise<Span[] | undefined> {
  if (code.length > LIMIT_CHARS || !canHighlight(language)) return undefined;
  const parser = await LANGUAGES[language.toLowerCase()]!();
  const spans: Span[] = [];
  highlightCode(
    code,
    parser.parse(code),
    classHighlighter,
    (text, classes) => spans.push({ text, classes }),
    () => spans.push({ text: '\n', classes: '' }),
  );
  return spans;
}
