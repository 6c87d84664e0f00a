// What the window costs, measured on programs built for release: `cargo xtask bench ui`. Figures, not tests: a figure that
// misses its hold is said, and fails nothing here.
import { defineConfig } from '@playwright/test';
import engine from '../engine/playwright.config';

const PORT = Number(process.env['BWANA_UI_PORT'] ?? 4173);

export default defineConfig({
  ...engine,
  testDir: '.',
  testMatch: '*.bench.ts',
  outputDir: '../../../target/bench-results',
  timeout: 900_000,
  retries: 0,
  reporter: 'line',
  use: {
    ...engine.use,
    baseURL: `http://127.0.0.1:${PORT}`,
    reducedMotion: 'no-preference',
  },
  webServer: {
    command: `npx vite preview --config ui/vite.config.ts --port ${PORT} --strictPort`,
    cwd: '../../..',
    url: `http://127.0.0.1:${PORT}/theme.js`,
    reuseExistingServer: false,
    timeout: 180_000,
  },
});
