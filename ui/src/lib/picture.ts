// Whether bytes are a picture that may be drawn: of a kind without scripts, told by its own first bytes, and of a size that
// does not fill the memory. Pure.

export interface Picture {
  mime: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp';
  width: number;
  height: number;
}

/** A drawn pixel takes four bytes. */
export const PIXELS_MOST = 64_000_000;

const starts = (bytes: Uint8Array, text: string, at = 0) =>
  [...text].every((char, index) => bytes[at + index] === char.charCodeAt(0));

export function pictureOf(bytes: Uint8Array): Picture | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (starts(bytes, '\x89PNG\r\n\x1a\n') && starts(bytes, 'IHDR', 12))
      return { mime: 'image/png', width: view.getUint32(16), height: view.getUint32(20) };
    if (starts(bytes, 'GIF87a') || starts(bytes, 'GIF89a'))
      return { mime: 'image/gif', width: view.getUint16(6, true), height: view.getUint16(8, true) };
    if (starts(bytes, 'RIFF') && starts(bytes, 'WEBP', 8)) return webp(bytes, view);
    return bytes[0] === 0xff && bytes[1] === 0xd8 ? jpeg(view) : undefined;
  } catch {
    // It ends before its own size is said.
    return undefined;
  }
}

function webp(bytes: Uint8Array, view: DataView): Picture | undefined {
  const mime = 'image/webp';
  const three = (at: number) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
  if (starts(bytes, 'VP8X', 12)) return { mime, width: three(24) + 1, height: three(27) + 1 };
  if (starts(bytes, 'VP8 ', 12))
    return { mime, width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (!starts(bytes, 'VP8L', 12)) return undefined;
  const packed = view.getUint32(21, true);
  return { mime, width: (packed & 0x3fff) + 1, height: ((packed >>> 14) & 0x3fff) + 1 };
}

/** The size stands in the first frame header; what comes before it is skipped by its own length. */
function jpeg(view: DataView): Picture | undefined {
  let at = 2;
  while (view.getUint8(at) === 0xff) {
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { mime: 'image/jpeg', height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    // Fill bytes may stand before a marker.
    at += marker === 0xff ? 1 : 2 + Math.max(2, view.getUint16(at + 2));
  }
  return undefined;
}

export function isDrawable({ width, height }: Picture): boolean {
  return width > 0 && height > 0 && width * height <= PIXELS_MOST;
}
