// The browser of the tests: Debian's Chromium, in the build that has no window of its own where it is there, because that one
// starts and draws in two thirds of the time.
import { existsSync } from 'node:fs';

export const WHOLE = process.env['BWANA_CHROMIUM'] ?? '/usr/bin/chromium';
const WITHOUT_WINDOW = '/usr/bin/chromium-headless-shell';

export const launchOptions = {
  executablePath:
    process.env['BWANA_CHROMIUM'] === undefined && existsSync(WITHOUT_WINDOW) ? WITHOUT_WINDOW : WHOLE,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic'],
};
