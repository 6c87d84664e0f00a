import { expect, test } from 'vitest';
import { endOf, kindOfFile, languageOfFile } from './filekind';

test.each([
  ['a/report.md', 'text/markdown', 'markdown'],
  ['prices.CSV', 'text/csv', 'rows'],
  ['prices.tsv', 'text/plain', 'rows'],
  ['map.png', 'image/png', 'picture'],
  ['map.svg', 'image/svg+xml', 'code'],
  ['page.html', 'text/html', 'code'],
  ['offer.pdf', 'application/pdf', 'pdf'],
  ['facts.json', 'application/json', 'json'],
  ['notes', 'text/plain', 'text'],
  ['notes.d/readme', 'text/plain', 'text'],
  ['photo.heic', 'application/octet-stream', 'bytes'],
  ['photo.avif', 'image/avif', 'bytes'],
  ['constructor', 'text/plain', 'text'],
])('%s, said to be %s, is shown as %s', (file, mime, kind) => expect(kindOfFile(file, mime)).toBe(kind));

test('the language of code is told by the end of its name', () => {
  expect(languageOfFile('a/b.PY')).toBe('python');
  expect(languageOfFile('x.svg')).toBe('html');
  expect(languageOfFile('x.toString')).toBe('');
  expect(endOf('.env')).toBe('env');
});
