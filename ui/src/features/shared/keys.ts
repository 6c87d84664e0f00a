// The keys as the sheet and the settings list them: by area, each act once, with every way to it.
import { ACT_IDS, ACTS, AREAS, areaOf, type ActId, type Area } from '../../lib/acts';
import type { PlainKey } from '../../i18n/i18n.svelte';
import type { ShortcutRegistry } from '../../lib/shortcuts';

export interface Way {
  id: ActId;
  /** Undefined: it has no key in this window. */
  caps: string[][] | undefined;
}

export interface Act {
  /** The message that names it. */
  label: PlainKey;
  ways: Way[];
}

export interface AreaActs {
  area: Area;
  acts: Act[];
}

/** `decides`: the window may answer questions; otherwise the keys for that do nothing in it. */
export function actsByArea(shortcuts: Pick<ShortcutRegistry, 'capsOf'>, decides: boolean): AreaActs[] {
  return AREAS.filter((area) => decides || area !== 'task').map((area) => {
    const acts = new Map<PlainKey, Act>();
    for (const id of ACT_IDS.filter((one) => areaOf(one) === area)) {
      const { label } = ACTS[id];
      const act = acts.get(label) ?? { label, ways: [] };
      act.ways.push({ id, caps: shortcuts.capsOf(id) });
      acts.set(label, act);
    }
    return { area, acts: [...acts.values()] };
  });
}

/** Only what a press does here: acts and ways without a key are left out. */
export function withKeys(areas: readonly AreaActs[]): AreaActs[] {
  return areas
    .map(({ area, acts }) => ({
      area,
      acts: acts
        .map(({ label, ways }) => ({ label, ways: ways.filter(({ caps }) => caps) }))
        .filter(({ ways }) => ways.length > 0),
    }))
    .filter(({ acts }) => acts.length > 0);
}
