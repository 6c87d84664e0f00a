import { describe, expect, it } from 'vitest';
import { readPage } from '../../lib/handbook';
import { find, FOUND_MOST, placesOf } from './find';

const PAGES = [
  readPage(
    'usage',
    '# Usage and budgets\n\nWhere money went.\n\n## Limits\n\nA day may cost so much; then runs pause.\n',
  ),
  readPage(
    'power',
    '# When power fails\n\nEvery run goes on.\n\n## The disk is full\n\nMake room, then resume. The budget stays.\n',
  ),
  readPage(
    'words',
    '# Words\n\n| Word | Means |\n|---|---|\n| Budget | what a run may cost |\n\nRéseau électrique: 🔌 the plug of Kisumu.\n',
  ),
];
const PLACES = PAGES.flatMap(placesOf);
const names = (wish: string) => find(PLACES, wish).map(({ place }) => `${place.page}#${place.at ?? ''}`);

describe('places of a page', () => {
  it('are its headings with the words under them', () => {
    expect(placesOf(PAGES[1]!)).toEqual([
      { page: 'power', title: 'When power fails', heading: 'When power fails', text: 'Every run goes on.' },
      {
        page: 'power',
        title: 'When power fails',
        at: 'the-disk-is-full',
        heading: 'The disk is full',
        text: 'Make room, then resume. The budget stays.',
      },
    ]);
  });
});

describe('finding', () => {
  it('puts a heading before words under one', () =>
    expect(names('budget')).toEqual(['usage#', 'power#the-disk-is-full', 'words#']));
  it('wants every word, wherever it stands under the heading', () => {
    expect(names('room budget')).toEqual(['power#the-disk-is-full']);
    expect(names('room kisumu')).toEqual([]);
  });
  it('knows the page a heading belongs to', () =>
    expect(names('power room')).toEqual(['power#the-disk-is-full']));
  it('does not mind accents and case', () => expect(names('RESEAU')).toEqual(['words#']));
  it.each(['', '   '])('finds nothing for %j', (wish) => expect(names(wish)).toEqual([]));

  it('puts the errors behind the pages', () => {
    const error = placesOf(readPage('errors/budget.invalid', '# budget.invalid\n\nWords.\n'));
    const found = find([...error, ...PLACES], 'budget').map(({ place }) => place.page);
    expect(found.slice(0, 2)).toEqual(['usage', 'errors/budget.invalid']);
  });

  it('shows the words around what fits, with what fits marked', () => {
    const [found] = find(PLACES, 'resume');
    const [from, to] = found!.excerptMarks[0]!;
    expect(found!.excerpt.slice(from, to)).toBe('resume');
  });

  it('marks the right letters behind a sign of two units', () => {
    const [found] = find(PLACES, 'plug');
    const [from, to] = found!.excerptMarks[0]!;
    expect(found!.excerpt.slice(from, to)).toBe('plug');
  });

  it('cuts a long text at words and says so', () => {
    const long = placesOf(readPage('x', `# X\n\n${'word '.repeat(200)}needle ${'word '.repeat(200)}`));
    const [found] = find(long, 'needle');
    expect(found!.excerpt).toMatch(/^… (word )+needle (word ?)+ …$/);
    expect(found!.excerpt.length).toBeLessThan(200);
  });

  it('shows so many and no more', () => {
    const many = placesOf(
      readPage('x', Array.from({ length: 50 }, (_, n) => `## Same ${n}\n\nwords\n`).join('\n')),
    );
    expect(find(many, 'same')).toHaveLength(FOUND_MOST);
  });
});
