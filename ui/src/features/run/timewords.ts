// How the parts of a timeline are said: to screen readers, in its table, and under the playhead.
import { format, t, type PlainKey } from '../../i18n/i18n.svelte';
import type { Mark as Sign } from '../../components/StatusMark.svelte';
import { MICRO_PER_USD, type Item, type ItemState, type Lane, type Standing } from './timeline';
import type { Mark } from './timemarks';
import type { RunView } from './view.svelte';

const STATES: Record<ItemState, { sign: Sign; word: PlainKey }> = {
  running: { sign: 'run', word: 'status.running' },
  done: { sign: 'done', word: 'status.done' },
  bad: { sign: 'fail', word: 'run.tool.bad' },
  failed: { sign: 'fail', word: 'status.failed' },
  interrupted: { sign: 'fail', word: 'run.time.cut_off' },
  uncertain: { sign: 'need', word: 'run.tool.uncertain' },
  waiting: { sign: 'need', word: 'status.waiting' },
  denied: { sign: 'fail', word: 'run.decided_deny' },
  dropped: { sign: 'idle', word: 'run.time.dropped' },
};
const VERDICTS: Record<NonNullable<Item['verdict']>, PlainKey> = {
  approve: 'run.decided_approve',
  deny: 'run.decided_deny',
  answer: 'run.decided_answer',
  happened_already: 'run.decided_happened',
  send_again: 'run.decided_again',
  give_up: 'run.decided_give_up',
};
const KINDS: Record<Item['kind'], PlainKey> = {
  model: 'run.time.model_call',
  tool: 'run.time.tool_call',
  ask: 'run.time.asked',
  said: 'run.time.said',
};

export function kindOf(item: Item): string {
  return t(KINDS[item.kind]);
}

export function stateOf(item: Item): { sign: Sign; word: string } {
  const { sign, word } = STATES[item.state];
  return { sign, word: t(item.verdict ? VERDICTS[item.verdict] : word) };
}

export function laneName(lane: Lane, view: RunView): string {
  if (lane.kind === 'person') return t('run.you');
  return lane.kind === 'agent' ? view.nameOf(lane.name) : lane.name;
}

/** The agent that acts, or the person. */
export function whoOf(item: Item, view: RunView): string {
  if (item.agent !== undefined) return view.nameOf(item.agent);
  return item.kind === 'said' ? t('run.you') : '';
}

/** US dollars; empty where none were asked for. */
export function costOf(item: Item): string {
  if (item.micro === null) return t('run.cost_unknown');
  return item.micro === undefined || item.kind === 'tool' ? '' : format().usd(item.micro / MICRO_PER_USD);
}

export function lastedOf(item: Item, now: number): string {
  return item.kind === 'said' ? '' : format().duration(Math.max(0, (item.end ?? now) - item.start));
}

function enumerate(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(format().direction === 'rtl' ? '، ' : ', ');
}

/** "Shop Writer, model call, 11:02:14, 3.2 s, $0.004, done". */
export function nameOfItem(item: Item, view: RunView, now: number): string {
  return enumerate([
    whoOf(item, view),
    kindOf(item),
    item.kind === 'model' ? '' : item.what,
    item.attempt > 1 ? t('run.time.attempt', { n: item.attempt }) : '',
    format().timeExact(item.start),
    lastedOf(item, now),
    costOf(item),
    item.kind === 'said' ? '' : stateOf(item).word,
  ]);
}

export function nameOfMark(mark: Mark, view: RunView, now: number): string {
  if (mark.count === 1) return nameOfItem(mark.first, view, now);
  return enumerate([
    laneName(mark.first.lane, view),
    t('run.time.together', { n: mark.count }),
    `${format().timeExact(mark.first.start)} – ${format().timeExact(mark.last.end ?? now)}`,
    mark.bad > 0 ? t('run.time.troubled', { n: mark.bad }) : '',
  ]);
}

export function costSoFar(micro: number, unknown: boolean): string {
  const cost = format().usd(micro / MICRO_PER_USD);
  return unknown ? t('run.at_least', { cost }) : cost;
}

/** Names in their order, each once. */
export function workers(standing: Standing): string[] {
  return [...new Set(standing.atWork.flatMap(({ agent }) => (agent === undefined ? [] : [agent])))];
}

/** What a screen reader says when the playhead stands there. */
export function nameOfStanding(standing: Standing, steps: number, view: RunView): string {
  const who = workers(standing).map((agent) => view.nameOf(agent));
  return enumerate([
    format().clock(standing.elapsedMs),
    t('run.event_n', { n: standing.seq }),
    costSoFar(standing.micro, standing.unknown),
    t('run.time.steps_over', { n: standing.stepsDone, total: steps }),
    who.length > 0 ? t('run.time.working', { who: format().list(who) }) : t('run.time.nobody_works'),
  ]);
}
