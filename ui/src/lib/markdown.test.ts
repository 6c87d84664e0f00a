import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GrowingText, plainWords, readMarkdown, type Block, type Inline } from './markdown';

/** Everything a reader would see, in order. */
function shown(blocks: readonly Block[]): string {
  const inline = (all: readonly Inline[]): string =>
    all
      .map((one) => {
        if (one.kind === 'text' || one.kind === 'code') return one.text;
        if (one.kind === 'break') return '\n';
        return one.kind === 'image' ? one.alt : inline(one.inside);
      })
      .join('');
  return blocks
    .map((block) => {
      switch (block.kind) {
        case 'paragraph':
        case 'heading':
          return inline(block.inside);
        case 'code':
        case 'text':
          return block.text;
        case 'list':
          return block.items.map((item) => shown(item.blocks)).join('\n');
        case 'quote':
          return shown(block.blocks);
        case 'table':
          return [block.head, ...block.rows]
            .map((row) => row.map((cell) => inline(cell.inside)).join('|'))
            .join('\n');
        case 'rule':
          return '';
      }
    })
    .join('\n');
}

const kinds = (text: string) => readMarkdown(text).map((block) => block.kind);

describe('what agents write', () => {
  it.each([
    ['plain words', ['paragraph']],
    ['# Title\n\ntext', ['heading', 'paragraph']],
    ['- a\n- b', ['list']],
    ['```js\n1\n```', ['code']],
    ['> said', ['quote']],
    ['| a | b |\n|---|--:|\n| 1 | 2 |', ['table']],
    ['a\n\n---\n\nb', ['paragraph', 'rule', 'paragraph']],
    ['<div>x</div>', ['text']],
  ])('%j becomes %j', (text, wanted) => expect(kinds(text)).toEqual(wanted));

  it.each([
    '<script>window.__pwned = 1</script>',
    '<img src=x onerror=alert(1)>',
    'before <b onclick="x()">bold</b> after',
    '<style>body{display:none}</style>',
    '<svg><a xlink:href="javascript:alert(1)">x</a></svg>',
    '<iframe src="https://canary.example"></iframe>',
  ])('shows %j as it was written', (text) => expect(shown(readMarkdown(text))).toBe(text));

  it('knows entities as signs, not as markup', () => {
    expect(shown(readMarkdown('a &amp; b &lt;i&gt; &#8364; &#x20AC; &nope;'))).toBe('a & b <i> € € &nope;');
  });

  it('keeps code as it is', () => {
    expect(readMarkdown('`a < b && c`')).toMatchObject([{ inside: [{ kind: 'code', text: 'a < b && c' }] }]);
    expect(readMarkdown('```rust no_run\nlet a = "<b>";\n```')).toMatchObject([
      { kind: 'code', language: 'rust', text: 'let a = "<b>";' },
    ]);
  });

  it('keeps an image as words and an address', () => {
    expect(readMarkdown('![A chart](https://canary.example/p.png)')).toMatchObject([
      { inside: [{ kind: 'image', alt: 'A chart', href: 'https://canary.example/p.png' }] },
    ]);
  });

  it('knows tasks', () => {
    const [list] = readMarkdown('- [x] sent\n- [ ] waiting');
    expect(list).toMatchObject({ items: [{ done: true }, { done: false }] });
    expect(shown([list!])).toBe('sent\nwaiting');
  });

  it('does not fall over deep nesting', () => {
    expect(() => readMarkdown(`${'> '.repeat(400)}deep`)).not.toThrow();
    expect(() => readMarkdown('*'.repeat(2_000) + 'a' + '*'.repeat(2_000))).not.toThrow();
  });
});

describe('growing text', () => {
  const piece = fc.constantFrom(
    'word ',
    '\n',
    '\n\n',
    '- item\n',
    '1. one\n',
    '```\n',
    '> q\n',
    '| a | b |\n',
    '|---|---|\n',
    '**b** ',
    '# h\n',
    '`c` ',
    'سوق ',
    '---\n',
    '    indented\n',
  );
  it('reads the same as the whole text, however it arrives', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (all) => {
        const growing = new GrowingText();
        let text = '';
        let last: Block[] = [];
        for (const one of all) {
          text += one;
          last = growing.read(text);
        }
        const letters = (value: string) => value.replace(/[\s|]/g, '');
        expect(letters(shown(last))).toBe(letters(shown(readMarkdown(text))));
      }),
      { numRuns: 300 },
    );
  });

  it('starts over when the text was replaced', () => {
    const growing = new GrowingText();
    growing.read('one\n\ntwo\n\nthree\n\nfour');
    expect(shown(growing.read('other'))).toBe('other');
  });
});

describe('a text made to hold up the window', () => {
  // Read without bounds, the worst of these take minutes or end the stack.
  it.each([
    ['quotes in quotes', '> '],
    ['lists in lists', '- + * '],
    ['brackets', '['],
    ['pictures', '!['],
    ['emphasis', '*a **b '],
    ['underscores', '_a__'],
    ['tildes', '~~a~'],
    ['code marks', '`a``b```c'],
    ['rules of headings', '=\n'],
    ['items', '- a\n'],
    ['links', 'https://a.example '],
    ['breaks', 'a  \n'],
  ])('%s are read, and draw a bounded number of parts', (_name, unit) => {
    const text = unit.repeat(250_000 / unit.length);
    const blocks = readMarkdown(text);
    const parts = (all: readonly (Block | Inline)[]): number =>
      all.reduce((sum, one) => {
        if ('blocks' in one) return sum + 1 + parts(one.blocks);
        if ('items' in one) return sum + one.items.reduce((of, item) => of + 1 + parts(item.blocks), 1);
        return 'inside' in one ? sum + 1 + parts(one.inside) : sum + 1;
      }, 0);
    expect(parts(blocks)).toBeLessThan(10_000);
    expect(shown(blocks).length).toBeGreaterThan(0);
  });

  it('keeps every word of what it does not draw part by part', () => {
    const words = Array.from({ length: 5_000 }, (_, index) => `- word${index}`).join('\n');
    const all = shown(readMarkdown(words));
    for (const index of [0, 1_999, 2_000, 4_999]) expect(all).toContain(`word${index}`);
  });
});

describe('words without marks', () => {
  it.each([
    [
      '# Plan\n\nUse **new** flour, see [the mill](https://mill.example).',
      'Plan\nUse new flour, see the mill.',
    ],
    ['- [x] bread\n- `salt`\n  - fine', 'bread\nsalt\nfine'],
    ['| a | b |\n|---|---|\n| 1 | **2** |', 'a · b\n1 · 2'],
    ['> quoted\n\n---\n\n```sh\nls\n```', 'quoted\nls'],
    ['<b>kept</b> ![a picture](x.png)', '<b>kept</b> a picture'],
    ['', ''],
  ])('of %j', (text, words) => {
    expect(plainWords(text)).toBe(words);
  });
});
