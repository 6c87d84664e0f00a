// Short notes about things already done that can be undone. Never a decision, never an error that needs one.
import type { IconName } from './icons';

export interface Toast {
  id: number;
  text: string;
  icon: IconName;
  action?: { label: string; run: () => void };
  /** Until it is closed: it holds what would be gone with it. */
  stays?: boolean;
}

const SHOWN_MS = 6_000;
const MOST = 3;

class Toasts {
  list = $state.raw<Toast[]>([]);
  #next = 1;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  show(toast: Omit<Toast, 'id' | 'icon'> & { icon?: IconName }): void {
    const id = this.#next++;
    this.list = [...this.list, { icon: 'check', ...toast, id } as Toast].slice(-MOST);
    this.release(id);
  }

  close(id: number): void {
    this.hold(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  /** It stays while the pointer or the focus is on it. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  release(id: number): void {
    this.hold(id);
    if (this.list.find((toast) => toast.id === id)?.stays) return;
    this.#timers.set(
      id,
      setTimeout(() => this.close(id), SHOWN_MS),
    );
  }
}

export const toasts = new Toasts();
