// Which texts are a figure, an amount or a time in a workflow's file.
import type { PlainKey } from '../../i18n/i18n.svelte';

export type Form = 'whole' | 'money' | 'time';

export const FORMS: Readonly<Record<Form, { pattern: RegExp; wrong: PlainKey }>> = {
  whole: { pattern: /^\d{1,15}$/, wrong: 'flows.f.whole_wrong' },
  money: { pattern: /^\d{1,9}(\.\d{1,6})?$/, wrong: 'flows.f.money_wrong' },
  time: { pattern: /^\d{1,9}[smhd]$/, wrong: 'flows.f.time_wrong' },
};
