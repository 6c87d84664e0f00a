// The one place that knows which feature draws which address. A screen is a feature's `Screen.svelte`, loaded on demand; an
// address without a line here says that there is nothing.
import type { Component } from 'svelte';
import type { Route } from '../lib/route';
import type { Session } from '../state/session.svelte';

export interface ScreenProps {
  session: Session;
  route: Route;
}

type Loader = () => Promise<{ default: Component<ScreenProps> }>;

export const SCREENS: Partial<Record<Route['name'], Loader>> = {
  agents: () => import('../features/agents/Screen.svelte'),
  connections: () => import('../features/connections/Screen.svelte'),
  help: () => import('../features/help/Screen.svelte'),
  home: () => import('../features/home/Screen.svelte'),
  run: () => import('../features/run/Screen.svelte'),
  runs: () => import('../features/runs/Screen.svelte'),
  settings: () => import('../features/settings/Screen.svelte'),
  usage: () => import('../features/usage/Screen.svelte'),
  waiting: () => import('../features/waiting/Screen.svelte'),
  workflows: () => import('../features/workflows/Screen.svelte'),
};
