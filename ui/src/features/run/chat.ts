// From journal entries to what the chat shows: turns of agents with their texts and tool calls, what people said, questions,
// and the hairline notes between them. Pure: the same entries give the same list, whatever was loaded first. Words and
// formats belong to the components; the text of calls in flight to the streams.
import type {
  Ask,
  CallErrorClass,
  ChosenBy,
  EffectClass,
  JournalRecord,
  RecordKind,
  StopReason,
  TaskDecided,
  When,
} from '../../bindings/types';
import { isGiven } from './given';

type Entry<K extends RecordKind> = Extract<JournalRecord, { kind: K }>;

export type ToolState = 'asked' | 'waiting' | 'refused' | 'running' | 'done' | 'bad' | 'failed' | 'uncertain';

export interface ToolLine {
  key: string;
  /** The entry that says most about it now: its end, its intent, or the answer that asked for it. */
  seq: number;
  tool: string;
  /** What it is about, in one short text out of its arguments. */
  target: string;
  state: ToolState;
  effect?: EffectClass;
  elapsedMs?: number;
  /** Absent when what they count was cut on its way here. */
  bytes?: number | undefined;
  attempts: number;
}

export type Footnote =
  | {
      kind: 'failed';
      seq: number;
      attempt: number;
      cause: CallErrorClass;
      /** The provider's or the tool's own words. */
      words: string;
      partial: string;
      /** The next attempt uses another model. */
      nextModel: boolean;
      again: boolean;
    }
  | { kind: 'interrupted'; seq: number; attempt: number }
  | { kind: 'uncertain'; seq: number; words: string }
  | { kind: 'edited'; seq: number };

export type TurnPart =
  | {
      kind: 'text';
      key: string;
      /** Where the text stands: what a fork replaces and where the whole of a cut text is read. */
      seq: number;
      /** The last entry a fork from this text shares. */
      at: number;
      text: string;
      cut: boolean;
      call?: number;
    }
  | { kind: 'writing'; key: string; seq: number; call: number; attempt: number }
  | { kind: 'tools'; key: string; calls: ToolLine[] }
  | { kind: 'footnote'; key: string; seq: number; note: Footnote };

export type Note =
  | { kind: 'step'; path: string }
  | { kind: 'step_skipped'; path: string }
  | { kind: 'step_failed'; path: string; words: string }
  | { kind: 'chosen'; agent: string; by: ChosenBy }
  | { kind: 'answers'; agent: string }
  | { kind: 'no_progress'; stage: string; what: string }
  | { kind: 'budget'; limit: string }
  | { kind: 'budget_raised' }
  | { kind: 'file'; file: string; bytes: number }
  | { kind: 'forked'; parent: string; at: number }
  | { kind: 'paused' | 'stopping' | 'ended'; reason: StopReason }
  | { kind: 'resumed' };

export type ChatItem =
  | {
      kind: 'said';
      key: string;
      seq: number;
      at: number;
      text: string;
      cut: boolean;
      /** The wish a run began with has no delivery. */
      when?: When;
      heard: boolean;
    }
  | {
      kind: 'turn';
      key: string;
      seq: number;
      at: number;
      path: string;
      agent: string;
      parts: TurnPart[];
    }
  | {
      kind: 'task';
      key: string;
      seq: number;
      at: number;
      path: string;
      ask: Ask;
      decided?: TaskDecided & { at: number };
    }
  | { kind: 'note'; key: string; seq: number; at: number; note: Note };

type Turn = Extract<ChatItem, { kind: 'turn' }>;

interface CallFacts {
  intent?: Entry<'call_intended'>;
  finished?: Entry<'call_finished'>;
  /** Its attempts that broke, and what began again. */
  events: JournalRecord[];
  attempts: number;
  open: boolean;
  uncertain: boolean;
  /** The entry that put its text into the conversation. */
  posted?: number;
}

interface Facts {
  calls: Map<number, CallFacts>;
  /** Tool calls by model call and index. */
  tools: Map<string, { call?: number; assessed?: Entry<'tool_assessed'>; task?: number }>;
  decided: Map<number, Entry<'task_decided'>>;
  heard: Set<number>;
  edits: Map<number, Entry<'edited'>>;
  agents: Map<string, string>;
}

const encoder = new TextEncoder();
const TARGET_CHARS = 160;
/** Arguments that say what a call is about, the most telling first. */
/** The tool that writes a file. */
const WRITES = 'file.write';
const TELLING = ['url', 'to', 'query', 'q', 'path', 'file', 'command', 'name', 'id'];

