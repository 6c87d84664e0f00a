import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { failed } from './build/failed.js';
import { messages } from './build/messages.js';

const root = fileURLToPath(new URL('.', import.meta.url));

export default defineConfig({
  root,
  plugins: [svelte(), messages(root)],
  define: { __WITH_GALLERY__: 'true' },
  resolve: { alias: { $ui: fileURLToPath(new URL('./src', import.meta.url)) } },
  test: {
    environment: 'node',
    reporters: ['default', failed(fileURLToPath(new URL('../target/failed-test.txt', import.meta.url)))],
    include: ['src/**/*.test.ts', 'build/**/*.test.ts'],
    env: { TZ: 'Africa/Nairobi' },
    testTimeout: 30_000,
    pool: 'threads',
    maxWorkers: 1,
  },
});
