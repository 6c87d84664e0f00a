import { expect, test } from 'vitest';
import { textOf } from './report';

test('a report names its parts, as the engine writes it', () => {
  const parts = [
    { name: 'program', lines: ['bwana 1', 'linux'] },
    { name: 'log', lines: [] },
  ];
  expect(textOf(parts)).toBe('== program\nbwana 1\nlinux\n\n== log\n');
});
