// The places of the sidebar, their icons and their keys: one list for the sidebar, the shortcuts and the sheet.
import type { IconName } from '../components/icons';
import type { PlainKey } from '../i18n/i18n.svelte';
import type { Route } from '../lib/route';
import type { ShortcutRegistry } from '../lib/shortcuts';
import { router } from './router.svelte';
import { view } from './view.svelte';

export interface NavPlace {
  id: 'home' | 'waiting' | 'runs' | 'workflows' | 'agents' | 'connections' | 'usage';
  label: PlainKey;
  icon: IconName;
  route: Route;
  /** Routes at which it is the current place. */
  holds: readonly Route['name'][];
}

export const PLACES: readonly (readonly NavPlace[])[] = [
  [
    { id: 'home', label: 'nav.home', icon: 'home', route: { name: 'home' }, holds: ['home'] },
    {
      id: 'waiting',
      label: 'nav.waiting',
      icon: 'inbox',
      route: { name: 'waiting' },
      holds: ['waiting'],
    },
    {
      id: 'runs',
      label: 'nav.runs',
      icon: 'runs',
      route: { name: 'runs' },
      holds: ['runs', 'run'],
    },
  ],
  [
    {
      id: 'workflows',
      label: 'nav.workflows',
      icon: 'workflow',
      route: { name: 'workflows' },
      holds: ['workflows'],
    },
    {
      id: 'agents',
      label: 'nav.agents',
      icon: 'agents',
      route: { name: 'agents' },
      holds: ['agents'],
    },
    {
      id: 'connections',
      label: 'nav.connections',
      icon: 'connections',
      route: { name: 'connections', tab: 'providers' },
      holds: ['connections'],
    },
    {
      id: 'usage',
      label: 'nav.usage',
      icon: 'chart',
      route: { name: 'usage' },
      holds: ['usage'],
    },
  ],
];

export const SETTINGS_PLACE = {
  id: 'settings',
  label: 'nav.settings',
  icon: 'settings',
  route: { name: 'settings', section: 'general' },
  holds: ['settings'],
} as const satisfies Omit<NavPlace, 'id'> & { id: 'settings' };

export const HELP_PLACE = {
  id: 'help',
  label: 'nav.help',
  icon: 'question',
  route: { name: 'help' },
  holds: ['help'],
} as const satisfies Omit<NavPlace, 'id'> & { id: 'help' };

export function registerNavigation(shortcuts: ShortcutRegistry): () => void {
  const removals = [
    ...PLACES.flat().flatMap(({ id, route }) => [
      shortcuts.on(`go.${id}`, () => router.go(route)),
      shortcuts.on(`go.${id}.letters`, () => router.go(route)),
    ]),
    shortcuts.on('go.settings', () => router.go(SETTINGS_PLACE.route)),
    shortcuts.on('go.help', () => router.go(HELP_PLACE.route)),
    shortcuts.on('view.composer', () => {
      router.go({ name: 'home' });
      // On the way to it, the screen gives its composer the focus by itself.
      document.getElementById('composer')?.focus();
    }),
    shortcuts.on('view.new_workflow', () => router.go({ name: 'workflows', edit: true })),
    shortcuts.on('view.sidebar', () => view.fold()),
    shortcuts.on('view.back', () => router.back()),
    shortcuts.on('view.forward', () => router.forward()),
  ];
  return () => removals.forEach((remove) => remove());
}
