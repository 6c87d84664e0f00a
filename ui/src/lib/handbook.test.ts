import { describe, expect, it } from 'vitest';
import { contentsOf, fileOf, neighbours, pageOf, readPage, slugOf, START, whereTo } from './handbook';

describe('files and pages', () => {
  it.each([
    ['start', 'handbook/README.md'],
    ['first-run', 'handbook/first-run.md'],
    ['errors', 'errors/README.md'],
    ['errors/provider.auth', 'errors/provider.auth.md'],
    ['journal', 'journal.md'],
  ])('%s is %s and back', (page, file) => {
    expect(fileOf(page)).toBe(file);
    expect(pageOf(file)).toBe(page);
  });

  it.each(['README.md', 'other.md', 'handbook/a/b.md', 'secret/x.md', 'handbook/x.html', '../README.md'])(
    '%s is no page',
    (file) => expect(pageOf(file)).toBeUndefined(),
  );
});

describe('a link', () => {
  it.each([
    ['start', 'home.md', { kind: 'page', page: 'home' }],
    ['start', '../errors/README.md', { kind: 'page', page: 'errors' }],
    ['usage', '#limits', { kind: 'page', page: 'usage', at: 'limits' }],
    ['errors', 'store.full.md', { kind: 'page', page: 'errors/store.full' }],
    ['errors/store.full', '../handbook/usage.md#limits', { kind: 'page', page: 'usage', at: 'limits' }],
    ['run', 'pictures/chat.webp', { kind: 'picture', file: 'chat.webp' }],
    ['journal', 'handbook/pictures/chat.webp', { kind: 'picture', file: 'chat.webp' }],
    ['start', 'https://example.org/a', { kind: 'web', href: 'https://example.org/a' }],
  ])('of %s to %s leads there', (page, href, target) => expect(whereTo(page, href)).toEqual(target));

  it.each([
    'javascript:alert(1)',
    'JAVASCRIPT:alert(1)',
    'data:text/html,x',
    'http://example.org',
    '//example.org/x.webp',
    'file:///etc/passwd',
    '../../README.md',
    '../../docs/journal.md',
    'pictures/../../x.webp',
    'pictures/a.svg',
    'pictures/a/b.webp',
    '/etc/x.md',
    'home.html',
  ])('to %s leads nowhere', (href) => expect(whereTo('start', href)).toBeUndefined());
});

describe('a page', () => {
  const page = readPage('x', '# A page\n\nwords\n\n## What `bwana run` does\n\n## Twice\n\n### Twice\n');

  it('is called by its first heading, and each heading has a name of its own', () => {
    expect(page.title).toBe('A page');
    expect(page.headings.map(({ id, level, at }) => [id, level, at])).toEqual([
      ['a-page', 1, 0],
      ['what-bwana-run-does', 2, 2],
      ['twice', 2, 3],
      ['twice-1', 3, 4],
    ]);
  });

  it.each([
    ['Agents, `bwana.agent/v1`', 'agents-bwanaagentv1'],
    ['Say what you need', 'say-what-you-need'],
    ['سوق كبير', 'سوق-كبير'],
  ])('%s is named as a forge names it', (title, id) => expect(slugOf(title.replaceAll('`', ''))).toBe(id));
});

describe('the contents', () => {
  const parts = contentsOf(
    readPage(
      START,
      '# Book\n\nSee [here](b.md).\n\n## One\n\n- [A](a.md)\n- no link\n- [B](b.md)\n\n## Two\n\n- [E](../errors/README.md)\n',
    ),
  );

  it('are the lists under the headings of the first page, and that page first', () => {
    expect(parts).toEqual([
      { title: '', pages: [{ page: 'start', title: 'Book' }] },
      {
        title: 'One',
        pages: [
          { page: 'a', title: 'A' },
          { page: 'b', title: 'B' },
        ],
      },
      { title: 'Two', pages: [{ page: 'errors', title: 'E' }] },
    ]);
  });

  it('say what comes before and after, across parts', () => {
    expect(neighbours(parts, 'b')).toEqual({
      before: { page: 'a', title: 'A' },
      after: { page: 'errors', title: 'E' },
    });
    expect(neighbours(parts, 'start').before).toBeUndefined();
    expect(neighbours(parts, 'errors').after).toBeUndefined();
    expect(neighbours(parts, 'errors/store.full')).toEqual({});
  });
});