/** @param records in order of `seq`, each once */
export function buildChat(records: readonly JournalRecord[]): ChatItem[] {
  const facts = learn(records);
  const items: ChatItem[] = [];
  const turns = new Map<string, Turn>();
  const turnOf = (record: JournalRecord): Turn => {
    const path = record.path ?? '';
    let turn = turns.get(path);
    if (!turn) {
      const agent = facts.agents.get(path) ?? '';
      turn = {
        kind: 'turn',
        key: `turn:${path}`,
        seq: record.seq,
        at: record.at_ms,
        path,
        agent,
        parts: [],
      };
      turns.set(path, turn);
      items.push(turn);
    }
    return turn;
  };
  for (const record of records) place(record, facts, items, turnOf);
  // A turn of which only the speaker is known says nothing yet.
  return items.filter((item) => item.kind !== 'turn' || item.parts.length > 0);
}

function learn(records: readonly JournalRecord[]): Facts {
  const facts: Facts = {
    calls: new Map(),
    tools: new Map(),
    decided: new Map(),
    heard: new Set(),
    edits: new Map(),
    agents: new Map(),
  };
  const call = (seq: number): CallFacts => {
    let known = facts.calls.get(seq);
    if (!known) facts.calls.set(seq, (known = { events: [], attempts: 1, open: true, uncertain: false }));
    return known;
  };
  const tool = (key: string) => {
    let known = facts.tools.get(key);
    if (!known) facts.tools.set(key, (known = {}));
    return known;
  };
  for (const record of records) {
    switch (record.kind) {
      case 'speaker_chosen':
        facts.agents.set(record.path ?? '', record.body.agent);
        break;
      case 'call_intended': {
        call(record.seq).intent = record;
        const of = record.body.call;
        if (of.kind === 'tool') tool(`${of.model_call}:${of.index}`).call = record.seq;
        if (of.kind === 'tool' || of.purpose !== 'select') facts.agents.set(record.path ?? '', of.agent);
        break;
      }
      case 'call_retried': {
        const known = call(record.body.call);
        known.attempts = Math.max(known.attempts, record.body.attempt);
        known.open = true;
        break;
      }
      case 'call_finished': {
        const known = call(record.body.call);
        known.finished = record;
        known.open = false;
        break;
      }
      case 'call_failed':
      case 'call_interrupted': {
        const known = call(record.body.call);
        known.events.push(record);
        known.open = false;
        break;
      }
      case 'call_uncertain': {
        const known = call(record.body.call);
        known.events.push(record);
        known.uncertain = true;
        known.open = false;
        break;
      }
      case 'tool_assessed':
        tool(`${record.body.model_call}:${record.body.index}`).assessed = record;
        break;
      case 'task_opened': {
        const of = record.body.tool_call;
        if (of) tool(`${of[0]}:${of[1]}`).task = record.seq;
        break;
      }
      case 'task_decided':
        facts.decided.set(record.body.task, record);
        break;
      case 'message_posted': {
        const { call: of, said, from } = record.body;
        if (isGiven(said)) facts.heard.add(said);
        if (isGiven(of)) call(of).posted = record.seq;
        if (typeof from === 'object' && !facts.agents.has(record.path ?? ''))
          facts.agents.set(record.path ?? '', from.agent);
        break;
      }
      case 'edited':
        facts.edits.set(record.body.replace, record);
        break;
    }
  }
  return facts;
}

function place(
  record: JournalRecord,
  facts: Facts,
  items: ChatItem[],
  turnOf: (record: JournalRecord) => Turn,
): void {
  const { seq, at_ms: at } = record;
  const note = (what: Note) => items.push({ kind: 'note', key: `note:${seq}`, seq, at, note: what });
  const path = record.path ?? '';
  switch (record.kind) {
    case 'run_created': {
      const input = editedText(facts, seq) ?? record.body.input;
      items.push({ kind: 'said', key: `said:${seq}`, seq, at, text: input, cut: isCut(record), heard: true });
      break;
    }
    case 'person_said': {
      const { text, when } = record.body;
      const heard = facts.heard.has(seq);
      items.push({ kind: 'said', key: `said:${seq}`, seq, at, text, cut: isCut(record), when, heard });
      break;
    }
    case 'call_intended':
      if (record.body.call.kind === 'model' && record.body.call.purpose !== 'select')
        placeModelCall(seq, record, facts, turnOf(record));
      break;
    case 'call_finished': {
      // The intent lies before what is loaded: the end of the call stands for it.
      const known = facts.calls.get(record.body.call);
      if (!known?.intent && record.body.result.kind === 'model' && known?.posted !== undefined)
        placeModelCall(record.body.call, record, facts, turnOf(record));
      break;
    }
    case 'message_posted': {
      const { call, text, from, said } = record.body;
      if (isGiven(said)) break;
      // A call loaded with it shows the text; of one that lies before, nothing is known yet.
      if (isGiven(call) || !isGiven(text)) break;
      const shown = editedText(facts, seq) ?? text;
      if (typeof from === 'object')
        turnOf(record).parts.push({
          kind: 'text',
          key: `text:${seq}`,
          seq,
          at: seq,
          text: shown,
          cut: isCut(record),
        });
      else if (from === 'person')
        items.push({
          kind: 'said',
          key: `said:${seq}`,
          seq,
          at,
          text: shown,
          cut: isCut(record),
          heard: true,
        });
      break;
    }
    case 'task_opened': {
      const decision = facts.decided.get(seq);
      items.push({
        kind: 'task',
        key: `task:${seq}`,
        seq,
        at,
        path,
        ask: record.body.ask,
        ...(decision ? { decided: { ...decision.body, at: decision.at_ms } } : {}),
      });
      break;
    }
    default:
      placeNote(record, path, note);
  }
}

