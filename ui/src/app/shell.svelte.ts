// What the desktop shell tells its windows: links that arrived, the wish to quit, the window that was kept. A browser has
// no shell and hears nothing.
import type { Link, BadLink } from '../bindings/shell';
import type { Cancel, Platform } from '../platform/platform';
import { t } from '../i18n/i18n.svelte';
import { toasts } from '../components/toasts.svelte';
import { router } from './router.svelte';

type Arrived = { link: Link } | { bad: BadLink } | 'waiting';
type Told =
  | { event: 'links' | 'kept_in_tray' | 'quick_shown' }
  | { event: 'quit_asked'; runs: number }
  | { event: 'theme'; dark: boolean };

/** A link that asks before it does anything. */
export type Asking =
  { kind: 'workflow'; slug: string } | { kind: 'new'; text: string } | { kind: 'bad'; why: BadLink };

class Shell {
  /** Runs at work while the person wants to quit. */
  quitting = $state<number>();
  asking = $state.raw<Asking>();
}

export const shell = new Shell();

/** Follows the shell until the window goes. */
export function followShell(platform: Platform): Cancel {
  if (platform.kind !== 'desktop') return () => undefined;
  const take = async () => {
    const { value } = await platform.rpc<Arrived[]>('shell.links');
    for (const arrived of value) show(arrived);
  };
  const stop = platform.watch(
    'shell.watch',
    {},
    (event) => {
      const told = event as Told;
      if (told.event === 'links') void take().catch(() => undefined);
      if (told.event === 'quit_asked') shell.quitting = told.runs;
      if (told.event === 'kept_in_tray') toasts.show({ text: t('shell.kept'), icon: 'info' });
    },
    () => undefined,
  );
  void take().catch(() => undefined);
  return stop;
}

/** Looking needs no question; whatever would put something somewhere asks first. */
function show(arrived: Arrived): void {
  if (arrived === 'waiting') return router.go({ name: 'waiting' });
  if ('bad' in arrived) {
    shell.asking = { kind: 'bad', why: arrived.bad };
    return;
  }
  const { link } = arrived;
  switch (link.kind) {
    case 'run':
      return router.go({
        name: 'run',
        id: link.id,
        lens: 'chat',
        ...(link.at === null || link.at === undefined ? {} : { at: link.at }),
      });
    case 'agent':
      return router.go({ name: 'agents', id: link.slug });
    case 'task':
      return router.go({ name: 'waiting', task: link.id });
    case 'workflow':
      shell.asking = { kind: 'workflow', slug: link.slug };
      return;
    case 'new':
      shell.asking = { kind: 'new', text: link.text };
  }
}
