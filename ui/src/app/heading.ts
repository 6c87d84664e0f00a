// Puts the focus on the heading of a screen that may still be on its way.
const TRIES = 60;

/** Where something has the focus by itself, it keeps it. */
export async function toHeading(): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    await new Promise(requestAnimationFrame);
    if (document.activeElement !== document.body) return;
    const heading = document.querySelector<HTMLElement>('main h1');
    if (!heading) continue;
    heading.focus({ preventScroll: true });
    return;
  }
}
