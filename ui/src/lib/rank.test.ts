import { describe, expect, test } from 'vitest';
import { fit, marked, rank, type Level } from './rank';

const found = (text: string, wish: string, whole = false) => {
  const one = fit(text, wish, whole);
  if (!one) return undefined;
  const hits = marked(text, one.ranges).filter(({ hit }) => hit);
  return [one.level, hits.map(({ text: piece }) => piece).join('|')];
};

describe('a name fits', () => {
  const check = (text: string, wish: string, level: Level, hits: string) =>
    expect(found(text, wish)).toEqual([level, hits]);
  test('by its beginning', () => check('Fork', 'fo', 'prefix', 'Fo'));
  test('by the beginning of a word', () => check('African Market Expansion', 'mark', 'word', 'Mark'));
  test('by the beginnings of words in any order', () =>
    check('Complete Business Setup', 'setup bus', 'word', 'Bus|Setup'));
  test('by the inside of a word', () => check('Connections', 'nect', 'inner', 'nect'));
  test('by letters with gaps', () => check('Complete Business Setup', 'cbs', 'gaps', 'C|B|S'));
  test('by words after a hyphen', () => check('Kuala-Boxes', 'box', 'word', 'Box'));
  test('without its accents', () => check('Réglages généraux', 'regl', 'prefix', 'Régl'));
  test('with accents that it does not have', () => check('Reglages', 'régl', 'prefix', 'Regl'));
  test('with accents written apart', () => check('Re\u0301glages', 'reg', 'prefix', 'Re\u0301g'));
  test('with the hooked letters of Hausa', () =>
    check('Ƙananan ɓangarori', 'kananan b', 'prefix', 'Ƙananan ɓ'));
  test('with a letter that is two', () => check('Straße', 'strasse', 'prefix', 'Straße'));
  test('in Swahili with any apostrophe', () => check('Duka la ng’ombe', "ng'o", 'word', 'ng’o'));
  test('in Arabic without vowel signs', () => check('مُبَيعات', 'مبيع', 'prefix', 'مُبَيع'));
  test('in Arabic without the article', () => check('المبيعات والتسويق', 'مبيع', 'word', 'مبيع'));
  test('in Arabic with any alef', () => check('أدوات', 'ادو', 'prefix', 'أدو'));
  test('beyond the plane of most letters', () => check('🧊 Ice', 'ice', 'word', 'Ice'));
  test('when nothing is wished', () => check('Fork', '  ', 'prefix', ''));
});

describe('a name does not fit', () => {
  test.each([
    ['Fork', 'fox'],
    ['Runs', 'snr'],
    // Letters with gaps begin where a word does.
    ['Workflow', 'rkw'],
  ])('%s for %s', (text, wish) => expect(fit(text, wish)).toBeUndefined());
  test('with gaps where only whole pieces count', () =>
    expect(fit('Write a friendly order reminder kindly', 'fork', true)).toBeUndefined());
});

describe('the order', () => {
  const item = (label: string, more: object = {}) => ({ id: label, label, ...more });
  const order = (labels: string[], wish: string, lately: string[] = []) =>
    rank(
      labels.map((label) => item(label)),
      wish,
      lately,
    ).map(({ item: { id } }) => id);
  test('is beginning, word, inside, gaps', () =>
    expect(order(['Sir Run Up', 'Prune', 'Set up', 'Rundown'], 'run')).toEqual([
      'Rundown',
      'Sir Run Up',
      'Prune',
    ]));
  test('puts gaps last', () =>
    expect(order(['Settle up', 'Meetup', 'Setup'], 'etup')).toEqual(['Meetup', 'Setup']));
  test('stays where names fit alike', () =>
    expect(order(['Runs b', 'Runs a', 'Runs c'], 'runs')).toEqual(['Runs b', 'Runs a', 'Runs c']));
  test('has what was chosen last first, of those that fit alike', () =>
    expect(order(['Runs b', 'Runs a', 'My runs', 'Runs c'], 'runs', ['My runs', 'Runs c', 'Runs a'])).toEqual(
      ['Runs c', 'Runs a', 'Runs b', 'My runs'],
    ));
  test('without a wish is that of choice, then the given one', () =>
    expect(order(['a', 'b', 'c'], '', ['c'])).toEqual(['c', 'a', 'b']));
  test('counts other words an item is known by, and marks none of them', () =>
    expect(rank([item('Ventes', { also: 'sales_marketing' })], 'sales', [])).toMatchObject([
      { level: 'prefix', ranges: [] },
    ]));
  test('has a name before a sentence that begins alike', () =>
    expect(
      rank([item('Sales wants to send', { whole: true }), item('Sales')], 'sales', []).map(
        (one) => one.item.id,
      ),
    ).toEqual(['Sales', 'Sales wants to send']));
  test('keeps what somebody else found', () =>
    expect(rank([item('Wish', { found: true })], 'zzz', [])).toMatchObject([{ level: 'inner', ranges: [] }]));
});

test('a text without a mark is one piece', () => {
  expect(marked('Home', [])).toEqual([{ text: 'Home', hit: false }]);
  expect(marked('', [])).toEqual([{ text: '', hit: false }]);
});

describe('what something is for', () => {
  const items = [
    { id: 'tender', label: 'Tender Checklist Overview' },
    { id: 'data', label: 'Your data', about: 'backup, restore' },
    { id: 'restored', label: 'Restored runs' },
    { id: 'stored', label: 'Unrestored' },
  ];
  const order = (wish: string) => rank(items, wish, []).map(({ item: { id } }) => id);
  test('comes after what is called so, before what only holds the letters', () =>
    expect(order('restore')).toEqual(['restored', 'data', 'stored']));
  test('is found by the beginnings of its words', () => {
    expect(order('back')).toEqual(['data']);
    expect(order('ackup')).toEqual([]);
  });
  test('leaves no room for letters with gaps', () => {
    expect(order('tco')).toEqual(['tender']);
    expect(rank([...items, { id: 'tco', label: 'TCO' }], 'tco', []).map(({ item: { id } }) => id)).toEqual([
      'tco',
    ]);
  });
});
