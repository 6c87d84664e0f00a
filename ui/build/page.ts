// A page of the handbook as plain HTML: one stylesheet, no script, addresses relative to the page, so that it is read from a
// folder as well as from a server. Every text is escaped; only the tags written here are tags.
import { posix } from 'node:path';
import {
  fileOf,
  neighbours,
  sizeOf,
  START,
  whereTo,
  type BookPage,
  type Entry,
  type Part,
} from '../src/lib/handbook';
import type { Block, Cell, Inline } from '../src/lib/markdown';

export const STYLE_FILE = 'style.css';

/** `errors/index.html` of the page `errors`, in the folder that is written. */
export function htmlFileOf(page: string): string {
  return fileOf(page)
    .replace(/^handbook\//, '')
    .replace(/README\.md$/, 'index.md')
    .replace(/\.md$/, '.html');
}

export function htmlOf(page: BookPage, parts: readonly Part[]): string {
  const to = (file: string) => attribute(posix.relative(posix.dirname(htmlFileOf(page.id)), file) || '.');
  const { before, after } = neighbours(parts, page.id);
  const book = parts[0]?.pages[0]?.title ?? page.title;
  const title = page.id === START ? book : `${page.title} · ${book}`;
  const way = (entry: Entry | undefined, rel: string) =>
    entry ? `<a rel="${rel}" href="${to(htmlFileOf(entry.page))}">${text(entry.title)}</a>` : '<span></span>';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title>
<link rel="stylesheet" href="${to(STYLE_FILE)}">
</head>
<body>
<nav class="contents" aria-label="Contents">
${parts.map((part) => partHtml(part, page, to)).join('\n')}
</nav>
<main>
<article>
${blocksHtml(page, page.blocks, to, true)}
</article>
<nav class="ways" aria-label="Previous and next page">${way(before, 'prev')}${way(after, 'next')}</nav>
</main>
</body>
</html>
`;
}

type To = (file: string) => string;

function partHtml({ title, pages }: Part, page: BookPage, to: To): string {
  const items = pages.map(
    (entry) =>
      `<li><a href="${to(htmlFileOf(entry.page))}"${entry.page === page.id ? ' aria-current="page"' : ''}>${text(entry.title)}</a></li>`,
  );
  return `${title ? `<h2>${text(title)}</h2>\n` : ''}<ul>\n${items.join('\n')}\n</ul>`;
}

function blocksHtml(page: BookPage, blocks: readonly Block[], to: To, top = false): string {
  const words = (inlines: readonly Inline[]) => inlinesHtml(page, inlines, to);
  const cells = (row: readonly Cell[], tag: 'th' | 'td') =>
    row
      .map(
        ({ align, inside }) =>
          `<${tag}${align === 'start' ? '' : ` class="${align}"`}>${words(inside)}</${tag}>`,
      )
      .join('');
  return blocks
    .map((block, at): string => {
      switch (block.kind) {
        case 'heading': {
          const heading = top ? page.headings.find((one) => one.at === at) : undefined;
          return `<h${block.level}${heading ? ` id="${attribute(heading.id)}"` : ''}>${words(block.inside)}</h${block.level}>`;
        }
        case 'paragraph': {
          const alone = block.inside.length === 1 && block.inside[0]?.kind === 'image';
          return alone ? `<figure>${words(block.inside)}</figure>` : `<p>${words(block.inside)}</p>`;
        }
        case 'code':
          return `<pre><code>${text(block.text)}</code></pre>`;
        case 'list': {
          const tag = block.ordered ? 'ol' : 'ul';
          const start = block.ordered && block.start !== 1 ? ` start="${block.start}"` : '';
          const items = block.items.map((item) => `<li>${itemHtml(page, item.blocks, to)}</li>`);
          return `<${tag}${start}>\n${items.join('\n')}\n</${tag}>`;
        }
        case 'quote':
          return `<blockquote>${blocksHtml(page, block.blocks, to)}</blockquote>`;
        case 'table':
          return `<div class="table"><table>\n<thead><tr>${cells(block.head, 'th')}</tr></thead>\n<tbody>\n${block.rows
            .map((row) => `<tr>${cells(row, 'td')}</tr>`)
            .join('\n')}\n</tbody>\n</table></div>`;
        case 'rule':
          return '<hr>';
        case 'text':
          return `<p>${text(block.text)}</p>`;
      }
    })
    .join('\n');
}

/** One paragraph of an item needs no tag of its own. */
function itemHtml(page: BookPage, blocks: readonly Block[], to: To): string {
  const [first, ...rest] = blocks;
  if (first?.kind !== 'paragraph') return blocksHtml(page, blocks, to);
  return inlinesHtml(page, first.inside, to) + (rest.length > 0 ? `\n${blocksHtml(page, rest, to)}` : '');
}

function inlinesHtml(page: BookPage, inlines: readonly Inline[], to: To): string {
  return inlines
    .map((one): string => {
      const inner = () => ('inside' in one ? inlinesHtml(page, one.inside, to) : '');
      switch (one.kind) {
        case 'text':
          return text(one.text);
        case 'strong':
        case 'em':
        case 'del':
          return `<${one.kind}>${inner()}</${one.kind}>`;
        case 'code':
          return `<code>${text(one.text)}</code>`;
        case 'break':
          return '<br>';
        case 'image': {
          const target = whereTo(page.id, one.href);
          if (target?.kind !== 'picture') return text(one.alt);
          const { width, height } = sizeOf(target.file);
          return `<img src="${to(`pictures/${target.file}`)}" alt="${attribute(one.alt)}" width="${width}" height="${height}">`;
        }
        case 'link': {
          const target = whereTo(page.id, one.href);
          if (target?.kind === 'web')
            return `<a href="${attribute(target.href)}" rel="noreferrer">${inner()}</a>`;
          if (target?.kind !== 'page') return inner();
          const at = target.at === undefined ? '' : `#${attribute(target.at)}`;
          return `<a href="${to(htmlFileOf(target.page))}${at}">${inner()}</a>`;
        }
      }
    })
    .join('');
}

const SIGNS: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function text(words: string): string {
  return words.replace(/[&<>]/g, (sign) => SIGNS[sign] ?? sign);
}

function attribute(words: string): string {
  return words.replace(/[&<>"]/g, (sign) => SIGNS[sign] ?? sign);
}

/** The colours and sizes of the window, dark where the reader's system is, and how a page uses them. */
export function styleOf(tokens: string, rules: string): string {
  const light = /^:root \{[^}]*\}/m.exec(tokens)?.[0];
  const dark = /^:root\[data-theme='dark'\] (\{[^}]*\})/m.exec(tokens)?.[1];
  if (!light || !dark) throw new Error('the tokens have no light or no dark theme');
  return `${light}\n\n@media (prefers-color-scheme: dark) {\n:root ${dark}\n}\n\n${rules}`;
}
