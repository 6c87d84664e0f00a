// How an agent looks: two letters, a shape and a colour. Built-in agents have their own; others get one by their name, always
// the same. What does not belong here: what an agent is.
export type Shape = 'circle' | 'square' | 'drop' | 'octagon' | 'hexagon';
export type Hue = 'bi' | 'tech' | 'cs' | 'sales' | 'ops' | 'other';

export interface Look {
  shape: Shape;
  hue: Hue;
  initials: string;
}

const BUILT_IN: Readonly<Record<string, Look>> = {
  business_intelligence: { shape: 'circle', hue: 'bi', initials: 'BI' },
  technical_implementation: { shape: 'square', hue: 'tech', initials: 'TI' },
  customer_service: { shape: 'drop', hue: 'cs', initials: 'CS' },
  sales_marketing: { shape: 'octagon', hue: 'sales', initials: 'SM' },
  operations: { shape: 'hexagon', hue: 'ops', initials: 'OP' },
};

export function lookOf(id: string, name: string): Look {
  const known = Object.hasOwn(BUILT_IN, id) ? BUILT_IN[id] : undefined;
  return known ?? { shape: 'circle', hue: 'other', initials: initialsOf(name) };
}

/** The first letters of the first two words that count; of one word, its first two letters. */
export function initialsOf(name: string): string {
  const words = name.split(/[\s&_/-]+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const [first, second] = words;
  if (!first) return '?';
  const letters = second ? [[...first][0], [...second][0]] : [...first].slice(0, 2);
  return letters.join('').toLocaleUpperCase();
}
