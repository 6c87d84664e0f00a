// Chooses the theme before the first paint and follows the system's choice while the window is open.
// It stands alone (no imports) because it must run before any module; `src/theme/theme.ts` writes the choice it reads.
(() => {
  const KEY = 'bwana.theme';
  const CHOICES = ['system', 'light', 'dark', 'hc-light', 'hc-dark'];
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const more = matchMedia('(prefers-contrast: more)');
  const chosen = () => {
    try {
      const value = localStorage.getItem(KEY);
      return CHOICES.includes(value) ? value : 'system';
    } catch {
      return 'system';
    }
  };
  const apply = () => {
    const choice = chosen();
    const shade = dark.matches ? 'dark' : 'light';
    document.documentElement.dataset.theme =
      choice !== 'system' ? choice : more.matches ? `hc-${shade}` : shade;
  };
  apply();
  dark.addEventListener('change', apply);
  more.addEventListener('change', apply);
  // `storage` reaches the other windows, `bwana:theme` this one.
  addEventListener('storage', (event) => event.key === KEY && apply());
  addEventListener('bwana:theme', apply);
})();
