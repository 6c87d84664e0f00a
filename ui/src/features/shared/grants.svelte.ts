// What people allowed and forbade beyond one call, and taking it back. The engine tells no changes of it: it is read again
// whenever a question is decided, and after each taking back.
import type { GrantList, GrantShown } from '../../bindings/types';
import { RequestError } from '../../platform/platform';
import type { Session } from '../../state/session.svelte';
import type { Subscriber } from '../../state/feed';

export class Grants {
  readonly #session: Session;
  readonly #subscriber: Subscriber;
  #all = $state.raw<readonly GrantShown[]>([]);
  #users = 0;
  #reads = 0;
  loaded = $state(false);
  error = $state.raw<RequestError>();
  /** The id of the one that is being taken back. */
  busy = $state<string>();
  /** A taking back the engine refused. */
  refused = $state.raw<RequestError>();

  constructor(session: Session) {
    this.#session = session;
    const read = () => void this.read();
    this.#subscriber = { topic: 'tasks', changes: read, requery: read };
  }

  /** Those that may still decide something, newest first. */
  readonly standing = $derived(this.#all.filter(({ stands }) => stands));

  get(id: string): GrantShown | undefined {
    return this.#all.find((grant) => grant.id === id);
  }

  /** Keeps it read until the returned call. */
  use(): () => void {
    this.#users += 1;
    if (this.#users === 1) {
      void this.#session.feed.subscribe(this.#subscriber);
      void this.read();
    }
    return () => {
      this.#users -= 1;
      if (this.#users === 0) this.#session.feed.unsubscribe(this.#subscriber);
    };
  }

  async read(): Promise<void> {
    const mine = ++this.#reads;
    try {
      const { value } = await this.#session.platform.rpc<GrantList>('grants.list', { all: true });
      if (mine !== this.#reads) return;
      this.#all = value.grants;
      this.loaded = true;
      this.error = undefined;
    } catch (error) {
      if (mine === this.#reads) this.error = RequestError.from(error);
    }
  }

  /** From now on it decides nothing. */
  revoke(id: string): Promise<void> {
    return this.#takeBack(id, 'grants.revoke', { grant: id });
  }

  /** Takes back what the answer to a question allowed or forbade. */
  undo(id: string, task: string): Promise<void> {
    return this.#takeBack(id, 'grants.undo', { task });
  }

  async #takeBack(id: string, name: string, params: object): Promise<void> {
    if (this.busy !== undefined) return;
    this.busy = id;
    this.refused = undefined;
    try {
      const { value } = await this.#session.platform.rpc<GrantShown>(name, params);
      this.#all = this.#all.map((grant) => (grant.id === id ? value : grant));
      await this.read();
    } catch (error) {
      this.refused = RequestError.from(error);
    }
    this.busy = undefined;
  }
}

const made = new WeakMap<Session, Grants>();

/** One for each window. */
export function grantsOf(session: Session): Grants {
  let grants = made.get(session);
  if (!grants) made.set(session, (grants = new Grants(session)));
  return grants;
}
