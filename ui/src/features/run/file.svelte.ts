// One file of a run, read piece by piece from the engine up to what can be shown of its kind, and made into what is drawn.
// What does not belong here: drawing.
import type { ArtifactPiece } from '../../bindings/types';
import { fromBase64, joined, textIn } from '../../lib/bytes';
import { kindOfFile, type FileKind } from '../../lib/filekind';
import { isDrawable, pictureOf, type Picture } from '../../lib/picture';
import { RowReader, type Rows } from '../../lib/rows';
import { breather } from '../../lib/softly';
import type { Json } from '../../lib/tree';
import { RequestError } from '../../platform/platform';
import type { Session } from '../../state/session.svelte';

const MIB = 1024 * 1024;
/** So much of a file is read to show it; the whole of it is saved. */
export const SHOWN_BYTES: Readonly<Record<FileKind, number>> = {
  markdown: MIB,
  rows: 32 * MIB,
  picture: 16 * MIB,
  json: 8 * MIB,
  code: 2 * MIB,
  text: 2 * MIB,
  // The engine draws its pages.
  pdf: 1,
  // Nothing of it is drawn.
  bytes: 1,
};
/** Larger files are taken from the folder they lie in. */
export const SAVED_BYTES_MOST = 64 * MIB;
/** Rows are read from so much text at once. */
const SLICE_CHARS = 128 * 1024;

export type Shown =
  | { kind: 'markdown' | 'code' | 'text'; text: string; guessed: boolean }
  | { kind: 'rows'; text: string; guessed: boolean; table: Rows }
  | { kind: 'json'; text: string; guessed: boolean; value: Json }
  /** A blob's address, given back when the file is left. */
  | { kind: 'picture'; url: string; picture: Picture }
  | { kind: 'pdf' | 'bytes' }
  /** Says it is a picture and is none, or one too large to draw. */
  | { kind: 'no_picture'; large: boolean };

export class FileReading {
  readonly #session: Session;
  readonly #run: string;
  readonly file: string;
  #closed = false;
  shown = $state.raw<Shown>();
  error = $state.raw<RequestError>();
  /** Bytes that have been read, of so many. */
  read = $state(0);
  total = $state(0);
  hash = $state('');
  /** The file was changed after the run wrote it. */
  changed = $state(false);
  /** There is more of it than is shown. */
  cut = $state(false);

  constructor(session: Session, run: string, file: string) {
    this.#session = session;
    this.#run = run;
    this.file = file;
  }

  async open(): Promise<void> {
    this.error = undefined;
    try {
      const first = await this.#piece(0);
      const kind = kindOfFile(this.file, first.mime);
      const { bytes, cut } = await this.#rest(first, SHOWN_BYTES[kind], () => this.#closed);
      this.cut = cut;
      const shown = await this.#made(kind, bytes, cut);
      if (this.#closed) drop(shown);
      else this.shown = shown;
    } catch (error) {
      if (!this.#closed) this.error = RequestError.from(error);
    }
  }

  close(): void {
    this.#closed = true;
    if (this.shown) drop(this.shown);
  }

  /**
   * The whole file, read anew: it may have been changed since it was shown. Goes on when the file is left meanwhile: half a
   * file must not be saved as one.
   * @throws RequestError
   */
  async whole(): Promise<Uint8Array<ArrayBuffer>> {
    const first = await this.#piece(0);
    const { bytes, cut } = await this.#rest(first, SAVED_BYTES_MOST, () => false);
    if (cut || bytes.length < first.bytes) {
      const message = `${this.file} could not be read to its end; take it from the run's folder`;
      throw new RequestError({ code: 'file.not_whole', message });
    }
    return bytes;
  }

  async #piece(offset: number): Promise<ArtifactPiece> {
    const { value } = await this.#session.platform.rpc<ArtifactPiece>('artifacts.read', {
      run: this.#run,
      file: this.file,
      offset,
    });
    if (this.#closed) return value;
    this.total = value.bytes;
    this.read = value.next;
    this.hash = value.hash;
    this.changed ||= value.changed;
    return value;
  }

  async #rest(
    first: ArtifactPiece,
    most: number,
    over: () => boolean,
  ): Promise<{ bytes: Uint8Array<ArrayBuffer>; cut: boolean }> {
    const pieces = [bytesOf(first)];
    let last = first;
    while (last.more && last.next < most && !over()) {
      const next = await this.#piece(last.next);
      // A file that shrinks while it is read ends here.
      if (next.next <= last.next) break;
      pieces.push(bytesOf(next));
      last = next;
    }
    return { bytes: joined(pieces), cut: last.more };
  }

  async #made(kind: FileKind, bytes: Uint8Array<ArrayBuffer>, cut: boolean): Promise<Shown> {
    if (kind === 'pdf' || kind === 'bytes') return { kind };
    if (kind === 'picture') {
      const picture = pictureOf(bytes);
      if (!picture || cut || !isDrawable(picture))
        return { kind: 'no_picture', large: picture !== undefined };
      // The type is the one its own bytes say, never one that can hold a script.
      return { kind, picture, url: URL.createObjectURL(new Blob([bytes], { type: picture.mime })) };
    }
    const found = textIn(bytes, cut);
    if (!found) return { kind: 'bytes' };
    if (kind === 'rows') return { kind, ...found, table: await rowsIn(found.text, () => this.#closed) };
    if (kind === 'json') {
      try {
        return { kind, ...found, value: JSON.parse(found.text) as Json };
      } catch {
        return { kind: 'text', ...found };
      }
    }
    return { kind, ...found };
  }
}

function bytesOf({ text, base64 }: ArtifactPiece): Uint8Array {
  return typeof text === 'string' ? new TextEncoder().encode(text) : fromBase64(base64 ?? '');
}

async function rowsIn(text: string, over: () => boolean): Promise<Rows> {
  const reader = new RowReader();
  const breathe = breather();
  for (let at = 0; at < text.length && !reader.full && !over(); at += SLICE_CHARS) {
    reader.push(text.slice(at, at + SLICE_CHARS));
    await breathe();
  }
  const rows = reader.end();
  return reader.full ? { ...rows, cut: true } : rows;
}

function drop(shown: Shown): void {
  if (shown.kind === 'picture') URL.revokeObjectURL(shown.url);
}
