// A question that changes while it is typed: asked a moment after the last key, one at a time, and only the answer to what is
// typed now is told. What does not belong here: what is asked.
export interface Latest {
  /** Empty: nothing is asked, and nothing that is under way is told. */
  want(text: string): void;
  /** Asks once more what is wanted, unless it is being asked. */
  again(): void;
  stop(): void;
}

export const ASK_AFTER_MS = 150;

export function latest<T>(
  ask: (text: string) => Promise<T>,
  told: (text: string, answer: T) => void,
  failed: (text: string, error: unknown) => void,
): Latest {
  let wanted = '';
  let asking = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function send() {
    if (asking || wanted === '') return;
    const text = wanted;
    asking = true;
    try {
      const answer = await ask(text);
      if (text === wanted) told(text, answer);
    } catch (error) {
      if (text === wanted) failed(text, error);
    } finally {
      asking = false;
    }
    // Something else was typed meanwhile, and its moment has passed.
    if (text !== wanted && timer === undefined) void send();
  }

  return {
    want(text) {
      if (text === wanted) return;
      wanted = text;
      clearTimeout(timer);
      timer = setTimeout(() => {
        timer = undefined;
        void send();
      }, ASK_AFTER_MS);
    },
    again() {
      if (timer === undefined) void send();
    },
    stop() {
      wanted = '';
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
