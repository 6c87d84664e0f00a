// Words that become a wish: they go into the composer, behind what stands in it, which is where runs begin.
import type { Draft } from '../../bindings/types';
import { router } from '../../app/router.svelte';
import type { Platform } from '../../platform/platform';

const COMPOSER = 'home';

/** @throws RequestError when the composer's draft could not be written */
export async function toWish(platform: Platform, words: string): Promise<void> {
  const { value } = await platform.rpc<Draft>('drafts.get', { place: COMPOSER });
  const before = value.text.trimEnd();
  const text = before === '' ? words : `${before}\n\n${words}`;
  await platform.rpc('drafts.set', { place: COMPOSER, text });
  router.go({ name: 'home' });
}
