// What lies over the window when asked for: the palette and the sheet of keys. They are loaded when first wanted.
import type { Shortcut, ShortcutRegistry } from '../lib/shortcuts';

class Over {
  palette = $state(false);
  keys = $state(false);
  /** What could be done when the palette was opened: it has the focus itself now, and some acts look for that. */
  acts = $state.raw<readonly Shortcut[]>([]);
  /** What had the focus then. */
  before: HTMLElement | undefined;

  openPalette(shortcuts: ShortcutRegistry): void {
    if (this.palette) return;
    this.acts = shortcuts.applicable();
    this.before = document.activeElement instanceof HTMLElement ? document.activeElement : undefined;
    this.palette = true;
  }
}

export const over = new Over();

/** Another question stands over the window: it is answered first. */
const asked = () => document.querySelector('[role="dialog"], [role="alertdialog"]') !== null;

export function registerOver(shortcuts: ShortcutRegistry): () => void {
  const removals = [
    shortcuts.on(
      'view.palette',
      () => over.openPalette(shortcuts),
      () => !asked(),
    ),
    shortcuts.on(
      'view.keys',
      () => (over.keys = true),
      () => !asked(),
    ),
  ];
  return () => removals.forEach((remove) => remove());
}
