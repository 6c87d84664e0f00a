// Workflows as the engine tells of them, and an engine that keeps drafts, checks files and takes them in. Test code only.
export const AGENTS = ['operations', 'business_intelligence', 'customer_service'];

const tool = (name: string, over: object = {}) => ({
  name,
  risk: 'read_net',
  effect: 'pure',
  ready: true,
  asks: false,
  ...over,
});

export function panels() {
  const names = ['Operations', 'Business Intelligence', 'Customer Service'];
  return {
    agents: AGENTS.map((id, index) => ({
      id,
      name: names[index],
      kind: 'custom',
      builtin: true,
      capabilities: [],
      description: '',
      instructions_head: '',
      model: 'gemini/flash',
      model_problem: null,
      models: ['default'],
      starter_model: false,
      status: 'idle',
      now: null,
      active: [],
      cost_today: 0,
      cost_week: 0,
      runs_week: 0,
      tools: [tool('web.fetch'), tool('email.send', { risk: 'contact', effect: 'at_most_once', asks: true })],
    })),
  };
}

export function line(over: object = {}) {
  return {
    id: 'weekly_operations_review',
    name: 'Weekly Operations Review',
    description:
      'Takes the notes of a week and delivers the facts, what they mean for money, customers and systems, the priorities, and an action list.',
    builtin: true,
    agents: AGENTS,
    steps: ['Collect the facts', 'Look from three sides', 'Agree on priorities', 'Write the plan'],
    last_run: '2026-11-19T08:00:00Z',
    ended: 20,
    ended_well: 19,
    median_cost: 0.46,
    median_elapsed_ms: 252_000,
    ...over,
  };
}

export const OWN = line({
  id: 'stock_count',
  name: 'Stock count',
  description: 'Counts what is on the shelves.',
  builtin: false,
  agents: ['operations'],
  steps: ['Count'],
  last_run: null,
  ended: 0,
  ended_well: 0,
  median_cost: null,
  median_elapsed_ms: null,
});

export const WEEKLY = {
  id: 'weekly_operations_review',
  hash: 'h1',
  source: 'builtin',
  workflow: {
    schema: 'bwana.workflow/v1',
    id: 'weekly_operations_review',
    name: 'Weekly Operations Review',
    description: 'Takes the notes of a week.',
    agents: AGENTS,
    input: {
      type: 'string',
      description: 'Notes of the week in any order, with figures where known.',
      maxLength: 12_000,
    },
    limits: { max_round: 3, turns: 20, elapsed: '4h' },
    steps: [
      {
        id: 'facts',
        name: 'Collect the facts',
        agent: 'operations',
        tools: [],
        task: 'Sort the notes.\n\n### Sales\n- …',
      },
      {
        id: 'views',
        name: 'Look from three sides',
        tools: [],
        reads: ['facts'],
        parallel: {
          join: 'all',
          steps: [
            { id: 'money', name: 'Money', agent: 'business_intelligence', task: 'Look only at money.' },
            { id: 'customers', name: 'Customers', agent: 'customer_service', task: 'Look at complaints.' },
            { id: 'work', name: 'Daily work', agent: 'operations', task: 'Look at stock.' },
          ],
        },
      },
      {
        id: 'priorities',
        name: 'Agree on priorities',
        reads: ['facts', 'views'],
        approve: 'plan',
        chat: {
          agents: ['operations', 'business_intelligence'],
          select: 'round_robin',
          max_round: 3,
          stop: { all: [{ source: 'business_intelligence' }, { any: [{ text: 'AGREED' }, { cost: 0.2 }] }] },
          summary: 'last_message',
        },
        task: 'Choose the three things that matter most.',
        limits: { budget_usd: 0.5 },
      },
      'Write the plan',
    ],
  },
};

export const OWN_TEXT = `schema: bwana.workflow/v1
id: stock_count
name: Stock count
description: Counts what is on the shelves.
agents:
  - operations
steps:
  - name: Count
    agent: operations
    task: Count what is there.
`;

export const OWN_SHOWN = {
  id: 'stock_count',
  hash: 'o1',
  source: 'edited here',
  workflow: {
    schema: 'bwana.workflow/v1',
    id: 'stock_count',
    name: 'Stock count',
    description: 'Counts what is on the shelves.',
    agents: ['operations'],
    steps: [{ name: 'Count', agent: 'operations', task: 'Count what is there.' }],
  },
};

