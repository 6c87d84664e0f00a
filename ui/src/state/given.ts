// The keys a person gave to acts, kept on this machine like the rest of a window's layout.
import { ACT_IDS } from '../lib/acts';
import type { GivenKeys } from '../lib/shortcuts';

export const GIVEN_KEYS = 'bwana.keys';

/** Acts this version does not know, and what cannot be read, are left out. */
export function readGiven(): GivenKeys {
  try {
    const kept = JSON.parse(localStorage.getItem(GIVEN_KEYS) ?? '{}') as Record<string, unknown>;
    return Object.fromEntries(
      ACT_IDS.flatMap((id) => (typeof kept[id] === 'string' ? [[id, kept[id]] as const] : [])),
    );
  } catch {
    return {};
  }
}

export function keepGiven(keys: GivenKeys): void {
  localStorage.setItem(GIVEN_KEYS, JSON.stringify(keys));
}
