import { describe, expect, it } from 'vitest';
import { csvCell, csvOf } from './csv';

describe('a cell', () => {
  it('is quoted where it must be', () => {
    expect(csvCell('plain text')).toBe('plain text');
    expect(csvCell('a, b')).toBe('"a, b"');
    expect(csvCell('say "so"')).toBe('"say ""so"""');
    expect(csvCell('two\r\nlines')).toBe('"two\r\nlines"');
    expect(csvCell('')).toBe('');
  });

  it('is never a formula', () => {
    for (const sign of ['=', '+', '-', '@', '\t', '＝', '＋', '－', '＠'])
      expect(csvCell(`${sign}1`)).toBe(`'${sign}1`);
    expect(csvCell('\r=1')).toBe(`"'\r=1"`);
    expect(csvCell('=HYPERLINK("http://x","y")')).toBe(`"'=HYPERLINK(""http://x"",""y"")"`);
    expect(csvCell('a=1')).toBe('a=1');
  });

  it('holds a figure as it is', () => {
    expect(csvCell(0.42)).toBe('0.42');
    expect(csvCell(-3)).toBe('-3');
    expect(csvCell(0.000001)).toBe('0.000001');
    expect(csvCell(1e-7)).toBe('0.0000001');
    expect(csvCell(Number.NaN)).toBe('');
  });
});

describe('a file', () => {
  it('begins with a mark and ends each line as RFC 4180 says', () =>
    expect(csvOf(['day', 'name'], [['2026-11-20', 'Ẹgbẹ́, Lagos']])).toBe(
      '\ufeffday,name\r\n2026-11-20,"Ẹgbẹ́, Lagos"\r\n',
    ));
});
