// The runtime of compiled messages: fills placeholders, picks plural and select forms. Plain TypeScript, no state, no Intl.
export type Part =
  | string
  | readonly ['v', string]
  | readonly ['n', string]
  | readonly ['#']
  | readonly ['p', string, number, 0 | 1, Readonly<Record<string, readonly Part[]>>]
  | readonly ['s', string, Readonly<Record<string, readonly Part[]>>];
export type Message = string | readonly Part[];
export type Values = Readonly<Record<string, string | number>>;

/** What a message needs to know about its language; the formatting module gives it. */
export interface Grammar {
  plural(count: number, ordinal: boolean): string;
  number(value: number): string;
  /** Keeps a value of the other direction from disturbing the sentence around it. */
  isolate(value: string): string;
}

/** One piece of a finished message: fixed words, or the value that stood in for `name`. */
export interface Piece {
  text: string;
  name?: string;
}

export function pieces(message: Message, values: Values, grammar: Grammar): Piece[] {
  if (typeof message === 'string') return [{ text: message }];
  const out: Piece[] = [];
  fill(message, values, grammar, out, 0);
  return out;
}

export function fillMessage(message: Message, values: Values, grammar: Grammar): string {
  if (typeof message === 'string') return message;
  return pieces(message, values, grammar)
    .map((piece) => (piece.name === undefined ? piece.text : grammar.isolate(piece.text)))
    .join('');
}

function fill(parts: readonly Part[], values: Values, grammar: Grammar, out: Piece[], count: number): void {
  for (const part of parts) {
    if (typeof part === 'string') {
      out.push({ text: part });
      continue;
    }
    switch (part[0]) {
      case 'v': {
        const value = values[part[1]];
        const text = typeof value === 'number' ? grammar.number(value) : (value ?? `{${part[1]}}`);
        out.push({ text, name: part[1] });
        break;
      }
      case 'n':
        out.push({ text: grammar.number(Number(values[part[1]])), name: part[1] });
        break;
      case '#':
        out.push({ text: grammar.number(count) });
        break;
      case 'p': {
        const [, name, offset, ordinal, options] = part;
        const value = Number(values[name]);
        const exact = options[`=${value}`];
        const chosen = exact ?? options[grammar.plural(value - offset, ordinal === 1)] ?? options['other'];
        fill(chosen ?? [], values, grammar, out, value - offset);
        break;
      }
      case 's': {
        const [, name, options] = part;
        fill(options[String(values[name])] ?? options['other'] ?? [], values, grammar, out, count);
        break;
      }
    }
  }
}
