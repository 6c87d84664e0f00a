// What the workflows are called.
import type { DefinitionList } from '../../bindings/types';
import type { Session } from '../../state/session.svelte';

/** Names of workflows by their slug; without one, the slug says enough. */
export async function readWorkflows(session: Session): Promise<ReadonlyMap<string, string>> {
  try {
    const { value } = await session.platform.rpc<DefinitionList>('workflows.list');
    return new Map(value.items.map(({ id, name }) => [id, name]));
  } catch {
    return new Map();
  }
}
