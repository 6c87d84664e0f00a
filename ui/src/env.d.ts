/// <reference types="svelte" />
/// <reference types="vite/client" />

/** True in dev and test builds; the gallery and the pseudo-locale exist only there. */
declare const __WITH_GALLERY__: boolean;

declare module 'virtual:messages/*' {
  const catalogue: import('./i18n/message').Catalogue;
  export default catalogue;
}
