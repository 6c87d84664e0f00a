// How the codes of a run are said. The only place of the run view that names message keys for codes.
import type { CallErrorClass, EffectClass, RecordKind, When } from '../../bindings/types';
import { t, tCode, type PlainKey } from '../../i18n/i18n.svelte';
import type { IconName } from '../../components/icons';
import type { Mark } from '../../components/StatusMark.svelte';
import type { ToolState } from './chat';

export const WHENS: readonly When[] = ['now', 'after_step', 'at_end'];
const WHEN_WORDS: Record<When, PlainKey> = {
  now: 'say.now',
  after_step: 'say.after_step',
  at_end: 'say.at_end',
};

export function whenWord(when: When): string {
  return t(WHEN_WORDS[when]);
}

/** A kind this version does not know is shown as the engine writes it. */
export function kindWord(kind: RecordKind | (string & {})): string {
  return tCode(`entry.${kind}`) ?? kind;
}

export { reasonWords } from '../../lib/runs';

const EFFECTS: Record<EffectClass, PlainKey> = {
  pure: 'run.effect.pure',
  idempotent: 'run.effect.idempotent',
  paid: 'run.effect.paid',
  keyed: 'run.effect.keyed',
  at_most_once: 'run.effect.at_most_once',
};

export function effectWord(effect: EffectClass): string {
  return t(EFFECTS[effect]);
}

const TOOLS: Record<ToolState, { mark: Mark; word: PlainKey }> = {
  asked: { mark: 'idle', word: 'run.tool.asked' },
  waiting: { mark: 'need', word: 'status.waiting' },
  refused: { mark: 'fail', word: 'run.tool.refused' },
  running: { mark: 'run', word: 'status.running' },
  done: { mark: 'done', word: 'status.done' },
  bad: { mark: 'fail', word: 'run.tool.bad' },
  failed: { mark: 'fail', word: 'status.failed' },
  uncertain: { mark: 'need', word: 'run.tool.uncertain' },
};

export function toolState(state: ToolState): { mark: Mark; word: string } {
  const { mark, word } = TOOLS[state];
  return { mark, word: t(word) };
}

export function toolIcon(tool: string): IconName {
  const [family = ''] = tool.split('.');
  if (family === 'web' || family === 'http') return 'globe';
  if (family === 'email' || family === 'mail') return 'mail';
  if (family === 'fs' || family === 'file' || family === 'files') return 'file';
  if (family === 'db' || family === 'sql' || family === 'data') return 'database';
  return 'terminal';
}

export function causeWord(cause: CallErrorClass): string {
  const code = typeof cause === 'string' ? cause : typeof cause.model === 'string' ? cause.model : 'timeout';
  return tCode(`run.cause.${code}`) ?? code;
}

const STEPS: Readonly<Record<string, PlainKey>> = {
  pending: 'run.step_pending',
  waiting: 'status.waiting',
  running: 'status.running',
  done: 'status.done',
  failed: 'status.failed',
  skipped: 'run.step_skipped_word',
};

export function stepWord(status: string): string {
  return t(STEPS[status] ?? 'run.step_pending');
}
