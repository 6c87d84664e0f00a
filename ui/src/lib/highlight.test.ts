import { describe, expect, it } from 'vitest';
import { canHighlight, highlight } from './highlight';

describe('coloured code', () => {
  it.each([
    ['rust', 'fn main() {\n    let a = "x<b>";\n}'],
    ['ts', 'const a: number = 1; // one'],
    ['json', '{"a": [1, true, null]}'],
    ['python', 'def f(x):\n    return x * 2'],
    ['html', '<p class="a">t</p>'],
    ['css', 'a { color: red }'],
    ['js', 'broken ( { ['],
  ])('of %s keeps every character', async (language, code) => {
    const spans = await highlight(code, language);
    expect(spans?.map((span) => span.text).join('')).toBe(code);
    expect(spans?.some((span) => span.classes.includes('tok-'))).toBe(true);
  });

  it('of an unknown language stays plain', async () => {
    expect(canHighlight('constructor')).toBe(false);
    expect(await highlight('x', 'brainfuck')).toBeUndefined();
  });
});
