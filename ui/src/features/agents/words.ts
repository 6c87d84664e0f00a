// How an agent's state and its tools are said: marks and message keys for the engine's words.
import type { AgentPanel, RiskClass } from '../../bindings/types';
import type { Mark } from '../../components/StatusMark.svelte';
import { stepWords } from '../../i18n/builtin';
import { t, type PlainKey } from '../../i18n/i18n.svelte';

const STATUS: Record<AgentPanel['status'], { mark: Mark; word: PlainKey }> = {
  idle: { mark: 'idle', word: 'agents.idle' },
  working: { mark: 'run', word: 'agents.working' },
  waiting: { mark: 'need', word: 'status.waiting' },
};

export const RISK_WORDS: Record<RiskClass, PlainKey> = {
  read_local: 'agents.risk.read_local',
  read_net: 'agents.risk.read_net',
  write_reversible: 'agents.risk.write_reversible',
  execute: 'agents.risk.execute',
  destructive: 'agents.risk.destructive',
  contact: 'agents.risk.contact',
  money: 'agents.risk.money',
};

const ASKING: ReadonlySet<RiskClass> = new Set([
  'write_reversible',
  'execute',
  'destructive',
  'contact',
  'money',
]);

export function statusOf(panel: AgentPanel): { mark: Mark; word: string } {
  const { mark, word } = STATUS[panel.status];
  return { mark, word: t(word) };
}

/** True when a person is asked before the tool is used, unless they have allowed it. */
export function asks(risk: RiskClass | null): boolean {
  return risk !== null && ASKING.has(risk);
}

/** What the agent does now, or what it is for. */
export function sentenceOf(panel: AgentPanel): string {
  if (panel.status === 'waiting') return t('agents.now_waiting');
  const { now } = panel;
  if (!now) return panel.description;
  if (now.doing === 'using' && now.tool) return t('agents.now_using', { tool: now.tool });
  if (!now.step) return t('agents.now_thinking_plain');
  const workflow = panel.active.find(({ run }) => run === now.run)?.workflow;
  return t('agents.now_thinking', { step: stepWords(workflow, now.step) });
}

export function pipsOf(done: number, total: number): { mark: Mark; words: string }[] {
  return Array.from({ length: total }, (_, index) => {
    const n = index + 1;
    if (index < done) return { mark: 'done', words: t('agents.pip_done', { n }) };
    if (index === done) return { mark: 'run', words: t('agents.pip_now', { n }) };
    return { mark: 'idle', words: t('agents.pip_later', { n }) };
  });
}
