// Compiles ui/messages/*.json (ICU) to small arrays at build time, one module per language, so that nothing is parsed or
// evaluated in the window. What does not belong here: the choice of language, and the runtime (src/i18n/message.ts).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, TYPE } from '@formatjs/icu-messageformat-parser';

export const LANGUAGES = ['en', 'fr', 'sw', 'pt', 'ar'];
/** English stretched and accented: shows what is not translated and what does not fit. Never in the product. */
export const PSEUDO = 'en-XA';

const ACCENTS = new Map([...'aeiouncAEIOUNC'].map((c, i) => [c, [...'áéíóúñçÁÉÍÓÚÑÇ'][i]]));

/** @typedef {import('../src/i18n/message').Part} Part */

/**
 * @param {import('@formatjs/icu-messageformat-parser').MessageFormatElement[]} elements
 * @param {(text: string) => string} write
 * @returns {Part[]}
 */
function parts(elements, write) {
  return elements.map((element) => {
    switch (element.type) {
      case TYPE.literal:
        return write(element.value);
      case TYPE.argument:
        return ['v', element.value];
      case TYPE.number:
        return ['n', element.value];
      case TYPE.pound:
        return ['#'];
      case TYPE.plural:
        return [
          'p',
          element.value,
          element.offset ?? 0,
          element.pluralType === 'ordinal' ? 1 : 0,
          options(element.options, write),
        ];
      case TYPE.select:
        return ['s', element.value, options(element.options, write)];
      default:
        throw new Error(
          `ICU element ${TYPE[element.type]} is not used here; dates and money are formatted before`,
        );
    }
  });
}

/**
 * @param {Record<string, import('@formatjs/icu-messageformat-parser').PluralOrSelectOption>} all
 * @param {(text: string) => string} write
 */
function options(all, write) {
  return Object.fromEntries(Object.entries(all).map(([name, option]) => [name, parts(option.value, write)]));
}

/**
 * @param {string} text
 * @param {(text: string) => string} [write]
 */
export function compile(text, write = (value) => value) {
  const compiled = parts(parse(text, { ignoreTag: true, requiresOtherClause: true }), write);
  return compiled.length === 1 && typeof compiled[0] === 'string' ? compiled[0] : compiled;
}

/** @param {string} text */
export function pseudo(text) {
  const accented = [...text].map((c) => ACCENTS.get(c) ?? c).join('');
  const letters = text.replace(/[^\p{L}]/gu, '').length;
  return letters > 2 ? `${accented}${'~'.repeat(Math.ceil(letters * 0.4))}` : accented;
}

/**
 * The arguments of one message and their types, for the typed keys.
 * @param {string} text
 * @returns {Map<string, string>}
 */
export function argumentsOf(text) {
  /** @type {Map<string, string>} */
  const found = new Map();
  /** @param {import('@formatjs/icu-messageformat-parser').MessageFormatElement[]} elements */
  const visit = (elements) => {
    for (const element of elements) {
      if (element.type === TYPE.argument && !found.has(element.value))
        found.set(element.value, 'string | number');
      if (element.type === TYPE.number) found.set(element.value, 'number');
      if (element.type === TYPE.plural) found.set(element.value, 'number');
      if (element.type === TYPE.select) found.set(element.value, 'string');
      if (element.type === TYPE.plural || element.type === TYPE.select) {
        for (const option of Object.values(element.options)) visit(option.value);
      }
    }
  };
  visit(parse(text, { ignoreTag: true }));
  return found;
}

/** @param {string} root @param {string} language @returns {Record<string, string>} */
export function source(root, language) {
  return JSON.parse(readFileSync(join(root, 'messages', `${language}.json`), 'utf8'));
}

/** The text of src/i18n/keys.ts. @param {string} root */
export function keysModule(root) {
  const lines = Object.entries(source(root, 'en')).map(([key, text]) => {
    const args = [...argumentsOf(text)].map(([name, type]) => `${name}: ${type}`).join('; ');
    return `  '${key}': ${args ? `{ ${args} }` : 'undefined'};`;
  });
  return [
    '// Written by the build from messages/en.json; do not edit.',
    '/* eslint-disable */',
    'export interface MessageArguments {',
    ...lines,
    '}',
    '',
  ].join('\n');
}

/** The messages of a language in the order of English's keys: the keys themselves are in the product once, not once a language. */
/** @param {string} root @param {string} language */
export function catalogue(root, language) {
  const write = language === PSEUDO ? pseudo : undefined;
  const texts = source(root, language === PSEUDO ? 'en' : language);
  return Object.keys(source(root, 'en')).map((key) => compile(texts[key] ?? key, write));
}

/** @param {string} root @returns {import('vite').Plugin} */
export function messages(root) {
  const prefix = 'virtual:messages/';
  const writeKeys = () => {
    const file = join(root, 'src/i18n/keys.ts');
    const text = keysModule(root);
    let before = '';
    try {
      before = readFileSync(file, 'utf8');
    } catch {
      // First build: there is nothing to compare with.
    }
    if (before !== text) writeFileSync(file, text);
  };
  return {
    name: 'bwana-messages',
    resolveId: (id) => (id.startsWith(prefix) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${prefix}`)) return undefined;
      const language = id.slice(prefix.length + 1);
      if (language === 'keys') {
        this.addWatchFile(join(root, 'messages', 'en.json'));
        return `export default ${JSON.stringify(Object.keys(source(root, 'en')).join(' '))}.split(' ')`;
      }
      this.addWatchFile(join(root, 'messages', `${language === PSEUDO ? 'en' : language}.json`));
      return `export default ${JSON.stringify(catalogue(root, language))}`;
    },
    configureServer(server) {
      writeKeys();
      server.watcher.on('change', (file) => file.endsWith('messages/en.json') && writeKeys());
    },
  };
}
