// The steps of a run in short: a mark and words for each. Pure but for the words.
import type { RunLine } from '../../bindings/types';
import type { Mark } from '../../components/StatusMark.svelte';
import { t } from '../../i18n/i18n.svelte';
import { markOf, wordKeyOf } from '../../lib/status';

export function pipsOf(
  run: Pick<RunLine, 'steps_done' | 'steps_total' | 'status'>,
): { mark: Mark; words: string }[] {
  return Array.from({ length: run.steps_total }, (_, index) => {
    const n = index + 1;
    if (index < run.steps_done)
      return { mark: 'done', words: t('quick.pip', { n, state: t('status.done') }) };
    if (index === run.steps_done)
      return { mark: markOf(run.status), words: t('quick.pip', { n, state: t(wordKeyOf(run.status)) }) };
    return { mark: 'idle', words: t('quick.pip', { n, state: t('run.step_pending') }) };
  });
}
