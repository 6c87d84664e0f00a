/// <reference types="svelte" />
/// <reference types="vite/client" />

/** True in dev and test builds; the gallery and the pseudo-locale exist only there. */
declare const __WITH_GALLERY__: boolean;

declare module 'virtual:messages/*' {
  import type { Catalogue } from './i18n/message';
  const catalogue: Catalogue;
  export default catalogue;
}
