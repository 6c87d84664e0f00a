// Files of a run as the engine gives them, piece by piece. Test code only.
import { createHash } from 'node:crypto';

export const PIECE_BYTES = 256 * 1024;
const KINDS: Record<string, string> = {
  csv: 'text/csv',
  gif: 'image/gif',
  htm: 'text/html',
  html: 'text/html',
  jpg: 'image/jpeg',
  js: 'text/javascript',
  json: 'application/json',
  md: 'text/markdown',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  webp: 'image/webp',
  xml: 'application/xml',
};

export type Files = Record<string, string | Buffer>;

export const bytesOf = (content: string | Buffer) =>
  typeof content === 'string' ? Buffer.from(content, 'utf8') : content;

export function listed(files: Files) {
  return Object.entries(files).map(([file, content]) => ({
    file,
    bytes: bytesOf(content).length,
    hash: createHash('sha256').update(bytesOf(content)).digest('hex'),
  }));
}

/** `artifacts.read` over these files; those named in `changed` are not as the journal has them. */
export function reader(files: Files, changed: readonly string[] = []) {
  return ({ file, offset = 0 }: { file: string; offset?: number }) => {
    const all = bytesOf(files[file] ?? '');
    let end = Math.min(all.length, offset + PIECE_BYTES);
    const isText = (piece: Buffer) => !piece.includes(0) && Buffer.from(piece.toString('utf8')).equals(piece);
    // A letter that is only begun goes with the next piece.
    const whole = end;
    while (whole < all.length && whole - end < 4 && !isText(all.subarray(offset, end))) end -= 1;
    const text = isText(all.subarray(offset, end));
    if (!text) end = whole;
    const piece = all.subarray(offset, end);
    const known = KINDS[file.slice(file.lastIndexOf('.') + 1).toLowerCase()];
    return {
      ...(text ? { text: piece.toString('utf8') } : { base64: piece.toString('base64') }),
      bytes: all.length,
      mime: known ?? (text ? 'text/plain' : 'application/octet-stream'),
      hash: 'b3',
      next: end,
      more: end < all.length,
      changed: changed.includes(file),
    };
  };
}
