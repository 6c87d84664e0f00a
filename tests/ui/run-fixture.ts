// A run as the engine would tell it, for the browser tests of the run view. Invented people and places.
type Record_ = {
  seq: number;
  at_ms: number;
  kind: string;
  v: number;
  path?: string;
  cut?: boolean;
  body: unknown;
};

export const RUN = '01JD0000000000000000004F2A';
const START = Date.parse('2026-11-20T11:00:00Z');
const USAGE = { input_tokens: 1_840, output_tokens: 212 };
const RESERVE = { micro_usd: 900, tokens: 3_000 };

export const NAMES = {
  business_intelligence: 'Business Intelligence',
  sales_marketing: 'Sales & Marketing',
  operations: 'Operations',
};

export class Story {
  readonly records: Record_[] = [];

  add(kind: string, body: unknown, path?: string): number {
    const seq = this.records.length + 1;
    this.records.push({
      seq,
      at_ms: START + seq * 3_000,
      v: 1,
      kind,
      body,
      ...(path === undefined ? {} : { path }),
    });
    return seq;
  }

  think(path: string, agent: string, purpose = 'turn'): number {
    const call = {
      kind: 'model',
      agent,
      provider: 'gemini',
      model: 'gemini-2.5-flash',
      purpose,
      max_output_tokens: 900,
    };
    return this.add('call_intended', { call, effect: 'paid', input: 'b3:9e41', reserve: RESERVE }, path);
  }

  answer(path: string, call: number, ...parts: object[]): number {
    const result = { kind: 'model', cost: 310, parts, stop: 'done', usage: USAGE };
    return this.add('call_finished', { call, result }, path);
  }

  use(path: string, agent: string, model_call: number, index: number, tool: string, content?: string): void {
    const call = { kind: 'tool', agent, model_call, index, tool, version: '1' };
    const seq = this.add('call_intended', { call, effect: 'pure', input: 'b3:11aa', reserve: RESERVE }, path);
    if (content === undefined) return;
    const result = { kind: 'tool', content, source: 'hotels.example' };
    this.add('call_finished', { call: seq, result }, path);
  }

  post(path: string, agent: string, call: number): number {
    return this.add('message_posted', { from: { agent }, call }, path);
  }
}

export const text = (words: string) => ({ type: 'text', text: words });
export const wants = (tool: string, args: object, id = tool) => ({
  type: 'tool_call',
  id,
  name: tool,
  args: JSON.stringify(args),
});

const TABLE = `Bahari Cold Stores and two ice plants serve 80 % of the beach hotels. None of them sells or rents a solar box.

| Competitor | Offer | Price a month |
| --- | --- | ---: |
| Bahari Cold Stores | Cold room space, delivery | KSh 46,000 |
| Likoni Ice Works | Block ice, twice daily | KSh 38,500 |
| Kilifi Ice Plant | Block ice, daily | KSh 35,000 |`;

/** A run in its second step: research done, prices compared, an answer awaited, one call on its way. */
export function story(): Story {
  const s = new Story();
  s.add('run_created', {
    by: 'local_ui',
    input: 'Find out who keeps food cold on the coast, and what we could charge for a solar box.',
    workflow: 'expansion',
    workflow_hash: 'b3:00',
    definition: 'b3:01',
    limits: {},
  });
  s.add('step_started', {}, 'research');
  s.add('speaker_chosen', { agent: 'business_intelligence', by: 'only_candidate' }, 'research/r1');
  const first = s.think('research/r1', 'business_intelligence');
  s.add(
    'call_failed',
    {
      call: first,
      cost: null,
      error: {
        class: { model: 'overloaded' },
        message: 'The model is overloaded. Please try again later.',
        status: 503,
      },
      partial: 'Kenya’s cold-chain market has',
      retry_at: START + 20_000,
      usage: USAGE,
    },
    'research/r1',
  );
  s.add(
    'call_retried',
    { call: first, attempt: 2, provider: 'gemini', model: 'gemini-2.5-flash', reserve: RESERVE },
    'research/r1',
  );
  s.answer(
    'research/r1',
    first,
    text(
      'Kenya’s cold-chain market grew by **14 %** last year. The coast buys block ice; nobody rents a box.',
    ),
  );
  s.post('research/r1', 'business_intelligence', first);
  s.add('step_finished', { outcome: { kind: 'message', message: 8 } }, 'research');
  s.add('step_started', {}, 'compete');
  s.add('speaker_chosen', { agent: 'business_intelligence', by: 'round_robin' }, 'compete/r1');
  const asked = s.think('compete/r1', 'business_intelligence');
  s.answer(
    'compete/r1',
    asked,
    wants('web.fetch', { url: 'https://hotels.example/suppliers' }, 'a'),
    wants('web.fetch', { url: 'https://ice.example/prices' }, 'b'),
    wants('web.fetch', { url: 'https://likoni.example' }, 'c'),
    wants('data.table', { file: 'prices.csv' }, 'd'),
  );
  s.use('compete/r1', 'business_intelligence', asked, 0, 'web.fetch', 'x'.repeat(1_800));
  s.use('compete/r1', 'business_intelligence', asked, 1, 'web.fetch', 'y'.repeat(2_400));
  s.use('compete/r1', 'business_intelligence', asked, 2, 'web.fetch', 'z'.repeat(900));
  s.use('compete/r1', 'business_intelligence', asked, 3, 'data.table', 'Competitor,Offer,Price');
  const compared = s.think('compete/r1', 'business_intelligence');
  s.answer('compete/r1', compared, text(TABLE));
  s.post('compete/r1', 'business_intelligence', compared);
  s.add('speaker_chosen', { agent: 'sales_marketing', by: 'model' }, 'compete/r2');
  const priced = s.think('compete/r2', 'sales_marketing');
  s.answer(
    'compete/r2',
    priced,
    text(
      'Renting at KSh 29,000 a month undercuts all three and pays back the box in 14 months. Before I fix the distributor margin I need Bahari’s trade price list.',
    ),
    wants('email.send', { to: 'prices@bahari.example', subject: 'Trade price list' }),
  );
  s.post('compete/r2', 'sales_marketing', priced);
  s.add('task_opened', { ask: APPROVE, tool_call: [priced, 0] }, 'compete/r2');
  s.add('speaker_chosen', { agent: 'business_intelligence', by: 'round_robin' }, 'compete/r3');
  s.think('compete/r3', 'business_intelligence');
  return s;
}

