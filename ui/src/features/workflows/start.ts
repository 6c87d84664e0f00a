// The way from a workflow to its run: its name goes before what stands in the composer, which is where runs begin.
import type { Draft } from '../../bindings/types';
import { router } from '../../app/router.svelte';
import { withName } from '../../lib/wish';
import type { Platform } from '../../platform/platform';

const COMPOSER = 'home';

/** @throws RequestError when the composer's draft could not be written */
export async function toComposer(platform: Platform, id: string): Promise<void> {
  const { value } = await platform.rpc<Draft>('drafts.get', { place: COMPOSER });
  await platform.rpc('drafts.set', { place: COMPOSER, text: withName(value.text, '/', id) });
  router.go({ name: 'home' });
}
