// Fails on a missing or unused key, a placeholder that differs from English, a plural without the forms its language
// needs, and a stale keys.ts. `--write` refreshes keys.ts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { parse, TYPE } from '@formatjs/icu-messageformat-parser';
import { argumentsOf, keysModule, LANGUAGES, source } from '../build/messages.js';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Keys the engine's codes, the tray and the notifications name; their completeness is tested on the Rust side. */
const NAMED_ELSEWHERE = ['code.', 'tray.', 'notify.', 'builtin.'];
/** @type {string[]} */
const findings = [];

/** @param {string} folder @returns {string[]} */
function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return files(path);
    return /\.(ts|svelte)$/.test(entry.name) && !path.endsWith('i18n/keys.ts') ? [path] : [];
  });
}

/** @param {string} language @param {string} key @param {string} text */
function checkPlurals(language, key, text) {
  const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
  /** @param {import('@formatjs/icu-messageformat-parser').MessageFormatElement[]} elements */
  const visit = (elements) => {
    for (const element of elements) {
      if (element.type === TYPE.plural && element.pluralType === 'cardinal') {
        // French, Portuguese: `many` is for compact millions, which no message counts.
        const absent = needed.filter(
          (form) => !(form in element.options) && !(form === 'many' && language !== 'ar'),
        );
        if (absent.length) findings.push(`${language}: ${key} lacks the plural forms ${absent.join(', ')}`);
      }
      if (element.type === TYPE.plural || element.type === TYPE.select)
        for (const option of Object.values(element.options)) visit(option.value);
    }
  };
  visit(parse(text, { ignoreTag: true }));
}

const english = source(root, 'en');
for (const language of LANGUAGES) {
  const texts = source(root, language);
  for (const key of Object.keys(english))
    if (!(key in texts)) findings.push(`${language}: ${key} is missing`);
  for (const [key, text] of Object.entries(texts)) {
    const original = english[key];
    if (original === undefined) {
      findings.push(`${language}: ${key} is not in en.json`);
      continue;
    }
    try {
      const [ours, theirs] = [original, text].map((t) => JSON.stringify([...argumentsOf(t)].sort()));
      if (ours !== theirs)
        findings.push(`${language}: ${key} has other placeholders than English: ${theirs}, not ${ours}`);
      checkPlurals(language, key, text);
    } catch (error) {
      findings.push(`${language}: ${key} cannot be parsed: ${String(error)}`);
    }
  }
}

const code = files(join(root, 'src'))
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');
const named = new Set([...code.matchAll(/['"`]([a-z][\w]*(?:\.[\w-]+)+)['"`]/g)].map((match) => match[1]));
const prefixes = [...code.matchAll(/`([a-z][\w]*(?:\.[\w-]+)*\.)\$\{/g)].map((match) => match[1] ?? '');
for (const key of Object.keys(english)) {
  const used = named.has(key) || [...prefixes, ...NAMED_ELSEWHERE].some((prefix) => key.startsWith(prefix));
  if (!used) findings.push(`en: ${key} is used nowhere`);
}

const keys = join(root, 'src/i18n/keys.ts');
if (process.argv.includes('--write')) writeFileSync(keys, keysModule(root));
else if (readFileSync(keys, 'utf8') !== keysModule(root))
  findings.push('src/i18n/keys.ts is stale: run `node ui/scripts/check-messages.js --write`');

for (const finding of findings) console.error(finding);
console.log(
  `${Object.keys(english).length} messages in ${LANGUAGES.length} languages, ${findings.length} findings`,
);
process.exit(findings.length ? 1 : 0);
