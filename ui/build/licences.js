// Ships the licence of each bundled font beside it, as the OFL asks.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGES = [
  '@fontsource-variable/inter',
  '@fontsource/noto-sans-arabic',
  '@fontsource-variable/jetbrains-mono',
];

/** @param {string} root @returns {import('vite').Plugin} */
export function fontLicences(root) {
  return {
    name: 'bwana-font-licences',
    apply: 'build',
    generateBundle() {
      for (const name of PACKAGES) {
        const source = readFileSync(join(root, '../node_modules', name, 'LICENSE'), 'utf8');
        this.emitFile({ type: 'asset', fileName: `licences/${name.split('/')[1]}.txt`, source });
      }
    },
  };
}
