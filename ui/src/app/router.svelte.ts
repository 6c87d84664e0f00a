// Where the window is: history, with the scroll and the focus of each place. Screens read `router.route` and call `go`.
import { tick } from 'svelte';
import { hrefOf, parseRoute, type Route } from '../lib/route';

interface Entry {
  id: number;
}

interface Kept {
  scroll: Record<string, number>;
  focus: string | undefined;
}

const KEPT_KEY = 'bwana.places';
const KEPT_ENTRIES = 50;

/** Asked before the window goes elsewhere; true: it stays, until `goOn` is called. */
type Guard = (goOn: () => void) => boolean;

class Router {
  #route = $state.raw<Route>(parseRoute(location.pathname + location.search));
  #kept = new Map<number, Kept>();
  #id = 0;
  #last = 0;
  #guard: Guard | undefined;

  get route(): Route {
    return this.#route;
  }

  start(): () => void {
    history.scrollRestoration = 'manual';
    try {
      this.#kept = new Map(JSON.parse(sessionStorage.getItem(KEPT_KEY) ?? '[]') as [number, Kept][]);
    } catch {
      // Places of an older version are forgotten.
    }
    this.#last = Math.max(0, ...this.#kept.keys());
    const entry = history.state as Entry | null;
    this.#id = entry?.id ?? ++this.#last;
    this.#last = Math.max(this.#last, this.#id);
    history.replaceState({ id: this.#id }, '', hrefOf(this.#route));
    const onPop = (event: PopStateEvent) => {
      this.#remember();
      this.#id = (event.state as Entry | null)?.id ?? ++this.#last;
      this.#show(parseRoute(location.pathname + location.search), true);
    };
    const onHide = () => {
      this.#remember();
      sessionStorage.setItem(KEPT_KEY, JSON.stringify([...this.#kept].slice(-KEPT_ENTRIES)));
    };
    addEventListener('popstate', onPop);
    addEventListener('pagehide', onHide);
    void this.#restore();
    return () => {
      removeEventListener('popstate', onPop);
      removeEventListener('pagehide', onHide);
    };
  }

  go(route: Route): void {
    const href = hrefOf(route);
    if (href === location.pathname + location.search) return;
    if (this.#guard?.(() => this.#enter(route, href))) return;
    this.#enter(route, href);
  }

  /**
   * Lets a screen ask before it is left for another place. Back, forward and a reload are not asked: what must outlive them
   * is kept as a draft. Returns the removal.
   */
  guard(guard: Guard): () => void {
    this.#guard = guard;
    return () => {
      if (this.#guard === guard) this.#guard = undefined;
    };
  }

  #enter(route: Route, href: string): void {
    this.#remember();
    this.#id = ++this.#last;
    history.pushState({ id: this.#id }, '', href);
    this.#show(route, false);
  }

  /** Changes the address of this place without a new entry: a lens, a selection. */
  replace(route: Route): void {
    history.replaceState({ id: this.#id }, '', hrefOf(route));
    this.#route = route;
  }

  back(): void {
    history.back();
  }

  forward(): void {
    history.forward();
  }

  #show(route: Route, again: boolean): void {
    const other = this.#route.name !== route.name;
    this.#route = route;
    if (again) void this.#restore();
    else if (other) void this.#begin();
  }

  #remember(): void {
    const scroll: Record<string, number> = {};
    for (const pane of document.querySelectorAll<HTMLElement>('[data-scroll]'))
      scroll[pane.dataset['scroll'] ?? ''] = pane.scrollTop;
    this.#kept.set(this.#id, { scroll, focus: document.activeElement?.id || undefined });
  }

  /** A new screen begins at its heading, so that a screen reader says where it is. */
  async #begin(): Promise<void> {
    await tick();
    if (document.querySelector('main [autofocus]')?.contains(document.activeElement)) return;
    document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
  }

  async #restore(): Promise<void> {
    const kept = this.#kept.get(this.#id);
    if (!kept) return;
    await tick();
    for (const pane of document.querySelectorAll<HTMLElement>('[data-scroll]')) {
      const top = kept.scroll[pane.dataset['scroll'] ?? ''];
      if (top !== undefined) pane.scrollTop = top;
    }
    if (kept.focus) document.getElementById(kept.focus)?.focus({ preventScroll: true });
  }
}

export const router = new Router();

/** For links: an ordinary click stays in the window, a modified one is the browser's. */
export function follow(route: Route): { href: string; onclick: (event: MouseEvent) => void } {
  return {
    href: hrefOf(route),
    onclick(event) {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
      event.preventDefault();
      router.go(route);
    },
  };
}
