// The names of the agents, read once a window. Until they are there, and where they cannot be read, an id says enough.
import { agentName } from '../../i18n/builtin';
import type { DefinitionList } from '../../bindings/types';
import type { Session } from '../../state/session.svelte';

class Names {
  #known = $state.raw<readonly { id: string; name: string }[]>([]);
  #asked: Session | undefined;

  /** Asks for them, once. */
  read(session: Session): void {
    if (this.#asked === session) return;
    this.#asked = session;
    session.platform.rpc<DefinitionList>('agents.list').then(
      ({ value }) => (this.#known = value.items),
      // The next card asks again.
      () => (this.#asked = undefined),
    );
  }

  of(agent: string): string {
    return agentName(agent, this.#known.find(({ id }) => id === agent)?.name);
  }
}

export const names = new Names();
