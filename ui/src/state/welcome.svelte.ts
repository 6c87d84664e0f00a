// Whether the window begins with the four steps for a new person: at the first start only, and when asked for again.
import type { RunList } from '../bindings/types';
import type { Session } from './session.svelte';

const KEY = 'bwana.welcomed';

class Welcome {
  open = $state(false);

  /** Opens where nobody has worked yet: no run, no mark of an earlier welcome, and a person who may set things. */
  async look(session: Session): Promise<void> {
    if (localStorage.getItem(KEY) !== null || !session.platform.capabilities.decide) return;
    if (session.today.get('today')?.runs !== 0) return;
    try {
      const { value } = await session.platform.rpc<RunList>('run.list', { limit: 1 });
      this.open = value.total === 0 && localStorage.getItem(KEY) === null;
    } catch {
      // Whoever cannot be asked is not new.
    }
  }

  /** Over: done, or wanted no more. */
  close(): void {
    localStorage.setItem(KEY, '1');
    this.open = false;
  }

  again(): void {
    this.open = true;
  }
}

export const welcome = new Welcome();
