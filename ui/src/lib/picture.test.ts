import { expect, test } from 'vitest';
import { fromBase64 } from './bytes';
import { isDrawable, pictureOf } from './picture';

const bytes = (...all: (number | string)[]) =>
  Uint8Array.from(
    all.flatMap((one) => (typeof one === 'number' ? [one] : [...one].map((c) => c.charCodeAt(0)))),
  );

test('kinds are told by their first bytes, with their size', () => {
  const png = bytes('\x89PNG\r\n\x1a\n', 0, 0, 0, 13, 'IHDR', 0, 0, 1, 0, 0, 0, 0, 2);
  expect(pictureOf(png)).toEqual({ mime: 'image/png', width: 256, height: 2 });
  const gif = fromBase64('R0lGODlhAQABAAAAACw=');
  expect(pictureOf(gif)).toEqual({ mime: 'image/gif', width: 1, height: 1 });
  const jpeg = bytes(0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 1, 0xff, 0xff, 0xc2, 0, 11, 8, 0, 30, 0, 40, 3);
  expect(pictureOf(jpeg)).toEqual({ mime: 'image/jpeg', width: 40, height: 30 });
  const webp = bytes('RIFF', 0, 0, 0, 0, 'WEBP', 'VP8X', 10, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 4, 0, 0);
  expect(pictureOf(webp)).toEqual({ mime: 'image/webp', width: 10, height: 5 });
  const lossless = bytes('RIFF', 0, 0, 0, 0, 'WEBP', 'VP8L', 0, 0, 0, 0, 0x2f, 0x09, 0x00, 0x01, 0x00);
  expect(pictureOf(lossless)).toEqual({ mime: 'image/webp', width: 10, height: 5 });
});

test('what is none, or ends too soon, is not drawn', () => {
  expect(pictureOf(bytes('<svg onload="x()"/>'))).toBeUndefined();
  expect(pictureOf(bytes())).toBeUndefined();
  expect(pictureOf(bytes('\x89PNG\r\n\x1a\n', 0, 0, 0, 13, 'IHDR', 0))).toBeUndefined();
  expect(pictureOf(bytes(0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff, 0xff))).toBeUndefined();
  expect(pictureOf(bytes(0xff, 0xd8, 0, 0, 0))).toBeUndefined();
});

test('a picture that would fill the memory is not drawn', () => {
  expect(isDrawable({ mime: 'image/png', width: 8_000, height: 8_000 })).toBe(true);
  expect(isDrawable({ mime: 'image/png', width: 65_535, height: 65_535 })).toBe(false);
  expect(isDrawable({ mime: 'image/png', width: 0, height: 5 })).toBe(false);
});
