import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvOf } from './csv';
import {
  CELL_CHARS_MOST,
  COLUMNS_MOST,
  delimiterOf,
  figureIn,
  isFigures,
  readRows,
  RowReader,
  ROWS_MOST,
} from './rows';

const read = (text: string) => {
  const { head, rows } = readRows(text);
  return [head, ...rows];
};

describe('rows', () => {
  it.each([
    [
      'plain lines',
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a mark, and ends as RFC 4180 says',
      '\ufeffa,b\r\n1,2\r\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'old line ends',
      'a,b\r1,2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'quotes with all that parts',
      'a,"b,\n""c"""\n1,2',
      [
        ['a', 'b,\n"c"'],
        ['1', '2'],
      ],
    ],
    [
      'a quote inside of a cell',
      'a,5" pipe\n1,2',
      [
        ['a', '5" pipe'],
        ['1', '2'],
      ],
    ],
    ['words after quotes', '"a"b,c', [['ab', 'c']]],
    ['a quote that never closes', 'a,"b\n1,2', [['a', 'b\n1,2']]],
    [
      'empty cells',
      'a,,c\n,,\n',
      [
        ['a', '', 'c'],
        ['', '', ''],
      ],
    ],
    ['an empty quoted cell alone', 'a\n""\nb', [['a'], [''], ['b']]],
    ['blank lines', 'a\n\n\r\nb', [['a'], ['b']]],
    [
      'semicolons',
      'a;b\n1,5;2\n',
      [
        ['a', 'b'],
        ['1,5', '2'],
      ],
    ],
    [
      'tabs',
      'a\tb\n1,2,3\t2\n',
      [
        ['a', 'b'],
        ['1,2,3', '2'],
      ],
    ],
    [
      'formulas as text',
      '=1+1,@x\n-2,+3',
      [
        ['=1+1', '@x'],
        ['-2', '+3'],
      ],
    ],
  ])('%s', (_name, text, rows) => expect(read(text)).toEqual(rows));

  it('are none in an empty text', () => expect(readRows('')).toEqual({ head: [], rows: [], cut: false }));

  it('are the same in whatever pieces they come', () => {
    const text = 'a,"b ""x"" \r\n,",c\r\n1,"",3\r\n\r\n"4",5,6\r\n';
    const whole = readRows(text);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
        const reader = new RowReader();
        const places = [0, ...cuts.sort((a, b) => a - b), text.length];
        reader.push('');
        // The first piece tells the delimiter; a comma is what it tells where there is none.
        places.slice(1).forEach((end, index) => reader.push(text.slice(places[index], end)));
        expect(reader.end()).toEqual(whole);
      }),
    );
  });

  it('come back as they were written', () => {
    const cell = fc.stringMatching(/^([a-z"é][a-z",\r\n;é ]{0,5})?$/);
    fc.assert(
      // What begins like a formula is written with an apostrophe, on purpose.
      fc.property(fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1 }), (rows) => {
        const { rows: back } = readRows(csvOf(['x', 'y', 'z'], rows));
        expect(back).toEqual(rows);
      }),
    );
  });

  it('have an end in every direction, and say so', () => {
    const wide = readRows(`${'x,'.repeat(COLUMNS_MOST + 5)}\n`);
    expect(wide.head).toHaveLength(COLUMNS_MOST);
    expect(wide.cut).toBe(true);
    const deep = readRows(`a\n${'1\n'.repeat(ROWS_MOST + 10)}`);
    expect(deep.rows).toHaveLength(ROWS_MOST);
    expect(deep.cut).toBe(true);
    const long = readRows(`a\n${'x'.repeat(CELL_CHARS_MOST + 1)}`);
    expect(long.rows[0]?.[0]).toHaveLength(CELL_CHARS_MOST);
    expect(long.cut).toBe(true);
    expect(readRows('a\n1').cut).toBe(false);
  });

  it('tell their delimiter from the lines, not from what stands in quotes', () => {
    expect(delimiterOf('name;"a,b,c,d"\nx;"1,2,3,4"\n')).toBe(';');
    expect(delimiterOf('a|b|c\n1|2|3\n')).toBe('|');
    expect(delimiterOf('one column')).toBe(',');
  });
});

describe('a figure', () => {
  it.each([
    ['12', 12],
    [' -3.5 ', -3.5],
    ['−3', -3],
    ['1,234', 1234],
    ['1,234.50', 1234.5],
    ['1.234,50', 1234.5],
    ['1 234 567', 1_234_567],
    ['1\u202f234,5', 1234.5],
    ["1'000", 1000],
    ['0,5', 0.5],
    ['12%', 12],
    ['+7', 7],
    ['1.234.567', 1_234_567],
    ['', undefined],
    ['12 KES', undefined],
    ['=1+1', undefined],
    ['1.2.3', undefined],
    ['2026-11-20', undefined],
    ['0x10', undefined],
    ['1e5', undefined],
    ['Infinity', undefined],
  ])('%s', (cell, value) => expect(figureIn(cell)).toBe(value));

  it('makes a column where nearly all are figures', () => {
    const rows = [
      ['a', '1'],
      ['b', '2'],
      ['c', ''],
      ['d', '3'],
      ['e', '4'],
      ['f', 'n/a'],
      ['g', '5'],
    ];
    expect(isFigures(rows, 0)).toBe(false);
    expect(isFigures(rows, 1)).toBe(true);
    expect(isFigures(rows, 2)).toBe(false);
  });
});
