// What lists say of a run in short: a mark and words for each step, and why it stands still. Pure but for the words.
import type { RunLine, StopReason } from '../bindings/types';
import type { Mark } from '../components/StatusMark.svelte';
import { format, t, tCode } from '../i18n/i18n.svelte';
import { markOf, wordKeyOf } from './status';

/** Unfinished: at work, or able to go on. */
export const LIVE: readonly RunLine['status'][] = ['running', 'waiting', 'stopping', 'paused'];

export function pipsOf(
  run: Pick<RunLine, 'steps_done' | 'steps_total' | 'status'>,
): { mark: Mark; words: string }[] {
  // A step that failed counts as over: the last of them is the one.
  const over = run.status === 'failed' ? Math.min(run.steps_done, run.steps_total - 1) : run.steps_done;
  return Array.from({ length: run.steps_total }, (_, index) => {
    const n = index + 1;
    if (index < over) return { mark: 'done', words: t('quick.pip', { n, state: t('status.done') }) };
    if (index === over)
      return { mark: markOf(run.status), words: t('quick.pip', { n, state: t(wordKeyOf(run.status)) }) };
    return { mark: 'idle', words: t('quick.pip', { n, state: t('run.step_pending') }) };
  });
}

export function reasonWords(reason: StopReason): string {
  const params =
    'which' in reason ? { which: reason.which } : 'what' in reason ? { which: reason.what } : { which: '' };
  return tCode(`run.reason.${reason.code}`, params) ?? reason.code;
}

/** What a run has cost, honest about calls nobody has a price for. */
export function costWords(run: Pick<RunLine, 'cost' | 'cost_known'>): string {
  const known = format().usd(run.cost_known);
  return run.cost === null ? t('run.at_least', { cost: known }) : known;
}
