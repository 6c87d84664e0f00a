// What the inspector says of one entry: who, why, what it cost and how long it took, put together from the entries around it.
// Pure; words belong to the component.
import type { Ask, EffectClass, JournalRecord } from '../../bindings/types';
import { isGiven } from './given';

export interface Inspected {
  agent?: string;
  tool?: string;
  model?: string;
  why?: string;
  effect?: EffectClass;
  elapsedMs?: number;
  /** US dollars. */
  cost?: number;
  costUnknown?: boolean;
  tokensIn?: number;
  tokensOut?: number;
  /** The host untrusted text came from. */
  source?: string;
  state?: 'done' | 'fail' | 'run' | 'need';
}

const ENDS: readonly string[] = ['call_finished', 'call_failed', 'call_uncertain', 'call_interrupted'];
const MICRO_PER_USD = 1_000_000;

/** @param end what became of a call, where the record is its beginning */
export function inspect(
  record: JournalRecord,
  at: (seq: number) => JournalRecord | undefined,
  end?: JournalRecord | 'unknown',
): Inspected {
  const out: Inspected = {};
  switch (record.kind) {
    case 'call_intended':
      ofIntent(record.seq, at, out, record);
      if (end === undefined) out.state = 'run';
      else if (end !== 'unknown') out.state = inspect(end, at).state;
      break;
    case 'call_retried':
    case 'call_interrupted':
      ofIntent(record.body.call, at, out);
      break;
    case 'call_uncertain':
      ofIntent(record.body.call, at, out);
      out.state = 'need';
      out.why = record.body.why;
      break;
    case 'call_failed': {
      const intent = ofIntent(record.body.call, at, out);
      out.state = 'fail';
      if (intent) out.elapsedMs = record.at_ms - intent.at_ms;
      money(record.body.cost, out);
      tokens(record.body.usage, out);
      break;
    }
    case 'call_finished': {
      const intent = ofIntent(record.body.call, at, out);
      const { result } = record.body;
      out.state = result.kind === 'tool' && result.is_error ? 'fail' : 'done';
      if (intent) out.elapsedMs = record.at_ms - intent.at_ms;
      if (result.kind === 'model') {
        money(result.cost, out);
        tokens(result.usage, out);
      } else if (result.source) out.source = result.source;
      break;
    }
    case 'tool_assessed': {
      const { verdict } = record.body;
      out.why =
        verdict.kind === 'refuse'
          ? verdict.message
          : verdict.kind === 'ask'
            ? whyOf(verdict.ask)
            : verdict.why;
      out.state = verdict.kind === 'refuse' ? 'fail' : verdict.kind === 'ask' ? 'need' : 'done';
      if (verdict.kind === 'ask' && 'tool' in verdict.ask) out.tool = verdict.ask.tool;
      break;
    }
    case 'task_opened':
      ofAsk(record.body.ask, out);
      out.state = 'need';
      break;
    case 'task_decided': {
      const opened = at(record.body.task);
      if (opened?.kind === 'task_opened') ofAsk(opened.body.ask, out);
      const { kind } = record.body.verdict;
      out.state = kind === 'deny' || kind === 'give_up' ? 'fail' : 'done';
      break;
    }
    case 'speaker_chosen':
      out.agent = record.body.agent;
      break;
    case 'message_posted': {
      const { from, call } = record.body;
      if (typeof from === 'object') out.agent = from.agent;
      if (isGiven(call)) ofIntent(call, at, out);
      break;
    }
  }
  if (out.why === '') delete out.why;
  return out;
}

/** The last that is told of a call that began with `seq`. */
export function endOf(seq: number, records: readonly JournalRecord[]): JournalRecord | undefined {
  return records.findLast(({ kind, body }) => ENDS.includes(kind) && 'call' in body && body.call === seq);
}

/** The entry that began what this one tells of: the intent of its call, the question it answers. */
export function originOf({ body }: JournalRecord): number | undefined {
  if ('call' in body && typeof body.call === 'number') return body.call;
  return 'task' in body && typeof body.task === 'number' ? body.task : undefined;
}

