import { expect, test } from 'vitest';
import { fromBase64, joined, textIn, toBase64 } from './bytes';

const utf8 = (text: string) => new TextEncoder().encode(text);

test('base64 goes both ways, over the end of a chunk too', () => {
  const bytes = Uint8Array.from({ length: 70_001 }, (_, at) => (at * 31) % 256);
  expect(fromBase64(toBase64(bytes))).toEqual(bytes);
  expect(toBase64(utf8('Bwana'))).toBe('QndhbmE=');
  expect(() => fromBase64('no base64!')).toThrow();
});

test('pieces are joined in order', () =>
  expect(joined([utf8('a'), utf8(''), utf8('bc')])).toEqual(new Uint8Array(utf8('abc'))));

test('text is found in UTF-8, UTF-16 and what old spreadsheets write', () => {
  expect(textIn(utf8('\ufeffẸgbẹ́ سوق'))).toEqual({ text: 'Ẹgbẹ́ سوق', guessed: false });
  expect(textIn(Uint8Array.of(0xff, 0xfe, 0x61, 0, 0x2c, 0))).toEqual({ text: 'a,', guessed: false });
  expect(textIn(Uint8Array.of(0xfe, 0xff, 0, 0x61))).toEqual({ text: 'a', guessed: false });
  expect(textIn(Uint8Array.of(0x63, 0x61, 0x66, 0xe9))).toEqual({ text: 'café', guessed: true });
});

test('a letter that is only begun at the end is left out', () =>
  expect(textIn(utf8('aé').subarray(0, 2), true)).toEqual({ text: 'a', guessed: false }));

test('bytes with zeros are no text', () => expect(textIn(Uint8Array.of(1, 0, 2))).toBeUndefined());
