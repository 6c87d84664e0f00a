import { expect, test } from 'vitest';
import { LEAD_CHARS, LINE_CHARS, nearHit, plain } from './snippet';

const hit = (text: string) => ({ text, hit: true });
const rest = (text: string) => ({ text, hit: false });

test('a short text stays, on one line', () => {
  expect(nearHit([rest('Prices of\n\n  '), hit('ice'), rest(' rose')])).toEqual([
    rest('Prices of '),
    hit('ice'),
    rest(' rose'),
  ]);
});

test('a hit far inside begins with the words before it', () => {
  const [lead, found] = nearHit([rest('word '.repeat(50)), hit('ice')]);
  expect(lead?.text).toMatch(/^…(word )+$/);
  expect(lead?.text.length).toBeLessThanOrEqual(LEAD_CHARS + 1);
  expect(found).toEqual(hit('ice'));
});

test('one long word before the hit is cut between its characters', () => {
  const lead = nearHit([rest('😀'.repeat(100)), hit('ice')])[0]?.text ?? '';
  expect([...lead].slice(1).every((letter) => letter === '😀')).toBe(true);
  expect([...lead]).toHaveLength(LEAD_CHARS + 1);
});

test('a line without end is cut', () => {
  const line = nearHit([hit('x'.repeat(5_000)), rest('y')]);
  expect(plain(line)).toHaveLength(LINE_CHARS + 1);
});

test('a text without a hit is told as it is', () => {
  expect(nearHit([rest('Only a title')])).toEqual([rest('Only a title')]);
  expect(nearHit([])).toEqual([]);
});
