// Questions to the person as the engine tells them, for the browser tests of the cards. Invented people and places.
export const NOW = new Date('2026-11-20T11:40:00Z');
export const RUN_A = '01JD0000000000000000004F2A';
export const RUN_B = '01JD0000000000000000007C31';

const NAMES = {
  business_intelligence: 'Business Intelligence',
  sales_marketing: 'Sales & Marketing',
  operations: 'Operations',
  technical_implementation: 'Technical Implementation',
  customer_service: 'Customer Service',
};

export interface Row {
  id: string;
  kind: string;
  run: string;
  path: string;
  status: string;
  opened_at: string;
  ask: Record<string, unknown>;
  [more: string]: unknown;
}

const once = (tool: string) => ({ scope: 'once', words: { code: 'grant.once', params: { tool } } });
const scope = (of: string, kind: string, tool: string, pattern: object, params: object = {}) => ({
  scope: of,
  pattern,
  words: {
    code: `grant.${of}.${kind}`,
    params: { tool, ...(of === 'workflow' && { days: '30' }), ...params },
  },
});

function row(id: string, opened_at: string, ask: Row['ask'], over: Partial<Row> = {}): Row {
  return {
    id,
    kind: String(ask['kind']),
    run: RUN_A,
    path: 'outreach/r1',
    status: 'open',
    opened_at,
    ask,
    ...over,
  };
}

const approve = (agent: string, tool: string, risk: string, args: object, preview: string, over = {}) => ({
  kind: 'approve',
  agent,
  tool,
  version: '1',
  risk,
  effect: 'at_most_once',
  args: JSON.stringify(args),
  args_hash: `b3:${tool}`,
  preview,
  why: 'it reaches people outside',
  ...over,
});

/** Contact: two presses, and nothing beyond this call but never. */
export const CONTACT = row(
  '01JD00000000000000000000T1',
  '2026-11-20T11:02:00Z',
  approve(
    'sales_marketing',
    'webhook.send',
    'contact',
    {
      url: 'https://orders.freshbox.example/hook',
      title: 'Trade price list',
      body: { subject: 'Solar cold boxes for your delivery round', count: 2 },
    },
    'Send to orders.freshbox.example: Solar cold boxes for your delivery round',
    { tainted: true },
  ),
  {
    risk: 'contact',
    second_key: true,
    scopes: [
      once('webhook.send'),
      scope('never', 'exact', 'webhook.send', { kind: 'exact', args_hash: 'b3:webhook.send' }),
      scope(
        'never',
        'host',
        'webhook.send',
        { kind: 'host', host: 'orders.freshbox.example' },
        {
          host: 'orders.freshbox.example',
        },
      ),
    ],
  },
);

/** A file: one press, and it may be allowed in the workflow or the run. */
export const WRITE = row(
  '01JD00000000000000000000T2',
  '2026-11-20T11:10:00Z',
  approve(
    'operations',
    'file.write',
    'write_reversible',
    { path: 'drafts/letter.md', content: 'Good morning,\n\nwe build cold boxes in Nairobi.' },
    'Write 47 bytes to ‘drafts/letter.md’',
  ),
  {
    run: RUN_B,
    path: 'write/r2',
    risk: 'write_reversible',
    scopes: [
      once('file.write'),
      scope('run', 'exact', 'file.write', { kind: 'exact', args_hash: 'b3:file.write' }),
      scope('run', 'folder', 'file.write', { kind: 'folder', folder: 'drafts' }, { folder: 'drafts' }),
      scope('workflow', 'exact', 'file.write', { kind: 'exact', args_hash: 'b3:file.write' }),
      scope('workflow', 'folder', 'file.write', { kind: 'folder', folder: 'drafts' }, { folder: 'drafts' }),
      scope('never', 'exact', 'file.write', { kind: 'exact', args_hash: 'b3:file.write' }),
    ],
  },
);

export const UNCERTAIN = row(
  '01JD00000000000000000000T3',
  '2026-11-20T11:20:00Z',
  {
    kind: 'uncertain',
    tool: 'webhook.send',
    args: '{"url":"https://sms.example/send","body":{"text":"Your box 0417 arrives today"}}',
    args_hash: 'b3:u',
    preview: 'Send to sms.example: Your box 0417 arrives today',
    why: 'the connection broke after the message was handed over',
  },
  { run: RUN_B, path: 'notify/r1' },
);

export const ANSWER = row('01JD00000000000000000000T4', '2026-11-20T11:25:00Z', {
  kind: 'answer',
  agent: 'customer_service',
  question: 'Which of the two hotels should get the first box?',
});

export const PLAN = row(
  '01JD00000000000000000000T5',
  '2026-11-20T11:30:00Z',
  {
    kind: 'plan',
    step: 'Execute outreach campaign',
    agents: ['sales_marketing', 'operations'],
    tools: ['webhook.send', 'http.get'],
  },
  { path: 'outreach' },
);

