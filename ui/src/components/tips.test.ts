// Where the words of a tooltip stand, and when they come and go.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { placed, tips, type Tip } from './tips.svelte';

const WINDOW = { width: 800, height: 600 };
const OWN = { width: 100, height: 24 };

describe('the place of the words', () => {
  const middle = { left: 400, top: 300, width: 32, height: 32 };

  it.each([
    ['top', { left: 366, top: 270 }],
    ['bottom', { left: 366, top: 338 }],
    ['left', { left: 294, top: 304 }],
    ['right', { left: 438, top: 304 }],
  ] as const)('is at the %s', (side, place) => {
    expect(placed(middle, OWN, side, WINDOW)).toEqual(place);
  });

  it('is across where there is no room, and within the window where there is none at either side', () => {
    expect(placed({ ...middle, top: 570 }, OWN, 'bottom', WINDOW).top).toBe(540);
    expect(placed({ ...middle, left: 0 }, OWN, 'left', WINDOW).left).toBe(38);
    expect(placed({ ...middle, left: 790 }, OWN, 'bottom', WINDOW).left).toBe(692);
    expect(placed({ ...middle, left: 0 }, OWN, 'top', WINDOW).left).toBe(8);
    expect(placed({ ...middle, top: 8 }, { width: 100, height: 700 }, 'bottom', WINDOW).top).toBe(8);
  });
});

describe('the words', () => {
  const anchor = { isConnected: true } as HTMLElement;
  const tip = (more: Partial<Tip> = {}): Tip => ({
    text: 'Search',
    keys: undefined,
    side: 'top',
    enabled: true,
    ...more,
  });
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    tips.hide();
    vi.advanceTimersByTime(1_000);
    vi.useRealTimers();
  });

  it('come when the pointer has rested, and at once on the next one', () => {
    const [one, two] = [tip(), tip({ text: 'Settings' })];
    tips.rest(one, anchor);
    vi.advanceTimersByTime(390);
    expect(tips.shown).toBeUndefined();
    vi.advanceTimersByTime(20);
    expect(tips.shown?.tip).toBe(one);
    tips.leave();
    vi.advanceTimersByTime(200);
    expect(tips.shown).toBeUndefined();
    tips.rest(two, anchor);
    expect(tips.shown?.tip).toBe(two);
  });

  it('stay while the pointer is on them', () => {
    tips.show(tip(), anchor);
    tips.leave();
    vi.advanceTimersByTime(100);
    tips.stay();
    vi.advanceTimersByTime(5_000);
    expect(tips.shown).toBeDefined();
  });

  it('do not come for one that is passed over, has none, or is gone', () => {
    const one = tip();
    tips.rest(one, anchor);
    tips.leave();
    vi.advanceTimersByTime(1_000);
    expect(tips.shown).toBeUndefined();
    tips.show(tip({ enabled: false }), anchor);
    tips.show(tip(), { isConnected: false } as HTMLElement);
    expect(tips.shown).toBeUndefined();
    tips.show(one, anchor);
    tips.gone(tip());
    expect(tips.shown?.tip).toBe(one);
    tips.gone(one);
    expect(tips.shown).toBeUndefined();
  });
});
