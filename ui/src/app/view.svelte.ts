// How this window is laid out and used: the sidebar's width, whether it is folded, what was chosen lately in the palette. Kept
// on this machine, not in the engine.
import { router } from './router.svelte';

const KEY = 'bwana.sidebar';
const LATELY_KEY = 'bwana.lately';
/** So many choices count as lately. */
const LATELY_MOST = 50;
export const SIDEBAR_PX = { least: 200, usual: 232, most: 320 } as const;
/** Below this the rail stands instead of the sidebar. */
const NARROW_REM = 68.75;
/** A run has three columns of its own: up to here they get the sidebar's room. */
const THREE_COLUMNS_REM = 90;

class View {
  width = $state<number>(SIDEBAR_PX.usual);
  folded = $state(false);
  /** Ids of what was chosen in the palette, the last one first. */
  lately = $state.raw<readonly string[]>([]);
  #narrow = $state(false);
  #crowded = $state(false);

  constructor() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as { width?: unknown; folded?: unknown };
      if (typeof kept.width === 'number') this.width = clamp(kept.width);
      this.folded = kept.folded === true;
      const lately: unknown = JSON.parse(localStorage.getItem(LATELY_KEY) ?? '[]');
      if (Array.isArray(lately)) this.lately = lately.filter((id): id is string => typeof id === 'string');
    } catch {
      // A preference that cannot be read is no preference.
    }
    this.measure();
  }

  get rail(): boolean {
    return this.folded || this.#narrow || (this.#crowded && router.route.name === 'run');
  }

  get narrow(): boolean {
    return this.#narrow;
  }

  measure(): void {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
    this.#narrow = innerWidth < NARROW_REM * rem;
    this.#crowded = innerWidth < THREE_COLUMNS_REM * rem;
  }

  resize(px: number): void {
    this.width = clamp(px);
    this.#keep();
  }

  fold(): void {
    this.folded = !this.folded;
    this.#keep();
  }

  chose(id: string): void {
    this.lately = [id, ...this.lately.filter((one) => one !== id)].slice(0, LATELY_MOST);
    localStorage.setItem(LATELY_KEY, JSON.stringify(this.lately));
  }

  #keep(): void {
    localStorage.setItem(KEY, JSON.stringify({ width: this.width, folded: this.folded }));
  }
}

function clamp(px: number): number {
  return Math.round(Math.min(SIDEBAR_PX.most, Math.max(SIDEBAR_PX.least, px)));
}

export const view = new View();
