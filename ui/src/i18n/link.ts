// Words for what did not reach the engine, or may not have. What does not belong here: what to do then.
import { t } from './i18n.svelte';

/** By the code of the refusal; undefined: the engine answered, and it is another matter. */
export function linkWords(code: string | undefined): string | undefined {
  if (code === 'not_sent') return t('link.not_sent');
  return code === 'connection_lost' ? t('link.dropped') : undefined;
}
