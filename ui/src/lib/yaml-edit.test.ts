import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { nodeAt, parseYaml, valueOf, type Path } from './yaml';
import { insertItem, moveItem, pieceOf, removeItem, setIn } from './yaml-edit';
import { Lines, Raw } from './yaml-write';

const FOLDER = fileURLToPath(
  new URL('../../../src-tauri/crates/bwana-workflow/definitions/workflows', import.meta.url),
);
const SHIPPED = readdirSync(FOLDER).map((file) => readFileSync(`${FOLDER}/${file}`, 'utf8'));
const theirs = (text: string) => parse(text);

const TEXT = `# Why it is there.
schema: x # the form
id: a
agents: [b, c] # who
limits: {turns: 3, elapsed: 6h}

steps:
  # The first one.
  - id: one
    name: One
    task: | # what to do
      Write
        two lines.

  - Two # just a name

  # About three.
  # It takes long.
  - name: Three
    parallel:
      steps:
        - x
        - {name: w, agent: b}

  # At the end of it all.
`;

describe('a place is set, and nothing else changes', () => {
  const check = (path: Path, value: unknown, ...lines: [string, string][]) => {
    const wanted = lines.reduce((text, [from, to]) => {
      expect(text).toContain(from);
      return text.replace(from, () => to);
    }, TEXT);
    const now = setIn(TEXT, path, value, ['id', 'name', 'agent', 'tools', 'task', 'limits']);
    expect(now).toBe(wanted);
    expect(parseYaml(now).map(valueOf)).toEqual([theirs(now)]);
  };
  test('a scalar keeps the comment behind it', () => check(['schema'], 'z', ['schema: x #', 'schema: z #']));
  test('a list in brackets stays in them', () => check(['agents'], ['c'], ['[b, c] #', '[c] #']));
  test('a key in brackets', () => check(['limits', 'turns'], new Raw('4'), ['turns: 3', 'turns: 4']));
  test('one more in brackets', () => check(['limits', 'calls'], 9, ['6h}', '6h, calls: 9}']));
  test('one less in brackets', () => check(['limits', 'turns'], undefined, ['turns: 3, ', '']));
  test('a block of text, and the comment at its head', () =>
    check(['steps', 0, 'task'], 'Now\nthree\n', [
      '      Write\n        two lines.',
      '      Now\n      three',
    ]));
  test('a block of text becomes a line', () =>
    check(['steps', 0, 'task'], 'Now', [
      '| # what to do\n      Write\n        two lines.',
      'Now # what to do',
    ]));
  test('a line becomes a block of text', () =>
    check(['schema'], 'y\nz\n', ['x # the form', '| # the form\n  y\n  z']));
  test('a key that was not there stands in its place', () =>
    check(['steps', 0, 'agent'], 'b', ['    name: One\n', '    name: One\n    agent: b\n']));
  test('a key that comes before all others', () =>
    check(['steps', 2, 'id'], 'c', ['- name: Three', '- id: c\n    name: Three']));
  test('a key inside of one that was not there', () =>
    check(['steps', 0, 'limits', 'turns'], 2, ['two lines.\n', 'two lines.\n    limits:\n      turns: 2\n']));
  test('a key taken out', () => check(['steps', 0, 'name'], undefined, ['    name: One\n', '']));
  test('the key behind the dash taken out', () =>
    check(['steps', 0, 'id'], undefined, ['- id: one\n    name', '- name']));
  test('the last key of a map takes the map with it', () => {
    const text = setIn(TEXT, ['limits', 'turns'], undefined);
    expect(setIn(text, ['limits', 'elapsed'], undefined)).toBe(
      TEXT.replace('limits: {turns: 3, elapsed: 6h}\n', ''),
    );
  });
  test('a name becomes a step in full', () =>
    check(['steps', 1], { name: 'Two', agent: 'b' }, [
      '- Two # just a name',
      '- name: Two # just a name\n    agent: b',
    ]));
  test('what is in brackets and grows too long comes out of them', () =>
    check(['steps', 2, 'parallel', 'steps', 1, 'task'], 'x'.repeat(99), [
      '- {name: w, agent: b}',
      `- name: w\n          agent: b\n          task: ${'x'.repeat(99)}`,
    ]));
  test('lines of a person go under their key', () =>
    check(['steps', 0, 'task'], new Lines('type: object # so\nrequired:\n  - a'), [
      'task: | # what to do\n      Write\n        two lines.',
      'task: # what to do\n      type: object # so\n      required:\n        - a',
    ]));
  test('what is not there cannot be taken out', () => check(['steps', 0, 'tools'], undefined));
});

test('a file in JSON can be changed too', () => {
  const text = '{\n  "id": "a",\n  "steps": [{"name": "A"}, "B"]\n}\n';
  expect(setIn(text, ['steps', 0, 'task'], 'x')).toBe('id: a\nsteps:\n  - name: A\n    task: x\n  - B\n');
  expect(theirs(moveItem(text, ['steps'], 0, 1))).toEqual({ id: 'a', steps: ['B', { name: 'A' }] });
});

