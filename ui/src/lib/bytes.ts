// Bytes as text and as base64, both ways. What does not belong here: what the bytes mean.

/** So many bytes at once: an argument list of a function has an end. */
const CHUNK_BYTES = 0x8000;

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES)
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK_BYTES));
  return btoa(binary);
}

/** @throws where it is no base64 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/**
 * The text bytes hold, and whether its letters were guessed; undefined: they are no text.
 * @param cut there is more of it, so that it may end inside of a letter
 */
export function textIn(bytes: Uint8Array, cut = false): { text: string; guessed: boolean } | undefined {
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : undefined;
  const wideBack = bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
  const mark = wide ?? wideBack;
  if (mark) return { text: new TextDecoder(mark).decode(bytes), guessed: false };
  if (bytes.includes(0)) return undefined;
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut }), guessed: false };
  } catch {
    // What spreadsheets write where they do not write UTF-8.
    return { text: new TextDecoder('windows-1252').decode(bytes), guessed: true };
  }
}
