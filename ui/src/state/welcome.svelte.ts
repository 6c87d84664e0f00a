// Whether the window begins with the four steps for a new person: at the first start only, and when asked for again. What was
// done and written in them stands here, so that neither another step nor a look elsewhere drops it.
import type { RunList } from '../bindings/types';
import type { Session } from './session.svelte';

const KEY = 'bwana.welcomed';

class Welcome {
  open = $state(false);
  /** Something else is looked at meanwhile; a line at the top leads back. */
  aside = $state(false);
  /** The step shown, from 0. */
  at = $state(0);
  /** Steps that set something; others were passed. */
  done = $state.raw<ReadonlySet<number>>(new Set());
  wish = $state('');

  /** The steps cover the window. */
  get covers(): boolean {
    return this.open && !this.aside;
  }

  /** Opens where nobody has worked yet: no run, no mark of an earlier welcome, and a person who may set things. */
  async look(session: Session): Promise<void> {
    if (localStorage.getItem(KEY) !== null || !session.platform.capabilities.decide) return;
    if (session.today.get('today')?.runs !== 0) return;
    try {
      const { value } = await session.platform.rpc<RunList>('run.list', { limit: 1 });
      if (value.total === 0 && localStorage.getItem(KEY) === null) this.again();
    } catch {
      // Whoever cannot be asked is not new.
    }
  }

  /** Over: done, or wanted no more. */
  close(): void {
    localStorage.setItem(KEY, '1');
    this.open = false;
    this.aside = false;
  }

  again(): void {
    [this.at, this.wish, this.done, this.aside] = [0, '', new Set(), false];
    this.open = true;
  }

  did(step: number): void {
    this.done = new Set([...this.done, step]);
  }
}

export const welcome = new Welcome();
