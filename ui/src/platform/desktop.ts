// The desktop window: one Tauri command, and a channel for commands that tell what happens. The only file with Tauri in it.
import { Channel, invoke } from '@tauri-apps/api/core';
import type { WireError } from '../bindings/types';
import { RequestError, allowedLink, type Answer, type Cancel, type Platform } from './platform';

interface StreamFrame {
  event?: unknown;
  end?: true;
  error?: WireError;
}

export function inDesktop(): boolean {
  return '__TAURI_INTERNALS__' in window;
}

export function desktopPlatform(): Platform {
  async function rpc<T>(name: string, params: object = {}): Promise<Answer<T>> {
    try {
      return await invoke<Answer<T>>('rpc', { name, params });
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
    const events = new Channel<StreamFrame | { event: string }>();
    events.onmessage = (frame) => {
      // The command's own events carry their name in `event`; they arrive bare or wrapped.
      if (!over) onEvent(typeof frame.event === 'string' ? frame : frame.event);
    };
    invoke('rpc', { name, params, events }).then(
      () => end(),
      (error: unknown) => end(RequestError.from(error)),
    );
    return () => {
      if (over) return;
      over = true;
      // The host drops the call when it is told; a host that is gone has dropped it already.
      invoke('rpc_cancel', { channel: events.id }).catch(() => undefined);
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
      try {
        await invoke('open_link', { url: link.href });
      } catch (error) {
        throw RequestError.from(error);
      }
    },
    async copy(text) {
      try {
        await invoke('copy_text', { text });
      } catch (error) {
        throw RequestError.from(error);
      }
    },
  };
}
