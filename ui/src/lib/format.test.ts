import { describe, expect, it } from 'vitest';
import { createFormat, CURRENCIES, type FormatSettings } from './format';

const kenya: FormatSettings = {
  language: 'en',
  region: 'KE',
  timeZone: 'Africa/Nairobi',
  currency: 'KES',
  rates: {
    KES: { per_usd: 129, minor_digits: 2, day: '2026-11-20' },
    UGX: { per_usd: 3700, minor_digits: 0, day: '2026-11-20' },
  },
};
/** Spaces that do not break look like spaces to a reader. */
const plain = (text: string | undefined) => text?.replace(/[\u00a0\u202f]/g, ' ');

describe('money', () => {
  const format = createFormat(kenya);
  it.each([
    [0, '$0.00', 'KSh 0'],
    [0.00003, '<$0.0001', '<KSh 0.01'],
    [0.0004, '$0.0004', 'KSh 0.052'],
    [0.031, '$0.031', 'KSh 4'],
    [0.42, '$0.42', 'KSh 54'],
    [1, '$1.00', 'KSh 129'],
    [1234.5, '$1,234.50', 'KSh 159,251'],
    [-0.5, '−$0.50', '−KSh 65'],
  ])('of %d dollars', (usd, dollars, shillings) => {
    expect(plain(format.usd(usd))).toBe(dollars);
    expect(plain(format.local(usd))).toBe(shillings);
  });

  it('says the day of the rate', () => {
    expect(format.money(1).rateDay).toBe('20 Nov');
  });

  it('shows dollars only when no rate is known', () => {
    const without = createFormat({ ...kenya, currency: 'GHS' });
    expect(without.money(1)).toEqual({ usd: '$1.00' });
    expect(without.localRange(1, 2)).toBeUndefined();
  });

  it('has no fractions where a currency has none', () => {
    const uganda = createFormat({ ...kenya, currency: 'UGX' });
    expect(plain(uganda.local(0.0001))).toBe('<USh 1');
    expect(plain(uganda.local(0.0021))).toBe('USh 8');
  });

  it('knows twelve African currencies', () => {
    expect(CURRENCIES).toHaveLength(12);
  });

  it('writes ranges once', () => {
    expect(format.usdRange(0.03, 0.08)).toBe('$0.03–0.08');
    expect(plain(format.localRange(0.031, 0.0775))).toBe('KSh 4–10');
    expect(format.usdRange(0.5, 0.5)).toBe('$0.50');
  });
});

describe('data and time', () => {
  const format = createFormat(kenya);
  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [18_400, '18 kB'],
    [999_600, '1 MB'],
    [3_140_000, '3.1 MB'],
    [42_000_000, '42 MB'],
    [1_900_000_000, '1.9 GB'],
  ])('%d bytes are %s', (bytes, wanted) => expect(plain(format.bytes(bytes))).toBe(wanted));

  it.each([
    [0, '0 ms'],
    [850, '850 ms'],
    [1_200, '1.2 s'],
    [40_000, '40 s'],
    [59_900, '1 min'],
    [180_000, '3 min'],
    [7_200_000, '2 h'],
    [6 * 86_400_000, '6 d'],
  ])('%d ms take %s', (ms, wanted) => expect(plain(format.duration(ms))).toBe(wanted));

  it.each([
    [0, '0:00'],
    [134_000, '2:14'],
    [3_723_000, '1:02:03'],
  ])('a clock after %d ms shows %s', (ms, wanted) => expect(format.clock(ms)).toBe(wanted));

  it('tells the time in the zone of the settings', () => {
    const at = '2026-11-20T11:02:11Z';
    expect(format.time(at)).toBe('14:02');
    expect(createFormat({ ...kenya, timeZone: 'Africa/Abidjan' }).time(at)).toBe('11:02');
    expect(format.dayKey('2026-11-20T22:30:00Z')).toBe('2026-11-21');
  });

  it('survives a zone and a region nobody knows', () => {
    const odd = createFormat({ ...kenya, timeZone: 'Mars/Base', region: '??' });
    expect(odd.time('2026-11-20T11:02:11Z')).toBe('11:02');
  });

  it('speaks of the past and the future', () => {
    const now = Date.parse('2026-11-20T12:00:00Z');
    expect(format.ago(now - 5 * 60_000, now)).toMatch(/5 min/);
    expect(format.ago(now - 86_400_000, now)).toBe('yesterday');
    expect(format.ago(now - 1_000, now)).toBe('now');
  });
});

describe('Arabic', () => {
  const cairo: FormatSettings = { ...kenya, language: 'ar', region: 'EG', timeZone: 'Africa/Cairo' };
  it('uses Latin digits unless the person chose Arabic ones', () => {
    expect(createFormat(cairo).number(1234)).toBe('1,234');
    expect(createFormat({ ...cairo, arabicDigits: true }).number(42)).toBe('٤٢');
  });

  it('isolates money so that the sign stays in front', () => {
    expect(createFormat(cairo).usd(0.42)).toBe('\u2066$0.42\u2069');
  });

  it('has six plural forms', () => {
    const format = createFormat(cairo);
    expect([0, 1, 2, 5, 11, 100].map((n) => format.plural(n))).toEqual([
      'zero',
      'one',
      'two',
      'few',
      'many',
      'other',
    ]);
  });
});
