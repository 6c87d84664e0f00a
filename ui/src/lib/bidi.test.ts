import { describe, expect, it } from 'vitest';
import { directionOf, isolate, isolateLtr } from './bidi';

describe('the direction of a block', () => {
  it.each([
    ['', 'ltr'],
    ['12 + 30 = 42', 'ltr'],
    ['Hello world', 'ltr'],
    ['مرحبا بالعالم', 'rtl'],
    ['Baridi-120 هو صندوق تبريد شمسي للفنادق', 'rtl'],
    ['KenyaTrade قال إن السوق ينمو بسرعة كبيرة', 'rtl'],
    ['The word سوق means market in this report', 'ltr'],
    ['GPT و Claude و Gemini نماذج', 'ltr'],
    ['`cargo build --release --workspace` أمر', 'rtl'],
    ['https://example.example/very/long/path انظر', 'rtl'],
    ['info@bahari.example اكتب إلى', 'rtl'],
    ['اكتب إلى <somebody.with.a.long.name@bahari.example>', 'rtl'],
    ['انظر web+coap://a.long.name.example/and/a/path', 'rtl'],
    ['```\nconst answer = compute(everything);\n``` هذا', 'rtl'],
    ['```js\nunclosed code block with many letters', 'ltr'],
    ['א ב ג a b', 'rtl'],
    ['ẹ ọ ṣ ɓ ɗ ƙ', 'ltr'],
    ['1. السعر: 46,000 KSh', 'rtl'],
    ['السعر KSh', 'rtl'],
    ['✔ تم', 'rtl'],
    ['中文 文字', 'ltr'],
    ['አማርኛ ጽሑፍ', 'ltr'],
    ['𞤀𞤣𞤤𞤢𞤥 x', 'rtl'],
    ['ߒߞߏ a', 'rtl'],
  ] as const)('of %j is %s', (text, wanted) => {
    expect(directionOf(text)).toBe(wanted);
  });

  it('falls back to the direction around it when no letter votes', () => {
    expect(directionOf('42 %', 'rtl')).toBe('rtl');
  });
});

describe('a value in a sentence', () => {
  it('is isolated only when it runs against the sentence', () => {
    expect(isolate('Amina', 'ltr')).toBe('Amina');
    expect(isolate('أمينة', 'rtl')).toBe('أمينة');
    expect(isolate('أمينة', 'ltr')).toBe('\u2068أمينة\u2069');
    expect(isolate('Eldoret', 'rtl')).toBe('\u2068Eldoret\u2069');
    expect(isolate('42', 'rtl')).toBe('42');
  });

  it('keeps figures left to right', () => {
    expect(isolateLtr('$0.42', 'rtl')).toBe('\u2066$0.42\u2069');
    expect(isolateLtr('$0.42', 'ltr')).toBe('$0.42');
  });
});
