// What parts ask of whatever holds the window. The app gives them once at start; parts know nothing else of it.
export interface Host {
  copy(text: string): Promise<void>;
  /** Asks the person first, showing the host. */
  openLink(url: string): void;
}

let given: Host | undefined;

export function giveHost(host: Host): void {
  given = host;
}

/** Codes of the engine: each has a page in the handbook (tests/documents.rs). Those of the window itself have no dot. */
const ENGINE_CODE = /^[a-z]+\.[a-z_]+$/;
let explaining: ((code: string) => void) | undefined;

/** Given by a window that can show the handbook. */
export function giveExplain(explain: (code: string) => void): void {
  explaining = explain;
}

/** Opens what the handbook says of a code; undefined where there is nothing to open. */
export function explainOf(code: string | undefined): (() => void) | undefined {
  const explain = explaining;
  return explain && code !== undefined && ENGINE_CODE.test(code) ? () => explain(code) : undefined;
}

/** @throws before the app has given one */
export function host(): Host {
  if (!given) throw new Error('components have no host yet');
  return given;
}
