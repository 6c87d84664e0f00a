// What the palette can find besides acts and places: agents, workflows, the newest runs, and what the engine finds for a text:
// runs by their titles, and what was said and written in all of them. What was read last is shown until the next answer. What
// does not belong here: order and drawing.
import type {
  DefinitionLine,
  DefinitionList,
  Hit,
  RunLine,
  RunList,
  SearchShown,
} from '../../bindings/types';
import { RequestError } from '../../platform/platform';
import type { Session } from '../../state/session.svelte';
import { latest } from './latest';

const NEWEST_RUNS = 6;
const FOUND_RUNS = 12;
const FOUND_HITS = 8;
/** While the index is being built, what is typed is asked again after this. */
const BUILDING_MS = 2_000;
/** Nothing was looked for. */
const NONE = { text: '', runs: [], messages: [], files: [], ready: true };

export class Sources {
  agents = $state.raw<readonly DefinitionLine[]>([]);
  workflows = $state.raw<readonly DefinitionLine[]>([]);
  newest = $state.raw<readonly RunLine[]>([]);
  found = $state.raw<{ text: string; runs: readonly RunLine[]; total: number }>({
    text: '',
    runs: [],
    total: 0,
  });
  texts = $state.raw<{
    text: string;
    runs: readonly Hit[];
    messages: readonly Hit[];
    files: readonly Hit[];
    ready: boolean;
  }>(NONE);
  /** Something could not be read, so that it is not among what is found. */
  error = $state.raw<RequestError>();
  readonly #session: Session;
  readonly #search;
  readonly #everywhere;
  #building: ReturnType<typeof setTimeout> | undefined;

  constructor(session: Session) {
    this.#session = session;
    this.#search = latest(
      (text: string) => session.platform.rpc<RunList>('run.list', { text, limit: FOUND_RUNS }),
      (text, { value }) => {
        this.found = { text, runs: value.runs, total: value.total };
      },
      (text, error) => {
        this.found = { text, runs: [], total: 0 };
        this.error = RequestError.from(error);
      },
    );
    this.#everywhere = latest(
      (text: string) => session.platform.rpc<SearchShown>('search.find', { text, limit: FOUND_HITS }),
      (text, { value }) => {
        this.texts = { text, ...value };
        clearTimeout(this.#building);
        if (!value.ready) this.#building = setTimeout(() => this.#everywhere.again(), BUILDING_MS);
      },
      (text, error) => {
        this.texts = { ...NONE, text };
        this.error = RequestError.from(error);
      },
    );
  }

  read(): void {
    const { platform } = this.#session;
    this.error = undefined;
    const missed = (error: unknown) => (this.error = RequestError.from(error));
    platform.rpc<DefinitionList>('agents.list').then(({ value }) => (this.agents = value.items), missed);
    platform
      .rpc<DefinitionList>('workflows.list')
      .then(({ value }) => (this.workflows = value.items), missed);
    platform
      .rpc<RunList>('run.list', { limit: NEWEST_RUNS })
      .then(({ value }) => (this.newest = value.runs), missed);
  }

  look(text: string): void {
    this.#search.want(text);
    this.#everywhere.want(text);
    clearTimeout(this.#building);
    // What could not be read for another text says nothing about this one.
    this.error = undefined;
    if (text === '') this.#forget();
  }

  close(): void {
    this.#search.stop();
    this.#everywhere.stop();
    clearTimeout(this.#building);
    this.#forget();
  }

  #forget(): void {
    this.found = { text: '', runs: [], total: 0 };
    this.texts = NONE;
  }
}
