/// <reference types="svelte" />
/// <reference types="vite/client" />

/** True in dev and test builds; the gallery and the pseudo-locale exist only there. */
declare const __WITH_GALLERY__: boolean;

declare module 'virtual:messages/keys' {
  const keys: readonly string[];
  export default keys;
}

/** The messages of a language in the order of the keys. */
declare module 'virtual:messages/*' {
  import type { Message } from './i18n/message';
  const messages: readonly Message[];
  export default messages;
}
