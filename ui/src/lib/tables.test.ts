import { expect, test } from 'vitest';
import { tablesIn } from './tables';

test('tables are found wherever they stand, as plain text', () => {
  const text =
    'Words\n\n| Town | **Price** |\n| --- | --: |\n| [Lamu](https://x.example) | `12` |\n| ![a map](m.png) | *3* |\n';
  const table = {
    head: ['Town', 'Price'],
    rows: [
      ['Lamu', '12'],
      ['a map', '3'],
    ],
  };
  expect(tablesIn(text)).toEqual([table]);
  expect(tablesIn(`> | a |\n> | --- |\n> | 1 |\n`)).toEqual([{ head: ['a'], rows: [['1']] }]);
  expect(tablesIn('no table')).toEqual([]);
});
