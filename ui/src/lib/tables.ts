// The tables of a Markdown text as rows of plain text, for charts. Pure.
import { readMarkdown, type Block, type Inline } from './markdown';

export interface TextTable {
  head: string[];
  rows: string[][];
}

/** More tables of one text are not offered. */
const TABLES_MOST = 12;

export function tablesIn(text: string): TextTable[] {
  const found: TextTable[] = [];
  const look = (blocks: readonly Block[]) => {
    for (const block of blocks) {
      if (found.length >= TABLES_MOST) return;
      if (block.kind === 'table')
        found.push({
          head: block.head.map(({ inside }) => plain(inside)),
          rows: block.rows.map((row) => row.map(({ inside }) => plain(inside))),
        });
      else if (block.kind === 'quote') look(block.blocks);
      else if (block.kind === 'list') block.items.forEach((item) => look(item.blocks));
    }
  };
  look(readMarkdown(text));
  return found;
}

function plain(inlines: readonly Inline[]): string {
  return inlines
    .map((inline) => {
      if (inline.kind === 'text' || inline.kind === 'code') return inline.text;
      if (inline.kind === 'break') return ' ';
      return inline.kind === 'image' ? inline.alt : plain(inline.inside);
    })
    .join('');
}
