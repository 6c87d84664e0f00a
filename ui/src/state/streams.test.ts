import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamText } from '../bindings/wire';
import { Streams } from './streams';

const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text).length;
const settle = async () => {
  for (let turn = 0; turn < 6; turn += 1) await Promise.resolve();
};

function parts(pieces: readonly string[], attempt: number): StreamText[] {
  let offset = 0;
  return pieces.map((text) => {
    const event = { run: 'r', call: 7, attempt, path: '1', agent: 'a', offset, text };
    offset += bytes(text);
    return event;
  });
}

describe('the text of a call in flight', () => {
  it('ends whole however its pieces are dropped, repeated or swapped', async () => {
    const piece = fc.constantFrom('word ', 'ẹ', 'سوق', '🙂', '\n', 'x');
    const mess = fc.constantFrom('keep', 'keep', 'keep', 'drop', 'twice', 'swap');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(piece, mess), { minLength: 1, maxLength: 40 }), async (all) => {
        const sent = parts(
          all.map(([text]) => text),
          1,
        );
        let upTo = 0;
        const whole = () =>
          sent
            .slice(0, upTo)
            .map((event) => event.text)
            .join('');
        const streams = new Streams(
          () => Promise.resolve({ call: 7, attempt: 1, text: whole(), offset: bytes(whole()) }),
          () => undefined,
        );
        const arriving: number[] = [];
        all.forEach(([, what], index) => {
          if (what !== 'drop') arriving.push(index);
          if (what === 'twice') arriving.push(index);
          if (what === 'swap' && arriving.length > 1)
            arriving.splice(-2, 2, arriving.at(-1)!, arriving.at(-2)!);
        });
        for (const index of arriving) {
          upTo = Math.max(upTo, index + 1);
          streams.receive(sent[index]!);
          await settle();
        }
        // A last piece shows a loss at the end.
        const last: StreamText = {
          ...sent[0]!,
          offset: bytes(all.map(([text]) => text).join('')),
          text: '.',
        };
        sent.push(last);
        upTo = sent.length;
        streams.receive(last);
        await settle();
        expect(streams.previews()[0]?.text).toBe(`${all.map(([text]) => text).join('')}.`);
      }),
      { numRuns: 300 },
    );
  });

  it('starts over with a new attempt and ignores the old one', () => {
    const streams = new Streams(
      () => Promise.reject(new Error('not asked')),
      () => undefined,
    );
    for (const event of parts(['one ', 'two '], 1)) streams.receive(event);
    for (const event of parts(['neu'], 2)) streams.receive(event);
    streams.receive(parts(['one ', 'two ', 'three'], 1)[2]!);
    expect(streams.previews()).toMatchObject([{ attempt: 2, text: 'neu' }]);
  });

  it('is gone when its entry is there, and does not come back', () => {
    const changed: number[] = [];
    const streams = new Streams(
      () => Promise.reject(new Error('not asked')),
      (call) => changed.push(call),
    );
    const [first, second] = parts(['one ', 'two '], 1);
    streams.receive(first!);
    streams.finish(7);
    streams.receive(second!);
    expect(streams.previews()).toEqual([]);
    expect(changed).toEqual([7, 7]);
  });

  it('takes over what a window of events brought, unless it knows more', () => {
    const streams = new Streams(
      () => Promise.reject(new Error('not asked')),
      () => undefined,
    );
    const from = { attempt: 1, path: '1', agent: 'a' };
    streams.begin(7, { ...from, text: 'one ', offset: 4 });
    streams.receive(parts(['one ', 'two '], 1)[1]!);
    streams.begin(7, { ...from, text: 'one', offset: 3 });
    expect(streams.previews()[0]?.text).toBe('one two ');
  });
});
