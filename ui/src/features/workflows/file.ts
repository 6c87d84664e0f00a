// A workflow's file as text: where a complaint stands, a copy under another name, a new one, and how a draft is kept.
// Pure: no words, no requests.

/** Bytes of a file the engine reads. */
export const FILE_MAX_BYTES = 1024 * 1024;
/** Bytes of a draft the engine keeps. */
export const DRAFT_MAX_BYTES = 64 * 1024;
/** Under this name an edited workflow shows where it comes from. */
export const EDITED = 'edited here';
/** The source of what comes with the program. */
export const BUILTIN = 'builtin';

/** A part of a complaint's path. */
export type Place =
  | { kind: 'step' | 'branch'; n: number }
  /** A key as it stands in the file. */
  | { kind: 'key'; key: string }
  /** The nth of a list. */
  | { kind: 'entry'; n: number };

/** `steps[2].parallel.steps[0].tools[1]` is the third step, its first branch, `tools`, the second. */
export function placesOf(path: string): Place[] {
  const places: Place[] = [];
  let inParallel = false;
  for (const [part] of path.matchAll(/[^.[\]]+|\[\d+\]/g)) {
    const index = /^\[(\d+)\]$/.exec(part)?.[1];
    const last = places.at(-1);
    if (index === undefined) {
      places.push({ kind: 'key', key: part });
      continue;
    }
    const n = Number(index) + 1;
    if (last?.kind === 'key' && last.key === 'steps') {
      places.pop();
      const above = places.at(-1);
      inParallel = above?.kind === 'key' && above.key === 'parallel';
      if (inParallel) places.pop();
      places.push({ kind: inParallel ? 'branch' : 'step', n });
    } else places.push({ kind: 'entry', n });
  }
  return places;
}

/** The text under another id and name: those of its first document; everything else stays, comments too. */
export function renamed(text: string, id: string, name: string): string {
  return text
    .replace(/^id:.*$/m, () => `id: ${id}`)
    .replace(/^name:.*$/m, () => `name: ${JSON.stringify(name)}`);
}

/** A small workflow to begin with. Its words are JSON texts, which YAML reads as they are. */
export function newFile(words: {
  id: string;
  name: string;
  agent: string;
  step: string;
  task: string;
}): string {
  return `schema: bwana.workflow/v1
id: ${words.id}
name: ${JSON.stringify(words.name)}
description: ""
agents: [${words.agent}]
steps:
  - id: first
    name: ${JSON.stringify(words.step)}
    agent: ${words.agent}
    task: |
      ${words.task.replaceAll('\n', '\n      ')}
`;
}

/** A line of its own that only people read. Inside a text block it may be a heading, so only those at the margin count. */
export function hasComments(text: string): boolean {
  return /^#/m.test(text);
}

/** A draft remembers which version it began with, so that a change in between is noticed after a reload as well. */
export function writeDraft(hash: string, text: string): string {
  return `${hash}\n${text}`;
}

/** Nothing for what is no draft. */
export function readDraft(kept: string): { hash: string; text: string } | undefined {
  const end = kept.indexOf('\n');
  if (end < 0) return undefined;
  return { hash: kept.slice(0, end), text: kept.slice(end + 1) };
}

export function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The text of a file, or nothing if it is not text. */
export function textOf(bytes: ArrayBuffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? undefined : text.replace(/\r\n?/gu, '\n');
  } catch {
    return undefined;
  }
}

/** A file is kept with its name as the source, and one source means that it came with the program. */
export function sourceName(file: string): string {
  return file === BUILTIN ? `${file}.yaml` : file;
}

/** What search words must stand in, all of them. */
export function fits(words: string, texts: readonly string[]): boolean {
  const all = texts.join('\n').toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}
