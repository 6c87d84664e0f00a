import { expect, test } from 'vitest';
import { MESSAGE_LIMIT_CHARS } from './markdown';
import { partsOf, sheetsOf } from './paper';

test('a long text is cut between its blocks and loses nothing', () => {
  const text = Array.from(
    { length: 20_000 },
    (_, n) => `## Message ${n}\n\nSome words of message ${n}.\n\n`,
  ).join('');
  const parts = partsOf(text);
  expect(parts.length).toBeGreaterThan(4);
  expect(parts.join('')).toBe(text);
  expect(parts.every((part) => part.startsWith('## ') || part.startsWith('Some words'))).toBe(true);
  expect(parts.every((part) => part.length <= MESSAGE_LIMIT_CHARS)).toBe(true);
});

test('code is not cut at its own blank lines', () => {
  const code = `\`\`\`\n${'a line\n\n'.repeat(12_000)}\`\`\`\n`;
  expect(partsOf(`${code}\nwords\n`)).toEqual([`${code}\n`, 'words\n']);
});

test('a block longer than a reading is cut by length', () => {
  const parts = partsOf('x'.repeat(MESSAGE_LIMIT_CHARS + 5));
  expect(parts.map(({ length }) => length)).toEqual([MESSAGE_LIMIT_CHARS, 5]);
});

test('what a run holds becomes blocks, never markup', () => {
  const [blocks] = sheetsOf('# One\n\n<script>x()</script>\n');
  expect(blocks?.map(({ kind }) => kind)).toEqual(['heading', 'text']);
  expect(sheetsOf('')).toEqual([]);
});
