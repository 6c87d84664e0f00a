// Brings the window up, or says plainly why it cannot.
import { mount } from 'svelte';
import { giveHost } from '../components/host';
import { useLanguage } from '../i18n/i18n.svelte';
import { desktopPlatform, inDesktop } from '../platform/desktop';
import { RequestError, type Platform } from '../platform/platform';
import { webPlatform } from '../platform/web';
import { startSession } from '../state/session.svelte';
import { askToOpen } from './links.svelte';
import App from './App.svelte';
import CannotStart from './CannotStart.svelte';

export async function start(target: HTMLElement): Promise<void> {
  await useLanguage({ language: rememberedLanguage(), timeZone: 'UTC' });
  let platform: Platform | undefined;
  try {
    platform = inDesktop() ? desktopPlatform() : await webPlatform();
    const { copy } = platform;
    const session = startSession(platform);
    giveHost({ copy, openLink: (url) => askToOpen(url) });
    await session.open();
    localStorage.setItem(LANGUAGE_KEY, session.formatSettings.language);
    mount(App, { target, props: { session } });
  } catch (error) {
    mount(CannotStart, { target, props: { error: RequestError.from(error) } });
  }
  // Told after the first frame, also when that frame says that it cannot go on.
  requestAnimationFrame(() => platform?.drawn());
}

/** The last language of this window, so that its first words are not in another one. */
const LANGUAGE_KEY = 'bwana.language';
function rememberedLanguage(): string {
  const last = localStorage.getItem(LANGUAGE_KEY);
  return ['en', 'fr', 'sw', 'pt', 'ar'].find((known) => known === last) ?? 'en';
}
