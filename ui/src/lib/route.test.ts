import { describe, expect, it } from 'vitest';
import { hrefOf, parseRoute } from './route';

describe('addresses', () => {
  it.each([
    '/home',
    '/waiting',
    '/waiting?task=t_1',
    '/runs',
    '/runs?filter=status%3Afailed',
    '/runs?filter=agent%3Aoperations&text=cold+boxes',
    '/run/r_1',
    '/run/r_1?lens=events&at=31',
    '/workflows',
    '/workflows?edit=1',
    '/workflows?edit=1&view=text',
    '/workflows/business_setup',
    '/workflows/business_setup?edit=1',
    '/workflows/business_setup?edit=1&view=text',
    '/workflows/business_setup?view=versions',
    '/agents',
    '/agents/business-intelligence',
    '/connections/providers',
    '/usage',
    '/usage?by=model&range=month',
    '/usage?range=custom&from=2026-11-01&to=2026-11-20',
    '/settings/language',
    '/help',
    '/help/first-run?at=in-the-terminal',
    '/help/errors/provider.auth',
    '/help/runs?find=money+of+a+day',
  ])('%s survives reading and writing', (path) => {
    expect(hrefOf(parseRoute(path))).toBe(path);
  });

  it('opens home at the root and the first section of settings', () => {
    expect(parseRoute('/')).toEqual({ name: 'home' });
    expect(parseRoute('/settings')).toEqual({ name: 'settings', section: 'general' });
  });

  it.each([
    '/nowhere',
    '/waiting/x/y',
    '/settings/nothing',
    '/run',
    '/run/a/b',
    '/connections/coder',
    '/help/errors/a/b',
  ])('does not know %s', (path) => {
    expect(parseRoute(path)).toEqual({ name: 'unknown', path });
  });

  it.each(['/run/r?at=-1', '/run/r?at=x', '/run/r?at=1.5', '/run/r?lens=graph'])(
    'ignores a bad detail in %s',
    (path) => {
      expect(parseRoute(path)).toEqual({ name: 'run', id: 'r', lens: 'chat' });
    },
  );

  it.each(['/usage?by=nobody', '/usage?range=8', '/usage?from=2026-11-01&to=2026-11-20'])(
    'shows the usual days for %s',
    (path) => {
      expect(parseRoute(path)).toEqual({ name: 'usage' });
    },
  );

  it('does not throw on a broken escape', () => {
    expect(parseRoute('/run/%E0%A4%A')).toMatchObject({ name: 'run' });
  });
});
