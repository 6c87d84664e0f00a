import { describe, expect, it } from 'vitest';
import { hrefOf, parseRoute } from './route';

describe('addresses', () => {
  it.each([
    '/home',
    '/waiting',
    '/waiting?task=t_1',
    '/runs',
    '/runs?filter=status%3Afailed',
    '/run/r_1',
    '/run/r_1?lens=events&at=31',
    '/agents',
    '/agents/business-intelligence',
    '/connections/providers',
    '/settings/language',
  ])('%s survives reading and writing', (path) => {
    expect(hrefOf(parseRoute(path))).toBe(path);
  });

  it('opens home at the root and the first section of settings', () => {
    expect(parseRoute('/')).toEqual({ name: 'home' });
    expect(parseRoute('/settings')).toEqual({ name: 'settings', section: 'general' });
  });

  it.each(['/nowhere', '/waiting/x/y', '/settings/nothing', '/run', '/run/a/b', '/connections/coder'])(
    'does not know %s',
    (path) => {
      expect(parseRoute(path)).toEqual({ name: 'unknown', path });
    },
  );

  it.each(['/run/r?at=-1', '/run/r?at=x', '/run/r?at=1.5', '/run/r?lens=graph'])(
    'ignores a bad detail in %s',
    (path) => {
      expect(parseRoute(path)).toEqual({ name: 'run', id: 'r', lens: 'chat' });
    },
  );

  it('does not throw on a broken escape', () => {
    expect(parseRoute('/run/%E0%A4%A')).toMatchObject({ name: 'run' });
  });
});
