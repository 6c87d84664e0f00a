// In which group a workflow that comes with the program stands, and what it needs beside a model. A test holds that none is
// missing here and that this is true of its file. Pure.
import type { WorkflowLine } from '../../bindings/types';

export const GROUPS = ['yours', 'work', 'money', 'customers', 'office'] as const;
export type Group = (typeof GROUPS)[number];

interface Shipped {
  group: Exclude<Group, 'yours'>;
  /** It looks things up. */
  net?: true;
}

export const SHIPPED: Readonly<Record<string, Shipped>> = {
  weekly_operations_review: { group: 'work' },
  stock_reorder: { group: 'work' },
  supplier_order: { group: 'work' },
  power_cut_plan: { group: 'work' },
  cash_review: { group: 'money' },
  debt_reminders: { group: 'money' },
  price_list: { group: 'money' },
  customer_replies: { group: 'customers' },
  opinion_survey: { group: 'customers' },
  product_launch: { group: 'customers' },
  market_expansion: { group: 'customers', net: true },
  business_setup: { group: 'office' },
  tender_checklist: { group: 'office' },
  export_paperwork: { group: 'office' },
  job_advert: { group: 'office' },
};

export function groupOf({ id, builtin }: Pick<WorkflowLine, 'id' | 'builtin'>): Group {
  return builtin ? (SHIPPED[id]?.group ?? 'office') : 'yours';
}

/** Groups with something in them, in their order. */
export function grouped<L extends Pick<WorkflowLine, 'id' | 'builtin'>>(
  lines: readonly L[],
): { group: Group; lines: L[] }[] {
  return GROUPS.map((group) => ({ group, lines: lines.filter((line) => groupOf(line) === group) })).filter(
    (one) => one.lines.length > 0,
  );
}
