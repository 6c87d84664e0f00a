// The desktop window: one Tauri command, and a channel for commands that tell what happens. The only file with Tauri in it.
import { Channel, invoke } from '@tauri-apps/api/core';
import { toBase64 } from '../lib/bytes';
import { RequestError, allowedLink, type Answer, type Cancel, type Platform } from './platform';

export function inDesktop(): boolean {
  return '__TAURI_INTERNALS__' in window;
}

export function desktopPlatform(): Platform {
  let last = 0;
  /** The page numbers its calls, so that it can withdraw one. */
  const call = <T>(name: string, params: object, events: Channel<unknown>, number: number) =>
    invoke<Answer<T>>('rpc', { name, params, call: number, events });

  async function rpc<T>(name: string, params: object = {}): Promise<Answer<T>> {
    try {
      return await call<T>(name, params, new Channel(), ++last);
    } catch (error) {
      throw RequestError.from(error);
    }
  }

  function watch(
    name: string,
    params: object,
    onEvent: (event: unknown) => void,
    onEnd: (error?: RequestError) => void,
  ): Cancel {
    let over = false;
    const end = (error?: RequestError) => {
      if (over) return;
      over = true;
      onEnd(error);
    };
    const number = ++last;
    const events = new Channel<unknown>();
    events.onmessage = (event) => {
      if (!over) onEvent(event);
    };
    call(name, params, events, number).then(
      () => end(),
      (error: unknown) => end(RequestError.from(error)),
    );
    return () => {
      if (over) return;
      over = true;
      // A host that is gone has dropped the call already.
      rpc('shell.cancel', { call: number }).catch(() => undefined);
    };
  }

  return {
    kind: 'desktop',
    caller: 'local_ui',
    capabilities: { decide: true, native: true },
    rpc,
    watch,
    onLink: (listener) => {
      listener('ready');
      return () => undefined;
    },
    async openLink(url) {
      const link = allowedLink(url);
      if (!link)
        throw new RequestError({ code: 'bad_link', message: 'only https and mailto addresses are opened' });
      await rpc('shell.open_link', { url: link.href });
    },
    drawn() {
      rpc('shell.ready').catch(() => undefined);
    },
    async copy(text) {
      await rpc('shell.copy', { text });
    },
    // The web view of the desktop saves nothing by itself; the shell writes into the person's own folder.
    async save(name, content) {
      const held = typeof content === 'string' ? { text: content } : { base64: toBase64(content) };
      return (await rpc<{ path: string }>('shell.save', { name, ...held })).value;
    },
  };
}
