// One file on its way in: what it holds is looked at first, and nothing is taken before a person says so.
import type { ImportReport, Validation } from '../../bindings/types';
import { RequestError, type Platform } from '../../platform/platform';
import { FILE_MAX_BYTES, sourceName, textOf } from './file';

export class Importing {
  readonly name: string;
  /** Why it cannot even be looked at. */
  unreadable = $state<'big' | 'not_text'>();
  validation = $state.raw<Validation>();
  failed = $state.raw<RequestError>();
  taking = $state(false);
  refused = $state.raw<RequestError>();
  readonly #platform: Platform;
  readonly #file: File;
  #text = '';

  constructor(platform: Platform, file: File) {
    this.#platform = platform;
    this.#file = file;
    this.name = file.name;
  }

  readonly ready = $derived(this.validation?.valid === true);

  async look(): Promise<void> {
    this.failed = this.unreadable = undefined;
    if (this.#file.size > FILE_MAX_BYTES) {
      this.unreadable = 'big';
      return;
    }
    try {
      const text = textOf(await this.#file.arrayBuffer());
      if (text === undefined) {
        this.unreadable = 'not_text';
        return;
      }
      this.#text = text;
      const params = { name: this.name, text };
      this.validation = (await this.#platform.rpc<Validation>('definitions.validate', params)).value;
    } catch (error) {
      this.failed = RequestError.from(error);
    }
  }

  /** What became of what it holds; nothing when it was not taken. */
  async take(): Promise<ImportReport | undefined> {
    if (!this.ready || this.taking) return undefined;
    this.taking = true;
    this.refused = undefined;
    try {
      const file = { name: sourceName(this.name), text: this.#text };
      return (await this.#platform.rpc<ImportReport>('definitions.import', { file })).value;
    } catch (error) {
      this.refused = RequestError.from(error);
      return undefined;
    } finally {
      this.taking = false;
    }
  }
}