function placeNote(record: JournalRecord, path: string, note: (what: Note) => void): void {
  switch (record.kind) {
    case 'step_started':
      note({ kind: 'step', path });
      break;
    case 'step_finished': {
      const { outcome } = record.body;
      if (outcome.kind === 'skipped') note({ kind: 'step_skipped', path });
      if (outcome.kind === 'failed') note({ kind: 'step_failed', path, words: outcome.error.message });
      break;
    }
    case 'speaker_chosen': {
      const { agent, by, answers } = record.body;
      if (isGiven(answers)) note({ kind: 'answers', agent });
      else if (by === 'model' || by === 'selector_fallback') note({ kind: 'chosen', agent, by });
      break;
    }
    case 'no_progress_noticed':
      note({ kind: 'no_progress', stage: record.body.stage, what: record.body.what });
      break;
    case 'budget_exhausted':
      note({ kind: 'budget', limit: record.body.limit });
      break;
    case 'budget_raised':
      note({ kind: 'budget_raised' });
      break;
    case 'artifact_written':
      note({ kind: 'file', file: record.body.artifact.file, bytes: record.body.artifact.bytes });
      break;
    case 'run_forked':
      note({ kind: 'forked', parent: record.body.parent, at: record.body.at });
      break;
    case 'run_paused':
      note({ kind: 'paused', reason: record.body.reason });
      break;
    case 'run_resumed':
      note({ kind: 'resumed' });
      break;
    case 'run_stopping':
      note({ kind: 'stopping', reason: record.body.reason });
      break;
    case 'run_ended':
      note({ kind: 'ended', reason: record.body.reason });
      break;
  }
}

/** Everything of one model call: what broke on the way, its text, and the tools it asked for. */
function placeModelCall(call: number, first: JournalRecord, facts: Facts, turn: Turn): void {
  const known = facts.calls.get(call);
  if (!known) return;
  for (const note of footnotes(known))
    turn.parts.push({ kind: 'footnote', key: `foot:${note.seq}`, seq: note.seq, note });
  const { finished } = known;
  if (!finished) {
    if (known.open)
      turn.parts.push({
        kind: 'writing',
        key: `text:${call}`,
        seq: first.seq,
        call,
        attempt: known.attempts,
      });
    return;
  }
  if (finished.body.result.kind !== 'model') return;
  const { parts } = finished.body.result;
  const edit =
    facts.edits.get(finished.seq) ?? (known.posted === undefined ? undefined : facts.edits.get(known.posted));
  const said = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
  const text = editedText(facts, finished.seq) ?? editedText(facts, known.posted) ?? said;
  if (text.trim() !== '')
    turn.parts.push({
      kind: 'text',
      key: `text:${call}`,
      seq: finished.seq,
      at: known.posted ?? finished.seq,
      text,
      cut: isCut(finished) && !edit,
      call,
    });
  if (edit)
    turn.parts.push({
      kind: 'footnote',
      key: `foot:${edit.seq}`,
      seq: edit.seq,
      note: { kind: 'edited', seq: edit.seq },
    });
  placeTools(call, finished, facts, turn);
}

