// Browser tests against the real engine: every test starts a host of its own with a data folder of its own.
import { defineConfig } from '@playwright/test';
import { launchOptions, WHOLE } from '../browser';

export default defineConfig({
  testDir: '.',
  outputDir: '../../../target/engine-results',
  workers: 1,
  retries: 1,
  timeout: 240_000,
  expect: { timeout: 30_000 },
  reporter: [['line'], ['../failed.ts', { file: 'target/failed-test-engine.txt' }]],
  // Pictures are taken anew by `-u` alone.
  updateSnapshots: 'none',
  snapshotPathTemplate: '{testDir}/goldens/{arg}{ext}',
  use: {
    locale: 'en-US',
    timezoneId: 'Africa/Nairobi',
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    // The pictures are those of the whole browser: the other build sets letters at other fractions of a pixel.
    launchOptions: { ...launchOptions, executablePath: WHOLE },
  },
});
