// Which tooltip is shown. There is one for the whole window: what carries words costs nothing until the pointer or the
// keyboard rests on it. Drawing belongs to TipLayer.svelte.

/** The pointer rests for this before the words come. */
const REST_MS = 400;
/** Just after one has gone, the next comes at once: a row of buttons is read by passing over it. */
const PASSING_MS = 300;
/** The pointer may take this long from what carries the words to the words. */
const LEAVE_MS = 120;

export type Side = 'top' | 'bottom' | 'left' | 'right';

export interface Tip {
  readonly text: string;
  readonly keys: readonly (readonly string[])[] | undefined;
  readonly side: Side;
  readonly enabled: boolean;
}

class Tips {
  shown = $state.raw<{ tip: Tip; anchor: HTMLElement }>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #goneAt = -Infinity;

  /** The pointer has come to what carries the words. */
  rest(tip: Tip, anchor: HTMLElement, now = performance.now()): void {
    clearTimeout(this.#timer);
    if (!tip.enabled) this.hide();
    else if (this.shown || now - this.#goneAt < PASSING_MS) this.show(tip, anchor);
    else this.#timer = setTimeout(() => this.show(tip, anchor), REST_MS);
  }

  show(tip: Tip, anchor: HTMLElement): void {
    clearTimeout(this.#timer);
    if (tip.enabled && anchor.isConnected) this.shown = { tip, anchor };
  }

  /** The pointer is on the words themselves. */
  stay(): void {
    clearTimeout(this.#timer);
  }

  leave(): void {
    clearTimeout(this.#timer);
    if (this.shown) this.#timer = setTimeout(() => this.hide(), LEAVE_MS);
  }

  hide(): void {
    clearTimeout(this.#timer);
    if (this.shown) this.#goneAt = performance.now();
    this.shown = undefined;
  }

  /** What carried the words is drawn no longer. */
  gone(tip: Tip): void {
    if (this.shown?.tip === tip) this.hide();
  }
}

export const tips = new Tips();

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Room between the words and what carries them, and to the edges of the window. */
const GAP_PX = 6;
const EDGE_PX = 8;

/** Where the words stand: at the wanted side, at the one across if there is no room, and never over the edge. */
export function placed(
  anchor: Box,
  own: { width: number; height: number },
  side: Side,
  window: { width: number; height: number },
): { left: number; top: number } {
  const room = {
    top: anchor.top - GAP_PX - own.height >= EDGE_PX,
    bottom: anchor.top + anchor.height + GAP_PX + own.height <= window.height - EDGE_PX,
    left: anchor.left - GAP_PX - own.width >= EDGE_PX,
    right: anchor.left + anchor.width + GAP_PX + own.width <= window.width - EDGE_PX,
  };
  const across = { top: 'bottom', bottom: 'top', left: 'right', right: 'left' } as const;
  const at = room[side] || !room[across[side]] ? side : across[side];
  const middle = {
    left: anchor.left + (anchor.width - own.width) / 2,
    top: anchor.top + (anchor.height - own.height) / 2,
  };
  const wanted = {
    top: { ...middle, top: anchor.top - GAP_PX - own.height },
    bottom: { ...middle, top: anchor.top + anchor.height + GAP_PX },
    left: { ...middle, left: anchor.left - GAP_PX - own.width },
    right: { ...middle, left: anchor.left + anchor.width + GAP_PX },
  }[at];
  const within = (value: number, size: number, whole: number) =>
    Math.max(EDGE_PX, Math.min(value, whole - EDGE_PX - size));
  return {
    left: within(wanted.left, own.width, window.width),
    top: within(wanted.top, own.height, window.height),
  };
}
