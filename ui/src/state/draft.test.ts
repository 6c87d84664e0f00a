import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Platform } from '../platform/platform';
import { DraftPlace } from './draft';

/** What the windows of a program share: the engine's drafts, and the locks of their origin. */
function world() {
  const drafts = new Map<string, string>();
  const held = new Set<string>();
  const rpc = (name: string, { place, text }: { place: string; text?: string }) => {
    if (name === 'drafts.set') drafts.set(place, text ?? '');
    return Promise.resolve({ value: { place, text: drafts.get(place) ?? '' } });
  };
  const locks = {
    async request(name: string, _: object, hold: (lock: object | null) => unknown) {
      if (held.has(name)) return hold(null);
      held.add(name);
      await hold({});
      return held.delete(name);
    },
  } as unknown as LockManager;
  const platform = { rpc } as unknown as Platform;
  return { drafts, open: (with_ = locks as LockManager | undefined) => window_(platform, with_) };
}

/** Each window has a session of its own. */
function window_(platform: Platform, locks: LockManager | undefined, session = new Map<string, string>()) {
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => session.get(key) ?? null,
    setItem: (key: string, value: string) => session.set(key, value),
  });
  // Without locks is said by nothing at all, which the default would fill in.
  if (!locks) vi.stubGlobal('navigator', {});
  const place = new DraftPlace(platform, 'workflow:count', locks);
  return { place, again: () => window_(platform, locks, session), session };
}

beforeEach(() => vi.unstubAllGlobals());

describe('with two windows on one thing', () => {
  test('each has its own words, and clears only those', async () => {
    const { open, drafts } = world();
    const one = open();
    expect(await one.place.open()).toBe('');
    await one.place.keep('of the first');
    const two = open();
    expect(await two.place.open()).toBe('');
    await two.place.keep('of the second');
    await one.place.keep('');
    expect([...drafts.values()].filter(Boolean)).toEqual(['of the second']);
  });

  test('a window has its own back after a reload', async () => {
    const { open } = world();
    const one = open();
    await one.place.open();
    const two = open();
    await two.place.open();
    await two.place.keep('of the second');
    two.place.close();
    one.place.close();
    await vi.waitFor(async () => expect(await two.again().place.open()).toBe('of the second'));
  });

  test('what a window left is found by the next', async () => {
    const { open } = world();
    const [one, two] = [open(), open()];
    await one.place.open();
    await two.place.open();
    await two.place.keep('left');
    two.place.close();
    one.place.close();
    await Promise.resolve();
    await vi.waitFor(async () => expect(await open().place.open()).toBe('left'));
  });

  test('one that was closed while it opened holds nothing', async () => {
    const { open } = world();
    const one = open();
    const opening = one.place.open();
    one.place.close();
    await opening;
    const next = open();
    await next.place.open();
    await next.place.keep('words');
    expect(next.session.get('bwana.draft-slot.workflow:count')).toBe('1');
  });

  test('what is still being written is found by who opens it again at once', async () => {
    const { open } = world();
    const one = open();
    await one.place.open();
    void one.place.keep('just typed');
    one.place.close();
    expect(await open().place.open()).toBe('just typed');
  });

  test('where there are no locks, words of another are left alone', async () => {
    const { open, drafts } = world();
    const [one, two] = [open(undefined), open(undefined)];
    await one.place.open();
    await two.place.open();
    await one.place.keep('of the first');
    await two.place.keep('of the second');
    expect([...drafts.values()]).toEqual(['of the first', 'of the second']);
    await two.place.keep('');
    expect(drafts.get('workflow:count')).toBe('of the first');
    await one.place.keep('more of the first');
    await one.place.keep('');
    expect([...drafts.values()].filter(Boolean)).toEqual([]);
  });
});
