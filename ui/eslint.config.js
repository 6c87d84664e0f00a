// What must not be written, each with the reason in its message. Type errors are svelte-check's.
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

const tauri = {
  group: ['@tauri-apps/*'],
  message: 'Only src/platform knows what holds the window; ask the Platform.',
};
const html = [
  {
    selector: 'MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML|srcdoc)$/]',
    message: 'Text from a model must never be read as HTML; draw it with components.',
  },
  {
    selector: "CallExpression[callee.property.name='insertAdjacentHTML']",
    message: 'Text from a model must never be read as HTML; draw it with components.',
  },
  { selector: 'ExportDefaultDeclaration', message: 'Exports have names, so that a search finds every user.' },
  { selector: 'ExportAllDeclaration', message: 'No barrels: import from the file that has the thing.' },
];
const staticStyle = {
  selector: "SvelteAttribute[key.name='style']",
  message: 'The policy forbids style attributes; use a class or a style: directive.',
};
const intl = {
  selector:
    "MemberExpression[object.name='Intl'], MemberExpression[property.name=/^toLocale(String|DateString|TimeString)$/]",
  message: 'Only src/lib/format.ts formats, from the settings of the person.',
};

export default ts.config(
  {
    ignores: [
      'ui/dist/**',
      'ui/dist-gallery/**',
      'ui/src/i18n/keys.ts',
      'tests/ui/results/**',
      'ui/src/bindings/**',
    ],
  },
  ...ts.configs.recommended,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node, __WITH_GALLERY__: 'readonly' } },
    rules: {
      'no-undef': 'off',
      'no-console': ['error', { allow: ['warn', 'error'] }],
      eqeqeq: 'error',
      'no-eval': 'error',
      'no-new-func': 'error',
      'no-implied-eval': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-restricted-imports': ['error', { patterns: [tauri] }],
      'no-restricted-syntax': ['error', ...html, intl],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
    rules: {
      'svelte/no-at-html-tags': 'error',
      'no-restricted-syntax': ['error', ...html, intl, staticStyle],
      'svelte/button-has-type': 'off',
      'svelte/no-navigation-without-resolve': 'off',
      'svelte/require-each-key': 'error',
    },
  },
  {
    files: ['ui/src/lib/format.ts'],
    rules: { 'no-restricted-syntax': ['error', ...html] },
  },
  {
    files: ['ui/src/platform/**'],
    rules: { 'no-restricted-imports': 'off' },
  },
  {
    // Tiers: parts know nothing of the app; features compose parts and do not know each other; the app places features.
    files: ['ui/src/components/**', 'ui/src/lib/**', 'ui/src/i18n/**', 'ui/src/theme/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            tauri,
            {
              regex: '^(\\.\\./)+(app|features|state|platform)/|^\\$ui/(app|features|state|platform)/',
              message: 'Parts and plain logic know nothing of the app above them.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['ui/src/features/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            tauri,
            {
              regex:
                '^\\.\\./\\.\\./(features/|app/(?!router|screens|links))|^\\.\\./(?!\\.\\.|shared/)|^\\$ui/features/',
              message:
                'Features do not import each other; shared things live in features/shared, components, state or lib.',
            },
          ],
        },
      ],
    },
  },
  { files: ['**/*.d.ts'], rules: { 'no-restricted-syntax': 'off' } },
  {
    files: ['ui/scripts/**', 'ui/build/**', 'tests/ui/**'],
    rules: { 'no-console': 'off', 'no-restricted-syntax': ['error', ...html] },
  },
  {
    files: ['ui/*.config.ts', 'ui/*.config.js', 'tests/ui/**/*.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
