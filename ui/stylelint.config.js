// No raw colours outside the theme; logical properties only, so that right-to-left needs no second style sheet.
export default {
  extends: ['stylelint-config-standard'],
  plugins: ['stylelint-use-logical'],
  overrides: [
    { files: ['**/*.svelte'], customSyntax: 'postcss-html' },
    {
      files: ['src/theme/tokens.css', '**/theme/tokens.css'],
      rules: { 'color-no-hex': null, 'function-disallowed-list': null },
    },
  ],
  rules: {
    'color-no-hex': [true, { message: 'Colours live in theme/tokens.css' }],
    'color-named': ['never', { ignore: ['inside-function'], message: 'Colours live in theme/tokens.css' }],
    'function-disallowed-list': [
      ['rgb', 'rgba', 'hsl', 'hsla', 'oklch', 'color-mix'],
      { message: 'Colours live in theme/tokens.css' },
    ],
    'csstools/use-logical': ['always', { except: ['float', 'scroll-padding-top'] }],
    'font-family-name-quotes': null,
    'selector-class-pattern': null,
    'custom-property-pattern': null,
    'no-descending-specificity': null,
    'selector-pseudo-class-no-unknown': [true, { ignorePseudoClasses: ['global', 'dir'] }],
    'declaration-empty-line-before': null,
    'custom-property-empty-line-before': null,
    'comment-empty-line-before': null,
    'value-keyword-case': [
      'lower',
      {
        ignoreKeywords: ['Highlight', 'ButtonText', 'ButtonFace', 'GrayText', 'Canvas', 'CanvasText'],
        camelCaseSvgKeywords: false,
      },
    ],
    'property-no-vendor-prefix': null,
    'number-max-precision': 5,
    'declaration-property-value-no-unknown': null,
    'no-empty-source': null,
    'color-hex-length': null,
    'font-family-no-missing-generic-family-keyword': null,
  },
};
