// How a file of a run is shown, told from its name and what the engine says of it. Never trusted: what is shown as a picture
// must be one by its own bytes (picture.ts), and nothing is ever run.

export type FileKind = 'markdown' | 'rows' | 'picture' | 'pdf' | 'json' | 'code' | 'text' | 'bytes';

/** The highlighter's name of a language, by the end of a file's name. */
const LANGUAGES: Readonly<Record<string, string>> = {
  css: 'css',
  htm: 'html',
  html: 'html',
  js: 'js',
  jsx: 'jsx',
  mjs: 'js',
  py: 'python',
  rs: 'rust',
  // A picture that can hold scripts is shown as what it says.
  svg: 'html',
  ts: 'ts',
  tsx: 'tsx',
  xml: 'html',
};
const ROWS = new Set(['csv', 'tsv']);
const PICTURES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

export function endOf(file: string): string {
  const name = file.slice(file.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1).toLowerCase();
}

export function kindOfFile(file: string, mime: string): FileKind {
  const end = endOf(file);
  if (mime === 'text/markdown' || end === 'markdown') return 'markdown';
  if (mime === 'text/csv' || ROWS.has(end)) return 'rows';
  if (PICTURES.has(mime)) return 'picture';
  if (mime === 'application/pdf') return 'pdf';
  if (mime === 'application/json') return 'json';
  if (Object.hasOwn(LANGUAGES, end)) return 'code';
  return mime === 'application/octet-stream' || mime.startsWith('image/') ? 'bytes' : 'text';
}

export function languageOfFile(file: string): string {
  return LANGUAGES[endOf(file)] ?? '';
}
