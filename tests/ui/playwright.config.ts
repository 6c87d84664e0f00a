// Browser tests of the interface: Debian's Chromium, and waits that end as soon as what they wait for is there. Two at a time,
// because a page waits more than it works. A test has a second try, because one of many hundreds may meet a bad moment of the
// machine; what needs it is named at the end.
import { defineConfig } from '@playwright/test';
import { launchOptions } from './browser';

const PORT = Number(process.env['BWANA_UI_PORT'] ?? 4173);

export default defineConfig({
  testDir: '.',
  testIgnore: ['engine/**', 'bench/**'],
  outputDir: '../../target/ui-results',
  workers: 2,
  retries: 1,
  // Bounds for a machine that does other work meanwhile; what is measured, is measured by benches.
  timeout: 180_000,
  expect: { timeout: 20_000 },
  reporter: [['line'], ['./failed.ts', { file: 'target/failed-test-ui.txt' }]],
  use: {
    baseURL: `http://127.0.0.1:${PORT}`,
    locale: 'en-US',
    timezoneId: 'Africa/Nairobi',
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    launchOptions,
  },
  webServer: {
    command: `npm run build:gallery && npx vite preview --config ui/vite.config.ts --mode gallery --port ${PORT} --strictPort`,
    cwd: '../..',
    url: `http://127.0.0.1:${PORT}/theme.js`,
    reuseExistingServer: false,
    timeout: 180_000,
  },
});
