// How questions to the person and their answers are said. The only place of the cards that names message keys for codes.
import type { Ask, DecidedBy, RiskClass, Verdict, Words } from '../../bindings/types';
import type { IconName } from '../../components/icons';
import type { Mark } from '../../components/StatusMark.svelte';
import { t, tCode, tPieces, type PlainKey } from '../../i18n/i18n.svelte';
import type { Piece } from '../../i18n/message';
import { names } from './names.svelte';
import { headline, toolOf } from './task';

interface RiskLook {
  word: PlainKey;
  icon: IconName;
  tone: 'plain' | 'warn' | 'err';
}

const RISKS: Record<RiskClass, RiskLook> = {
  read_local: { word: 'agents.risk.read_local', icon: 'eye', tone: 'plain' },
  read_net: { word: 'agents.risk.read_net', icon: 'globe', tone: 'plain' },
  write_reversible: { word: 'agents.risk.write_reversible', icon: 'edit', tone: 'plain' },
  execute: { word: 'agents.risk.execute', icon: 'terminal', tone: 'warn' },
  destructive: { word: 'agents.risk.destructive', icon: 'trash', tone: 'err' },
  contact: { word: 'agents.risk.contact', icon: 'mail', tone: 'warn' },
  money: { word: 'agents.risk.money', icon: 'money', tone: 'warn' },
};

export function riskOf(risk: RiskClass): { word: string; icon: IconName; tone: RiskLook['tone'] } {
  const { word, icon, tone } = RISKS[risk];
  return { word: t(word), icon, tone };
}

/** What cannot be taken back, in one sentence; undefined where everything can. */
export function warningOf(risk: RiskClass | null | undefined): string | undefined {
  if (risk === 'contact') return t('task.warn_contact');
  if (risk === 'money') return t('task.warn_money');
  if (risk === 'destructive') return t('task.warn_destructive');
  return undefined;
}

/** The question in pieces, so that who asks and for which tool can be drawn as what they are. */
export function questionOf(ask: Ask): Piece[] {
  switch (ask.kind) {
    case 'approve':
      return tPieces('task.ask_approve', { agent: names.of(ask.agent), tool: ask.tool });
    case 'uncertain':
      return tPieces('task.ask_uncertain', { tool: ask.tool });
    case 'plan':
      return tPieces('task.ask_plan', { step: ask.step });
    case 'price':
      return tPieces('task.ask_price', { model: `${ask.provider}/${ask.model}` });
    case 'answer':
      return tPieces('task.ask_answer', { agent: names.of(ask.agent) });
  }
}

/** What it is about, in one short text for a row. */
export function aboutOf(ask: Ask): string {
  switch (ask.kind) {
    case 'answer':
      return ask.question;
    case 'plan':
      return ask.step;
    case 'price':
      return `${ask.provider}/${ask.model}`;
    default:
      return headline(ask.preview) || toolOf(ask);
  }
}

const VERDICTS: Record<Verdict['kind'], { mark: Mark; word: PlainKey }> = {
  approve: { mark: 'done', word: 'run.decided_approve' },
  deny: { mark: 'fail', word: 'run.decided_deny' },
  answer: { mark: 'done', word: 'run.decided_answer' },
  happened_already: { mark: 'done', word: 'run.decided_happened' },
  send_again: { mark: 'done', word: 'run.decided_again' },
  give_up: { mark: 'fail', word: 'run.decided_give_up' },
};

export function verdictOf(verdict: Verdict, by: DecidedBy, edited: boolean): { mark: Mark; word: string } {
  // The engine closes what nobody answered as a denial; nobody denied it.
  if (by === 'run_ended') return { mark: 'idle', word: t('task.by_run_ended') };
  const { mark, word } = VERDICTS[verdict.kind];
  return { mark, word: edited ? t('task.decided_edited') : t(word) };
}

const BY: Record<DecidedBy, PlainKey> = {
  local_ui: 'task.by_local_ui',
  local_cli: 'task.by_local_cli',
  unattended: 'task.by_unattended',
  run_ended: 'task.by_engine',
};

export function byWord(by: DecidedBy): string {
  return t(BY[by]);
}

/** An offer or a grant as a sentence; an unknown one by its code, so that nothing is allowed unseen. */
export function scopeWords({ code, params }: Words): string {
  return tCode(`code.${code}`, params ?? {}) ?? [code, ...Object.values(params ?? {})].join(' ');
}

/** Arguments most tools have are named in the person's language, others by their own name. */
export function factName(name: string): { word: string; own: boolean } {
  const word = tCode(`task.arg.${name}`);
  return { word: word ?? name, own: word === undefined };
}

const ERRORS: Readonly<Record<string, PlainKey>> = {
  'task.already_decided': 'task.already',
  'usage.not_found': 'task.gone',
  'tool.invalid_arguments': 'task.bad_arguments',
  'policy.denied': 'task.policy_denied',
  'policy.not_yours': 'task.in_app',
  connection_lost: 'task.lost',
  not_sent: 'link.not_sent',
};

export function refusalOf(code: string): string {
  return t(ERRORS[code] ?? 'task.refused');
}