export const PRICE = row('01JD00000000000000000000T6', '2026-11-20T11:35:00Z', {
  kind: 'price',
  provider: 'lab',
  model: 'brand-new-1',
});

export const ALL = [PRICE, PLAN, ANSWER, UNCERTAIN, WRITE, CONTACT];

export const GRANT = {
  id: '01JD00000000000000000000G1',
  scope: 'workflow',
  tool: 'http.get',
  version: '1',
  pattern: { kind: 'domain', domain: 'ice.example' },
  words: { code: 'grant.workflow.domain', params: { tool: 'http.get', domain: 'ice.example', days: '30' } },
  run: RUN_A,
  workflow: 'expansion',
  made_at: '2026-11-20T09:12:00Z',
  made_by: 'local_ui',
  task: '01JD00000000000000000000T0',
  used: 4,
  stands: true,
  expires_at: '2026-12-20T09:12:00Z',
};

export const DECIDED = row(
  '01JD00000000000000000000T0',
  '2026-11-20T09:00:00Z',
  approve(
    'business_intelligence',
    'http.get',
    'read_net',
    { url: 'https://ice.example/prices' },
    'Read https://ice.example/prices',
  ),
  {
    status: 'decided',
    decision: {
      verdict: { kind: 'approve' },
      by: 'local_ui',
      at: '2026-11-20T09:12:00Z',
      grant: GRANT.id,
    },
  },
);

export const EDITED = row(
  '01JD0000000000000000000TE0',
  '2026-11-20T08:30:00Z',
  approve(
    'operations',
    'file.write',
    'write_reversible',
    { path: 'a.md', content: 'x' },
    'Write 1 byte to ‘a.md’',
  ),
  {
    status: 'decided',
    decision: {
      verdict: { kind: 'approve' },
      by: 'local_ui',
      at: '2026-11-20T08:31:00Z',
      edited: '{"content":"y","path":"a.md"}',
    },
  },
);

export const DENIED = row(
  '01JD0000000000000000000TN0',
  '2026-11-20T08:00:00Z',
  approve('operations', 'webhook.send', 'contact', { url: 'https://x.example' }, 'Send to x.example'),
  {
    status: 'decided',
    decision: {
      verdict: { kind: 'deny', reason: 'Not before the price is fixed' },
      by: 'local_cli',
      at: '2026-11-20T08:12:00Z',
    },
  },
);

const line = (id: string, title: string) => ({
  id,
  title,
  workflow: 'expansion',
  status: 'waiting',
  started_at: '2026-11-20T10:00:00Z',
  updated_at: '2026-11-20T11:00:00Z',
  cost: 0.01,
  cost_known: 0.01,
  head_seq: 31,
  step: null,
  steps_done: 1,
  steps_total: 5,
  stop_reason: null,
  usage: { input_tokens: 1, output_tokens: 1 },
});

/** Answers of an engine where these wait; what is decided is told by the test. */
export function engineOf(open: readonly Row[], more: Record<string, unknown> = {}) {
  const decided = [DECIDED, EDITED, DENIED];
  const grants = [GRANT];
  return {
    'tasks.list': ({ all }: { all?: boolean }) => ({ tasks: all ? [...open, ...decided] : open }),
    'tasks.approve': {},
    'tasks.deny': {},
    'tasks.answer': {},
    'tasks.resolve': {},
    'grants.list': { grants },
    'agents.list': { items: Object.entries(NAMES).map(([id, name]) => ({ id, name })) },
    'run.list': {
      runs: [line(RUN_A, 'African Market Expansion'), line(RUN_B, 'Weekly competitor scan')],
    },
    'run.show': ({ run }: { run: string }) => ({
      id: run,
      workflow_name: 'Expansion',
      steps: [
        { path: 'outreach', name: 'Execute outreach campaign' },
        { path: 'write', name: 'Write the letter' },
        { path: 'notify', name: 'Tell the customers' },
      ],
    }),
    'run.window': ({ run }: { run: string }) => ({
      run,
      entries: [...open].map((task, index) => ({
        seq: 20 + index,
        kind: 'task_opened',
        path: task.path,
        body: { ask: task.ask },
      })),
      first_seq: 1,
      last_seq: 31,
      total: 1,
      calls: [],
    }),
    'drafts.get': { place: '', text: '' },
    'drafts.set': { place: '' },
    ...more,
  };
}

/** The row as the feed tells it once it is decided. */
export function decidedRow(task: Row, verdict: object, over: object = {}): Row {
  return {
    ...task,
    status: 'decided',
    scopes: [],
    decision: { verdict, by: 'local_ui', at: NOW.toISOString(), ...over },
  };
}
