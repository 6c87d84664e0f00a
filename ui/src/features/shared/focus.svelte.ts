// Keeps the focus where the person is when what held it goes away.
import { tick } from 'svelte';

/** Whenever `watched` changes: if the focus was inside `root` and its holder is gone, `root` takes it. Called while a component is made. */
export function holdFocus(root: () => HTMLElement | undefined, watched: () => unknown): void {
  $effect.pre(() => {
    void watched();
    const node = root();
    if (!node?.contains(document.activeElement)) return;
    void tick().then(() => {
      if (document.activeElement === document.body) node.focus({ preventScroll: true });
    });
  });
}
