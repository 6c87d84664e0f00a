// The two things parts ask of whatever holds the window. The app gives them once at start; parts know nothing else of it.
export interface Host {
  copy(text: string): Promise<void>;
  /** Asks the person first, showing the host. */
  openLink(url: string): void;
}

let given: Host | undefined;

export function giveHost(host: Host): void {
  given = host;
}

/** @throws before the app has given one */
export function host(): Host {
  if (!given) throw new Error('components have no host yet');
  return given;
}
