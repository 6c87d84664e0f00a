import { expect, test } from 'vitest';
import { fileName } from './saving';

test.each([
  ['reports/prices.csv', 'prices.csv'],
  ['../../.bashrc', 'bashrc'],
  ['a\u202Efdp.exe', 'a-fdp.exe'],
  ['what? "now": <x>|y*.md', 'what- -now- -x-y-.md'],
  ['...', 'file'],
  ['', 'file'],
  ['Ẹgbẹ́ سوق.md', 'Ẹgbẹ́ سوق.md'],
  [`${'x'.repeat(300)}.csv`, `${'x'.repeat(76)}.csv`],
  ['con\nfig\0.txt', 'con-fig-.txt'],
])('%s is saved as %s', (path, name) => expect(fileName(path)).toBe(name));
