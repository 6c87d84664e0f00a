// The browser of the tests: Debian's Chromium, in the build that has no window of its own where it is there, because that one
// starts and draws in two thirds of the time.
import { existsSync } from 'node:fs';

const KNOWN = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];

export const launchOptions = {
  executablePath:
    process.env['BWANA_CHROMIUM'] ?? KNOWN.find((file) => existsSync(file)) ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic'],
};