describe('items', () => {
  const steps = (text: string) => (theirs(text) as { steps: unknown[] }).steps;
  test('one goes down with the comments above it; what stands between two stays', () => {
    expect(moveItem(TEXT, ['steps'], 0, 1)).toBe(
      TEXT.replace(
        / {2}# The first one.\n[^]*two lines.\n\n {2}- Two # just a name\n/,
        () =>
          '  - Two # just a name\n\n  # The first one.\n  - id: one\n    name: One\n    task: | # what to do\n      Write\n        two lines.\n',
      ),
    );
  });
  test('the last goes up', () => {
    const now = moveItem(TEXT, ['steps'], 2, 0);
    expect(now).toContain('steps:\n  # About three.\n  # It takes long.\n  - name: Three');
    expect(now).toMatch(/agent: b}\n\n {2}# The first one.\n/);
    expect(now).toMatch(/- Two # just a name\n\n {2}# At the end of it all.\n$/);
  });
  test('one is taken out', () => {
    expect(removeItem(TEXT, ['steps'], 1)).toBe(TEXT.replace('  - Two # just a name\n\n', ''));
    expect(removeItem(TEXT, ['steps'], 0)).toBe(TEXT.replace(/ {2}# The first one.[^]*lines.\n\n/, ''));
    const last = removeItem(TEXT, ['steps'], 2);
    expect(last).toMatch(/- Two # just a name\n\n {2}# At the end of it all.\n$/);
    const none = removeItem(removeItem(last, ['steps'], 0), ['steps'], 0);
    expect(steps(none)).toEqual([]);
    expect(steps(insertItem(none, ['steps'], 0, 'New'))).toEqual(['New']);
  });
  test('one is put in, as far apart as the others', () => {
    expect(insertItem(TEXT, ['steps'], 1, { name: 'New', agent: 'b' })).toBe(
      TEXT.replace('  - Two', '  - name: New\n    agent: b\n\n  - Two'),
    );
    expect(insertItem(TEXT, ['steps'], 3, 'New')).toBe(TEXT.replace('agent: b}\n', 'agent: b}\n\n  - New\n'));
    expect(insertItem(TEXT, ['steps'], 0, 'New')).toBe(
      TEXT.replace('  # The first one.', '  - New\n\n  # The first one.'),
    );
  });
  test('one is taken as it is written and put further in', () => {
    const piece = pieceOf(TEXT, ['steps'], 0);
    const now = removeItem(insertItem(TEXT, ['steps', 2, 'parallel', 'steps'], 1, piece), ['steps'], 0);
    expect(now).toContain(
      '        - x\n        # The first one.\n        - id: one\n          name: One\n          task: | # what to do\n            Write\n              two lines.\n        - {name',
    );
    expect(steps(now)[1]).toMatchObject({
      parallel: { steps: ['x', { id: 'one', task: 'Write\n  two lines.\n' }, {}] },
    });
  });
  test('a list in brackets comes out of them', () => {
    expect(moveItem('steps: [A, B]\n', ['steps'], 0, 1)).toBe('steps:\n  - B\n  - A\n');
  });
});

/** Where something stands: the paths of all values. */
function paths(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [
    at,
    ...Object.entries(value).flatMap(([key, one]) =>
      paths(one, [...at, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

function setting(value: unknown, path: Path, now: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return now;
  if (Array.isArray(value))
    return value.map((one: unknown, index) => (index === head ? setting(one, rest, now) : one));
  const held = { ...(value as Record<string, unknown>) };
  held[head] = setting(held[head], rest, now);
  return held;
}

const comments = (text: string): string[] => text.match(/^ *#(?!#).*$/gm) ?? [];
const sample = fc.constantFrom(TEXT, ...SHIPPED);
const news = fc.oneof(
  fc.constantFrom<unknown>('x', 'a: b', 'One\ntwo\n', '', true, 3, null, [], {}, ['a', 'b'], {
    a: 1,
    b: ['x'],
  }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
);

test('whatever is set where, the rest means what it meant, and its comments stay', () => {
  fc.assert(
    fc.property(sample, fc.nat(), news, (text, nth, value) => {
      const before = theirs(text);
      const [root] = parseYaml(text);
      const all = paths(before).filter((path) => {
        const node = nodeAt(root, path);
        return path.length > 0 && (node?.kind === 'scalar' || node?.flow === true);
      });
      const path = all[nth % all.length] ?? [];
      const now = setIn(text, path, value);
      expect(theirs(now)).toEqual(setting(before, path, value));
      expect(parseYaml(now).map(valueOf)).toEqual([theirs(now)]);
      const inside = nodeAt(root, path);
      const gone = comments(text.slice(inside?.from ?? 0, inside?.to ?? 0));
      const kept = comments(text).filter((one) => !gone.includes(one));
      expect(kept.filter((one) => !comments(now).includes(one))).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

test('whatever is moved, put in or taken out, the list says it and nothing is lost', () => {
  fc.assert(
    fc.property(
      sample,
      fc.array(fc.tuple(fc.constantFrom('move', 'in', 'out'), fc.nat(), fc.nat()), { maxLength: 8 }),
      (text, acts) => {
        let now = text;
        let wanted = (theirs(text) as { steps: unknown[] }).steps;
        for (const [act, a, b] of acts) {
          const [from, to] = [a % Math.max(1, wanted.length), b % Math.max(1, wanted.length)];
          if (act === 'move' && wanted.length > 0) {
            now = moveItem(now, ['steps'], from, to);
            const moved = wanted[from];
            wanted = wanted.toSpliced(from, 1).toSpliced(to, 0, moved);
          } else if (act === 'in') {
            now = insertItem(now, ['steps'], from, { name: `N${b}`, task: 'a\nb\n' });
            wanted = wanted.toSpliced(from, 0, { name: `N${b}`, task: 'a\nb\n' });
          } else if (act === 'out' && wanted.length > 0) {
            now = removeItem(now, ['steps'], from);
            wanted = wanted.toSpliced(from, 1);
          }
          expect((theirs(now) as { steps: unknown[] }).steps).toEqual(wanted);
        }
        const moves = acts.every(([act]) => act === 'move');
        if (moves) expect(comments(now).toSorted()).toEqual(comments(text).toSorted());
      },
    ),
    { numRuns: 300 },
  );
});