function ofAsk(ask: Ask, out: Inspected): void {
  out.why = whyOf(ask);
  if ('agent' in ask) out.agent = ask.agent;
  if ('tool' in ask) out.tool = ask.tool;
}

function whyOf(ask: Ask): string {
  return 'why' in ask ? ask.why : '';
}

function ofIntent(
  call: number,
  at: (seq: number) => JournalRecord | undefined,
  out: Inspected,
  given?: JournalRecord,
): JournalRecord | undefined {
  const intent = given ?? at(call);
  if (intent?.kind !== 'call_intended') return undefined;
  out.effect = intent.body.effect;
  out.agent = intent.body.call.agent;
  if (intent.body.call.kind === 'tool') out.tool = intent.body.call.tool;
  else out.model = `${intent.body.call.provider}/${intent.body.call.model}`;
  return intent;
}

function money(micro: number | null, out: Inspected): void {
  if (micro === null) out.costUnknown = true;
  else out.cost = micro / MICRO_PER_USD;
}

function tokens(usage: { input_tokens: number; output_tokens: number }, out: Inspected): void {
  out.tokensIn = usage.input_tokens;
  out.tokensOut = usage.output_tokens;
}

/** What a fork from an entry may say differently; undefined when there is nothing to write. */
export function editable(
  record: JournalRecord,
): { field: 'text' | 'result' | 'input'; text: string } | undefined {
  switch (record.kind) {
    case 'run_created':
      return { field: 'input', text: record.body.input };
    case 'call_finished': {
      const { result } = record.body;
      if (result.kind === 'tool') return { field: 'result', text: result.content };
      const text = result.parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
      return text === '' ? undefined : { field: 'text', text };
    }
    case 'message_posted':
      return !isGiven(record.body.text) ? undefined : { field: 'text', text: record.body.text };
    default:
      return undefined;
  }
}

/** One line about an entry for the table: the most telling text it carries. */
export function lineOf(record: JournalRecord): string {
  switch (record.kind) {
    case 'run_created':
      return record.body.input;
    case 'speaker_chosen':
      return record.body.agent;
    case 'call_intended': {
      const { call } = record.body;
      return call.kind === 'tool' ? call.tool : `${call.provider}/${call.model}`;
    }
    case 'call_finished': {
      const { result } = record.body;
      if (result.kind === 'tool') return result.content;
      const said = result.parts.map((part) =>
        part.type === 'text' ? part.text : part.type === 'tool_call' ? part.name : '',
      );
      return said.filter(Boolean).join(' · ');
    }
    case 'call_failed':
      return record.body.error.message;
    case 'call_retried':
      return [record.body.provider, record.body.model].filter(Boolean).join('/');
    case 'call_uncertain':
      return record.body.why;
    case 'message_posted':
    case 'person_said':
      return record.body.text ?? '';
    case 'task_opened':
      return 'preview' in record.body.ask
        ? record.body.ask.preview
        : 'question' in record.body.ask
          ? record.body.ask.question
          : '';
    case 'no_progress_noticed':
      return record.body.what;
    case 'artifact_written':
      return record.body.artifact.file;
    case 'step_finished':
      return record.body.outcome.kind === 'failed' ? record.body.outcome.error.message : '';
    default:
      return '';
  }
}

/** US dollars an entry cost, where it says so. */
export function costOf(record: JournalRecord): number | undefined {
  const cost =
    record.kind === 'call_finished' && record.body.result.kind === 'model'
      ? record.body.result.cost
      : record.kind === 'call_failed' || record.kind === 'call_interrupted'
        ? record.body.cost
        : null;
  return cost === null ? undefined : cost / MICRO_PER_USD;
}

/** How an entry is to be marked in the table. */
export function isTrouble(record: JournalRecord): boolean {
  switch (record.kind) {
    case 'call_failed':
    case 'call_uncertain':
      return true;
    case 'call_finished':
      return record.body.result.kind === 'tool' && record.body.result.is_error === true;
    case 'step_finished':
      return record.body.outcome.kind === 'failed';
    case 'run_ended':
      return record.body.reason.code === 'failed';
    default:
      return false;
  }
}
