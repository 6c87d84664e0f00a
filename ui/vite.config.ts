// How the interface is built: one static folder, no remote parts, the same bytes for the same input.
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { fontLicences } from './build/licences.js';
import { messages } from './build/messages.js';
import { serveCsp } from './build/csp.js';
import { ahead, groups } from './build/first.js';

const root = fileURLToPath(new URL('.', import.meta.url));

export default defineConfig(({ mode }) => ({
  root,
  base: '/',
  appType: 'spa',
  plugins: [svelte(), messages(root), serveCsp(), fontLicences(root), ahead()],
  define: {
    // The gallery and the pseudo-locale exist in dev and test builds only; `false` lets the bundler drop them.
    __WITH_GALLERY__: JSON.stringify(mode !== 'production'),
  },
  resolve: { alias: { $ui: fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: 'safari17',
    outDir: mode === 'gallery' ? 'dist-gallery' : 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: 'assets/manifest.json',
    ...(mode === 'production'
      ? { rolldownOptions: { output: { codeSplitting: { groups: groups(root) } } } }
      : {}),
  },
  // The handbook lies beside the interface.
  server: { host: '127.0.0.1', port: 1420, strictPort: true, fs: { allow: ['..'] } },
  preview: { host: '127.0.0.1' },
}));
