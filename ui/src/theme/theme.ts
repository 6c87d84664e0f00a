// The theme a person chose. `public/theme.js` applies it before the first paint; this module only remembers and announces.
export const THEME_CHOICES = ['system', 'light', 'dark', 'hc-light', 'hc-dark'] as const;
export type ThemeChoice = (typeof THEME_CHOICES)[number];

const KEY = 'bwana.theme';

export function themeChoice(): ThemeChoice {
  const value = localStorage.getItem(KEY);
  return THEME_CHOICES.find((choice) => choice === value) ?? 'system';
}

export function chooseTheme(choice: ThemeChoice): void {
  localStorage.setItem(KEY, choice);
  dispatchEvent(new Event('bwana:theme'));
}
