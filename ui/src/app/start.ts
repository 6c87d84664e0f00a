// Brings the window up, or says plainly why it cannot.
import { mount } from 'svelte';
import type { HealthShown, SettingsShown } from '../bindings/types';
import { giveHost } from '../components/host';
import type { Route } from '../lib/route';
import { useLanguage } from '../i18n/i18n.svelte';
import { desktopPlatform, inDesktop } from '../platform/desktop';
import { RequestError, type Platform } from '../platform/platform';
import { webPlatform } from '../platform/web';
import { formatOf, startSession } from '../state/session.svelte';
import { askToOpen } from './links.svelte';
import App from './App.svelte';
import CannotStart from './CannotStart.svelte';
import { windowKind } from './kind';
import { router } from './router.svelte';
import { SCREENS } from './screens';

export async function start(target: HTMLElement): Promise<void> {
  // The first screen comes while the session opens.
  fetchScreen(windowKind().window === 'run' ? 'run' : router.route.name);
  // The words and the connection come at the same time.
  const words = useLanguage({ language: rememberedLanguage(), timeZone: 'UTC' });
  let platform: Platform | undefined;
  try {
    platform = inDesktop() ? desktopPlatform() : await webPlatform();
    const { copy } = platform;
    const session = startSession(platform);
    giveHost({ copy, openLink: (url) => askToOpen(url) });
    // Of a folder without a database nothing can be followed.
    const repair = await isForRepair(platform);
    if (repair) {
      await words;
      const { default: Recovery } = await import('../features/recovery/Recovery.svelte');
      await speak(platform);
      mount(Recovery, { target, props: { platform } });
    } else {
      await Promise.all([words, session.open()]);
      localStorage.setItem(LANGUAGE_KEY, session.formatSettings.language);
      mount(App, { target, props: { session } });
    }
  } catch (error) {
    // Without words the keys of the messages stand there, which still say what happened.
    await words.catch(() => undefined);
    mount(CannotStart, { target, props: { error: RequestError.from(error) } });
  }
  // Told after the first frame, also when that frame says that it cannot go on.
  requestAnimationFrame(() => {
    performance.mark('drawn');
    platform?.drawn();
  });
  // What is opened next, and the largest of all screens, comes when the start is over.
  setTimeout(() => fetchScreen('run'), AHEAD_MS);
}

const AHEAD_MS = 2_000;

/** If a screen cannot be had ahead, it is asked for again where it is drawn. */
function fetchScreen(name: Route['name']): void {
  if (windowKind().window !== 'quick') SCREENS[name]?.().catch(() => undefined);
}

/** Whether there is no database to show anything of. One that cannot say is asked as usual, and says why then. */
async function isForRepair(platform: Platform): Promise<boolean> {
  try {
    return (await platform.rpc<HealthShown>('home.health')).value.is_repair === true;
  } catch {
    return false;
  }
}

/** The person's language where nothing is followed; the last one of this window if the settings cannot be had. */
async function speak(platform: Platform): Promise<void> {
  try {
    const { settings } = (await platform.rpc<SettingsShown>('settings.show')).value;
    const row = (key: string) => settings.find((one) => one.key === key);
    const zone = row('time_zone')?.default;
    await useLanguage(formatOf((key) => row(key)?.value, typeof zone === 'string' ? zone : undefined));
  } catch {
    // The words that are there already will do.
  }
}

/** The last language of this window, so that its first words are not in another one. */
const LANGUAGE_KEY = 'bwana.language';
function rememberedLanguage(): string {
  const last = localStorage.getItem(LANGUAGE_KEY);
  return ['en', 'fr', 'sw', 'pt', 'ar'].find((known) => known === last) ?? 'en';
}
