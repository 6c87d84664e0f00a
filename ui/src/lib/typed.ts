// Numbers as people type them: with a decimal comma or point, in Latin or Arabic digits. What can be read in two ways is not
// read: "1,000" is a thousand to one person and one to the next. Pure.

/** Arabic and Persian digits begin at these. */
const ZEROS = [0x0660, 0x06f0];
const DECIMAL = /^(\d+)(?:[.,](\d+))?$/;
const WHOLE = /^\d+$/;
const THOUSANDS = 3;

/** The number as the engine reads it, with a point; undefined where the words are no number, or could be two. */
export function typedNumber(text: string): string | undefined {
  const plain = latin(text.trim());
  const [, whole, part] = DECIMAL.exec(plain) ?? [];
  if (whole === undefined) return undefined;
  const ambiguous = plain.includes(',') && part?.length === THOUSANDS && !whole.startsWith('0');
  if (ambiguous) return undefined;
  return part === undefined ? whole : `${whole}.${part}`;
}

export function typedWhole(text: string): number | undefined {
  const plain = latin(text.trim());
  const number = Number(plain);
  return WHOLE.test(plain) && Number.isSafeInteger(number) ? number : undefined;
}

function latin(text: string): string {
  return text
    .replace(/[\u0660-\u0669\u06f0-\u06f9]/gu, (digit) => {
      const code = digit.codePointAt(0) ?? 0;
      const zero = ZEROS.find((one) => code >= one && code < one + 10) ?? code;
      return String(code - zero);
    })
    .replace('\u066b', '.');
}
