// Which texts are a figure, an amount or a time in a workflow's file, and what stands there instead. What is typed goes into
// the file as it is, so that nothing is lost; what is none of these is a problem of the file. Pure.
import type { PlainKey } from '../../i18n/i18n.svelte';
import { nodeAt, type Path, type YamlNode } from '../../lib/yaml';
import { FIGURES, LIMIT_KEYS, pathOf, rawAt, type FlowDoc } from './doc';
import type { Step } from './outline';
import { mapTyped } from './steps';

export type Form = 'whole' | 'money' | 'time';

export const FORMS: Readonly<Record<Form, { pattern: RegExp; wrong: PlainKey }>> = {
  whole: { pattern: /^\d{1,15}$/, wrong: 'flows.f.whole_wrong' },
  money: { pattern: /^\d{1,9}(\.\d*)?$/, wrong: 'flows.f.money_wrong' },
  time: { pattern: /^\d{1,9}[smhd]$/, wrong: 'flows.f.time_wrong' },
};

/** Something in the file that cannot be read as what it has to be. */
export interface Misfit {
  /** As a check names it: `steps[1].limits.turns`. */
  path: string;
  line: number;
  wrong: PlainKey;
}

export const LIMIT_FORMS: Readonly<Record<(typeof LIMIT_KEYS)[number], Form>> = {
  budget_usd: 'money',
  elapsed: 'time',
  turns: 'whole',
  max_round: 'whole',
  calls: 'whole',
  tokens: 'whole',
};

/** In half of the world the comma parts the cents. */
export const readable = (form: Form, text: string): string =>
  form === 'money' ? text.replace(/^(\d+),(\d{1,6})$/, '$1.$2') : text;

/** Whether it is one, also in another way that YAML writes figures. */
export function isOf(form: Form, text: string): boolean {
  if (FORMS[form].pattern.test(text)) return true;
  const figure = /^[\d.]/.test(text) ? Number(text) : NaN;
  return form !== 'time' && figure >= 0 && (form === 'money' || Number.isInteger(figure));
}

export function misfitsOf(doc: FlowDoc): Misfit[] {
  const found: Misfit[] = [];
  const add = (path: Path, node: YamlNode, wrong: PlainKey) =>
    found.push({ path: pathText(path), line: doc.text.slice(0, node.from).split('\n').length, wrong });
  const figure = (path: Path, form: Form, needed = false) => {
    const node = nodeAt(doc.root, path);
    const raw = rawAt(doc, path);
    if (node?.kind === 'scalar' && (raw !== '' || needed) && !isOf(form, raw))
      add(path, node, FORMS[form].wrong);
  };
  const limits = (path: Path) =>
    LIMIT_KEYS.forEach((key) => figure([...path, 'limits', key], LIMIT_FORMS[key]));
  const schema = (path: Path) => {
    const node = nodeAt(doc.root, path);
    if (node?.kind === 'scalar' && typeof node.value === 'string' && !mapTyped(node.value))
      add(path, node, 'flows.f.form_wrong');
  };
  const stops = (path: Path) => {
    const node = nodeAt(doc.root, path);
    if (node?.kind === 'list') node.items.forEach((_, index) => stops([...path, index]));
    if (node?.kind !== 'map') return;
    for (const { key, value } of node.entries)
      if (value.kind !== 'scalar') stops([...path, key]);
      else if (FIGURES.includes(key)) figure([...path, key], key === 'cost' ? 'money' : 'whole', true);
      else if (key === 'elapsed') figure([...path, key], 'time', true);
  };
  const step = (one: Step) => {
    const path = pathOf(one.number.split('.').map((part) => Number(part) - 1));
    limits(path);
    schema([...path, 'output']);
    figure([...path, 'chat', 'max_round'], 'whole');
    stops([...path, 'chat', 'stop']);
    figure([...path, 'parallel', 'width'], 'whole');
    one.children.forEach(step);
  };
  limits([]);
  schema(['input']);
  doc.steps.forEach(step);
  return found;
}

const pathText = (path: Path): string =>
  path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
