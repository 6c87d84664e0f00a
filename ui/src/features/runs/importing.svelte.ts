// A run from a file on its way in: what the file says of itself is read here, and nothing is stored before a person says so.
// What is true of it is the engine's to verify.
import type { Document, RunShown } from '../../bindings/types';
import { RequestError, type Platform } from '../../platform/platform';

/**
 * Larger documents are imported by the command line. A request over the network may hold a mebibyte, and every quote of the
 * document takes two bytes of it.
 */
const FILE_BYTES_MOST = { desktop: 64 * 1024 * 1024, web: 448 * 1024 } as const;
const SCHEMA = 'bwana.run/v1';

export interface Facts {
  workflow: string;
  run: string;
  entries: number;
  files: number;
  program: string;
  exportedAt: string;
}

export class RunImport {
  readonly name: string;
  readonly #platform: Platform;
  readonly #file: File;
  #text = '';
  /** Why it cannot be taken. */
  unreadable = $state<'big' | 'no_run' | 'newer'>();
  facts = $state.raw<Facts>();
  taking = $state(false);
  refused = $state.raw<RequestError>();
  /** The copy, once it is stored. */
  taken = $state.raw<RunShown>();

  constructor(platform: Platform, file: File) {
    this.#platform = platform;
    this.#file = file;
    this.name = file.name;
  }

  get limit(): number {
    return FILE_BYTES_MOST[this.#platform.kind];
  }

  async look(): Promise<void> {
    if (this.#file.size > this.limit) {
      this.unreadable = 'big';
      return;
    }
    try {
      this.#text = new TextDecoder('utf-8', { fatal: true }).decode(await this.#file.arrayBuffer());
      this.#told(JSON.parse(this.#text));
    } catch {
      this.unreadable = 'no_run';
    }
  }

  #told(value: unknown): void {
    const told = value as Partial<Document> | null;
    if (typeof told !== 'object' || told === null || typeof told.schema !== 'string')
      this.unreadable = 'no_run';
    else if (told.schema !== SCHEMA)
      this.unreadable = told.schema.startsWith('bwana.run/') ? 'newer' : 'no_run';
    else if (!Array.isArray(told.entries)) this.unreadable = 'no_run';
    else
      this.facts = {
        workflow: String(told.workflow ?? ''),
        run: String(told.run ?? ''),
        entries: told.entries.length,
        files: Array.isArray(told.artifacts) ? told.artifacts.length : 0,
        program: String(told.program ?? ''),
        exportedAt: String(told.exported_at ?? ''),
      };
  }

  async take(): Promise<void> {
    if (!this.facts || this.taking || this.taken) return;
    this.taking = true;
    this.refused = undefined;
    try {
      this.taken = (
        await this.#platform.rpc<RunShown>('run.import_text', { name: this.name, text: this.#text })
      ).value;
      this.#text = '';
    } catch (error) {
      this.refused = RequestError.from(error);
    }
    this.taking = false;
  }
}