export const APPROVE = {
  kind: 'approve',
  agent: 'sales_marketing',
  args: '{"to":"prices@bahari.example"}',
  args_hash: 'b3:77',
  effect: 'at_most_once',
  preview: 'Send an e-mail to prices@bahari.example',
  risk: 'contact',
  tool: 'email.send',
  version: '1',
  why: 'It reaches people outside.',
};

const step = (path: string, name: string, status: string, over: object = {}) => ({
  path,
  name,
  status,
  agents: ['business_intelligence'],
  cost_known: 0,
  started_at: null,
  finished_at: null,
  result: null,
  turns: 0,
  usage: USAGE,
  ...over,
});

export function shown(over: object = {}) {
  return {
    id: RUN,
    workflow: 'expansion',
    workflow_name: 'African Market Expansion',
    workflow_hash: 'b3:00',
    input: 'Find out who keeps food cold on the coast',
    status: 'running',
    stop_reason: null,
    started_at: '2026-11-20T11:00:00Z',
    updated_at: '2026-11-20T11:02:14Z',
    elapsed_ms: 134_000,
    head_seq: 31,
    cost: 0.031,
    cost_known: 0.031,
    limits: { usd: 0.5 },
    model_calls: 5,
    tool_calls: 4,
    turns: 3,
    usage: { input_tokens: 11_200, output_tokens: 1_340 },
    models: ['gemini/gemini-2.5-flash'],
    folder: '/home/amina/.local/share/bwana/runs/4f2a',
    artifacts: [
      { file: 'prices.csv', bytes: 18_200, hash: '9e41c07a5d22b8e1' },
      { file: 'reports/competition.md', bytes: 4_100, hash: '11aa77c2d0f3' },
    ],
    forked_from: null,
    queued: [],
    result: null,
    result_file: null,
    steps: [
      step('research', 'Research target market', 'done', {
        started_at: '2026-11-20T11:00:00Z',
        finished_at: '2026-11-20T11:00:58Z',
        cost_known: 0.012,
        turns: 1,
      }),
      step('compete', 'Analyse competition', 'running', { started_at: '2026-11-20T11:01:00Z', turns: 3 }),
      step('entry', 'Generate market entry strategy', 'pending'),
      step('material', 'Create marketing materials', 'pending'),
      step('outreach', 'Execute outreach campaign', 'pending'),
    ],
    steps_done: 1,
    tasks: [],
    ...over,
  };
}

/** Answers of an engine that holds this journal. */
export function engineOf(records: Record_[], run: () => object) {
  return {
    'run.show': run,
    'run.window': (params: {
      around?: number;
      before?: number;
      after?: number;
      limit: number;
      filter?: string;
    }) => {
      const fitting = params.filter
        ? records.filter(({ kind, body }) =>
            `${kind} ${JSON.stringify(body)}`
              .toLowerCase()
              .includes(params.filter!.replace('kind:', '').toLowerCase()),
          )
        : records;
      const { around, before, after, limit } = params;
      let entries = fitting.slice(-limit);
      if (before !== undefined) entries = fitting.filter(({ seq }) => seq < before).slice(-limit);
      if (after !== undefined) entries = fitting.filter(({ seq }) => seq > after).slice(0, limit);
      if (around !== undefined) {
        const from = Math.max(0, Math.min(around - limit / 2, fitting.length - limit));
        entries = fitting.slice(from, from + limit);
      }
      return { run: RUN, entries, first_seq: 1, last_seq: records.length, total: fitting.length, calls: [] };
    },
    'run.at': ({ seq }: { seq: number }) => ({
      seq,
      at: '2026-11-20T11:02:14Z',
      head: records.length,
      run: run(),
      results: [],
      messages: [],
    }),
    'run.entry': ({ seq }: { seq: number }) => records[seq - 1],
    'agents.list': { items: Object.entries(NAMES).map(([id, name]) => ({ id, name })) },
    'drafts.get': { place: `run:${RUN}`, text: '' },
    'drafts.set': { place: `run:${RUN}` },
  };
}
