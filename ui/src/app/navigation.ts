// The places of the sidebar, their icons and their keys: one list for the sidebar, the shortcuts and the sheet.
import type { IconName } from '../components/icons';
import type { PlainKey } from '../i18n/i18n.svelte';
import type { Route } from '../lib/route';
import type { ShortcutRegistry } from '../lib/shortcuts';
import { router } from './router.svelte';
import { view } from './view.svelte';

export interface NavPlace {
  id: string;
  label: PlainKey;
  icon: IconName;
  route: Route;
  /** Routes at which it is the current place. */
  holds: readonly Route['name'][];
  letter?: string;
}

export const PLACES: readonly (readonly NavPlace[])[] = [
  [
    { id: 'home', label: 'nav.home', icon: 'home', route: { name: 'home' }, holds: ['home'], letter: 'H' },
    {
      id: 'waiting',
      label: 'nav.waiting',
      icon: 'inbox',
      route: { name: 'waiting' },
      holds: ['waiting'],
      letter: 'W',
    },
    {
      id: 'runs',
      label: 'nav.runs',
      icon: 'runs',
      route: { name: 'runs' },
      holds: ['runs', 'run'],
      letter: 'R',
    },
  ],
  [
    {
      id: 'agents',
      label: 'nav.agents',
      icon: 'agents',
      route: { name: 'agents' },
      holds: ['agents'],
      letter: 'A',
    },
    {
      id: 'connections',
      label: 'nav.connections',
      icon: 'connections',
      route: { name: 'connections', tab: 'providers' },
      holds: ['connections'],
      letter: 'C',
    },
  ],
];

export const SETTINGS_PLACE: NavPlace = {
  id: 'settings',
  label: 'nav.settings',
  icon: 'settings',
  route: { name: 'settings', section: 'general' },
  holds: ['settings'],
};

export function registerNavigation(shortcuts: ShortcutRegistry): () => void {
  const places = PLACES.flat();
  const removals = [
    ...places.map((place, index) =>
      shortcuts.add({
        id: `go.${place.id}`,
        keys: `Mod+${index + 1}`,
        label: place.label,
        run: () => router.go(place.route),
        browserKeeps: true,
      }),
    ),
    ...places.map((place) =>
      shortcuts.add({
        id: `go.${place.id}.letters`,
        keys: `G ${place.letter}`,
        label: place.label,
        run: () => router.go(place.route),
      }),
    ),
    shortcuts.add({
      id: 'go.settings',
      keys: 'Mod+,',
      label: 'nav.settings',
      run: () => router.go(SETTINGS_PLACE.route),
    }),
    shortcuts.add({ id: 'view.sidebar', keys: 'Mod+B', label: 'nav.fold', run: () => view.fold() }),
    shortcuts.add({ id: 'view.back', keys: 'Mod+[', label: 'nav.back', run: () => router.back() }),
    shortcuts.add({ id: 'view.forward', keys: 'Mod+]', label: 'nav.forward', run: () => router.forward() }),
  ];
  return () => removals.forEach((remove) => remove());
}