function placeTools(call: number, answer: Entry<'call_finished'>, facts: Facts, turn: Turn): void {
  if (answer.body.result.kind !== 'model') return;
  const asked = answer.body.result.parts.filter((part) => part.type === 'tool_call');
  if (asked.length === 0) return;
  const lines: ToolLine[] = [];
  const notes: Footnote[] = [];
  asked.forEach((part, index) => {
    const known = facts.tools.get(`${call}:${index}`);
    const used = known?.call === undefined ? undefined : facts.calls.get(known.call);
    lines.push(toolLine(part, `${call}:${index}`, answer.seq, known ?? {}, used, facts));
    if (used) notes.push(...footnotes(used));
  });
  const last = turn.parts.at(-1);
  if (last?.kind === 'tools') last.calls.push(...lines);
  else turn.parts.push({ kind: 'tools', key: `tools:${call}`, calls: lines });
  for (const note of notes)
    turn.parts.push({ kind: 'footnote', key: `foot:${note.seq}`, seq: note.seq, note });
}

function toolLine(
  part: { name: string; args: string },
  id: string,
  answer: number,
  known: { call?: number; assessed?: Entry<'tool_assessed'>; task?: number },
  used: CallFacts | undefined,
  facts: Facts,
): ToolLine {
  const line: ToolLine = {
    key: `tool:${id}`,
    seq: known.call ?? known.assessed?.seq ?? answer,
    tool: part.name,
    target: targetOf(part.args),
    state: 'asked',
    attempts: used?.attempts ?? 1,
  };
  const intent = used?.intent;
  if (intent) line.effect = intent.body.effect;
  if (used?.finished) {
    line.seq = used.finished.seq;
    const { result } = used.finished.body;
    line.state = result.kind === 'tool' && result.is_error ? 'bad' : 'done';
    if (intent) line.elapsedMs = used.finished.at_ms - intent.at_ms;
    if (result.kind === 'tool') line.bytes = bytesOf(part, result.content, isCut(used.finished));
  } else if (used) line.state = used.uncertain ? 'uncertain' : used.open ? 'running' : 'failed';
  else if (known.assessed?.body.verdict.kind === 'refuse') line.state = 'refused';
  else if (known.task !== undefined) {
    const verdict = facts.decided.get(known.task)?.body.verdict;
    line.state = verdict === undefined ? 'waiting' : verdict.kind === 'approve' ? 'asked' : 'refused';
  }
  return line;
}

function footnotes(call: CallFacts): Footnote[] {
  let attempt = 0;
  return call.events.flatMap((record): Footnote[] => {
    attempt += 1;
    switch (record.kind) {
      case 'call_failed': {
        const { error, partial, next_model, retry_at } = record.body;
        return [
          {
            kind: 'failed',
            seq: record.seq,
            attempt,
            cause: error.class,
            words: error.message,
            partial: partial ?? '',
            nextModel: next_model === true,
            again: isGiven(retry_at),
          },
        ];
      }
      case 'call_interrupted':
        return [{ kind: 'interrupted', seq: record.seq, attempt }];
      case 'call_uncertain':
        return [{ kind: 'uncertain', seq: record.seq, words: record.body.why }];
      default:
        return [];
    }
  });
}

function editedText(facts: Facts, seq: number | undefined): string | undefined {
  const edit = seq === undefined ? undefined : facts.edits.get(seq)?.body.edit;
  if (!edit) return undefined;
  return 'text' in edit ? edit.text : 'input' in edit ? edit.input : undefined;
}

function isCut(record: JournalRecord): boolean {
  return record.cut === true;
}

/** Of a file that is written, what stands in it; of anything else, what came back. */
function bytesOf(part: { name: string; args: string }, answer: string, cut: boolean): number | undefined {
  const text = part.name === WRITES ? argsOf(part.args)?.['content'] : cut ? undefined : answer;
  return typeof text === 'string' ? encoder.encode(text).length : undefined;
}

function argsOf(args: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(args);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The argument a person would name, shortened; empty when there is none. */
export function targetOf(args: string): string {
  const values = argsOf(args);
  if (!values) return '';
  const keys = [...TELLING.filter((key) => key in values), ...Object.keys(values)];
  for (const key of keys) {
    const value = values[key];
    if (typeof value !== 'string' || value === '') continue;
    const short = value
      .replace(/^https?:\/\//, '')
      .replace(/\s+/g, ' ')
      .trim();
    return short.length > TARGET_CHARS ? `${short.slice(0, TARGET_CHARS - 1)}…` : short;
  }
  return '';
}

/** Every entry one can stand on in the chat, in order, with the item it is in. */
export function standsOf(items: readonly ChatItem[]): { seq: number; item: number }[] {
  return items.flatMap((item, index) => {
    if (item.kind === 'note') return [];
    if (item.kind !== 'turn') return [{ seq: item.seq, item: index }];
    return item.parts.flatMap((part) => {
      if (part.kind === 'tools') return part.calls.map(({ seq }) => ({ seq, item: index }));
      return part.kind === 'text' ? [{ seq: part.seq, item: index }] : [];
    });
  });
}