export const WEEKLY_TEXT = `# The week on one page.
schema: bwana.workflow/v1
id: weekly_operations_review
name: Weekly Operations Review
agents: [operations, business_intelligence, customer_service]
steps:
  - id: facts
    name: Collect the facts
    agent: operations
    task: |
      Sort the notes.

      ### Sales
      - …
`;

/** One with branches, a talk, comments, and a key nobody knows. */
export const TEAM_TEXT = `schema: bwana.workflow/v1
id: stock_count
name: Stock count
agents: [operations, business_intelligence] # the team
limits: {turns: 12}

steps:
  # Twice, if in doubt.
  - id: count
    name: Count
    agent: operations # alone
    task: |
      Count what is there.
      Write it down.

  - id: look
    name: Look
    parallel:
      steps:
        - name: Money
          agent: business_intelligence
        - name: Shelves
          agents: [operations, customer_service]
        - Customers # everyone

  - name: Agree
    chat:
      agents: [operations, business_intelligence]
      stop: {any: [{rounds: 4}, {text: AGREED}]}
    task: Choose three things.
    colour: red # of the shelf
`;

interface Issue {
  line: number;
  path: string;
  reason: string;
  hint: string;
}

/** Finds what is wrong in the way these tests write it: `agnt:` is no key, and an agent called `nobody` is not there. */
function issuesIn(text: string): Issue[] {
  return text.split('\n').flatMap((words, index): Issue[] => {
    if (words.includes('agnt:'))
      return [
        {
          line: index + 1,
          path: 'steps[0].agnt',
          reason: 'there is no key `agnt`',
          hint: 'did you mean `agent`?',
        },
      ];
    if (words.includes('nobody'))
      return [
        {
          line: index + 1,
          path: 'steps[1].parallel.steps[2].agents[0]',
          reason: "there is no agent 'nobody'",
          hint: '',
        },
      ];
    return [];
  });
}

export function validation({ name, text }: { name: string; text: string }) {
  const issues = issuesIn(text).map((issue) => ({
    severity: 'error',
    code: 'definition.invalid',
    document: 1,
    ...issue,
    text: `line ${issue.line}, ${issue.path}: ${issue.reason}`,
  }));
  const ids = (schema: string) =>
    text
      .split(/^---$/m)
      .filter((part) => part.includes(`schema: bwana.${schema}/v1`))
      .flatMap((part) => /^id: *(\S+)$/m.exec(part)?.[1] ?? []);
  return { file: name, valid: issues.length === 0, agents: ids('agent'), workflows: ids('workflow'), issues };
}

/** An engine's answers with memory: drafts, and the workflows that were taken in. */
export function answersOf(settings: unknown, over: Record<string, unknown> = {}) {
  const drafts = new Map<string, string>();
  const texts = new Map([
    ['weekly_operations_review', WEEKLY_TEXT],
    ['stock_count', OWN_TEXT],
  ]);
  const shown = new Map<string, typeof OWN_SHOWN | typeof WEEKLY>([
    ['weekly_operations_review', WEEKLY],
    ['stock_count', OWN_SHOWN],
  ]);
  const lines = [line(), OWN] as { id: string }[];
  let saved = 0;
  const answers = {
    'settings.show': settings,
    'agents.panels': panels(),
    'workflows.list': { items: [] },
    'workflows.lines': () => ({ workflows: lines }),
    'workflows.show': ({ id }: { id: string }) => shown.get(id),
    'workflows.export': ({ id }: { id: string }) => ({ id, text: texts.get(id) }),
    'definitions.validate': validation,
    'definitions.import': ({ file }: { file: { name: string; text: string } }) => {
      const { workflows, agents } = validation(file);
      for (const id of workflows) {
        const name = /^name: *(.*)$/m.exec(file.text)?.[1]?.replaceAll('"', '') ?? id;
        texts.set(id, file.text);
        shown.set(id, {
          ...OWN_SHOWN,
          id,
          hash: `s${(saved += 1)}`,
          workflow: { ...OWN_SHOWN.workflow, id, name },
        });
        if (!lines.some((one) => one.id === id)) lines.push(line({ ...OWN, id, name }));
      }
      const items = [
        ...workflows.map((id) => ({ kind: 'workflow', id, status: 'created' })),
        ...agents.map((id) => ({ kind: 'agent', id, status: 'created' })),
      ];
      return { items, notes: [] };
    },
    'drafts.get': ({ place }: { place: string }) => ({ place, text: drafts.get(place) ?? '' }),
    'drafts.set': ({ place, text }: { place: string; text: string }) => {
      drafts.set(place, text);
      return { place };
    },
    ...over,
  };
  return { answers, drafts, shown, lines, texts };
}
