// Where the window is: history, with the scroll and the focus of each place. Screens read `router.route` and call `go`.
import { tick } from 'svelte';
import { hrefOf, parseRoute, type Route } from '../lib/route';

interface Entry {
  id: number;
  /** How far from the first it is: so that one can be told how to come back from it. */
  index: number;
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
  #index = 0;
  /** The move of the history that is on its way is ours: back to where the person still is, or on to where it was wanted. */
  #moving: 'home' | 'on' | undefined;
  #guard: Guard | undefined;
  /** The beginning of a screen is over. */
  #ended: () => void = () => undefined;

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
    this.#index = entry?.index ?? 0;
    this.#stamp(hrefOf(this.#route));
    const onPop = (event: PopStateEvent) => {
      const to = event.state as Entry | null;
      if (this.#stays(to)) return;
      this.#remember();
      this.#id = to?.id ?? ++this.#last;
      this.#index = to?.index ?? this.#index + 1;
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

  /** Back and forward have happened when they are heard of: where the guard holds the window, they are undone. */
  #stays(to: Entry | null): boolean {
    const moving = this.#moving;
    this.#moving = undefined;
    if (moving === 'home') return true;
    const steps = (to?.index ?? this.#index + 1) - this.#index;
    if (moving === 'on' || steps === 0 || !this.#leaves()) return false;
    const move = (why: 'home' | 'on', by: number) => {
      this.#moving = why;
      history.go(by);
    };
    if (!this.#guard?.(() => move('on', steps))) return false;
    move('home', -steps);
    return true;
  }

  /** The address names another place by now, not another view of this one. */
  #leaves(): boolean {
    const place = (route: Route) => {
      const { name, id, edit } = { id: undefined, edit: undefined, ...route };
      return JSON.stringify([name, id, edit]);
    };
    return place(parseRoute(location.pathname + location.search)) !== place(this.#route);
  }

  /**
   * Lets a screen ask before it is left for another place, back and forward included. A reload is not asked: what must
   * outlive it is kept as a draft. Returns the removal.
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
    this.#index += 1;
    history.pushState({ id: this.#id, index: this.#index }, '', href);
    this.#show(route, false);
  }

  /** Changes the address of this place without a new entry: a lens, a selection. */
  replace(route: Route): void {
    this.#stamp(hrefOf(route));
    this.#route = route;
  }

  #stamp(href: string): void {
    history.replaceState({ id: this.#id, index: this.#index }, '', href);
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
    this.#ended();
    if (again) void this.#comeBack(other);
    else if (other) void this.#begin();
  }

  #remember(): void {
    const scroll: Record<string, number> = {};
    for (const pane of document.querySelectorAll<HTMLElement>('[data-scroll]'))
      scroll[pane.dataset['scroll'] ?? ''] = pane.scrollTop;
    this.#kept.set(this.#id, { scroll, focus: document.activeElement?.id || undefined });
  }

  /**
   * A new screen begins at its heading, so that a screen reader says where it is. Its code and what it shows may come late:
   * until the person does something, the heading of then takes over from one that went.
   */
  async #begin(): Promise<void> {
    this.#ended();
    await tick();
    let reached = this.#toHeading();
    const main = document.querySelector('main');
    if (!main) return;
    const watch = new MutationObserver(() => {
      const lost = !document.activeElement || document.activeElement === document.body;
      if (lost || !reached) reached = this.#toHeading();
    });
    watch.observe(main, { childList: true, subtree: true });
    const stop = new AbortController();
    const ended = () => {
      watch.disconnect();
      stop.abort();
    };
    for (const input of ['keydown', 'pointerdown'])
      addEventListener(input, ended, { capture: true, signal: stop.signal });
    this.#ended = ended;
  }

  #toHeading(): boolean {
    if (document.querySelector('main [autofocus]')?.contains(document.activeElement)) return true;
    const heading = document.querySelector<HTMLElement>('main h1');
    heading?.focus({ preventScroll: true });
    return heading !== null;
  }

  async #comeBack(other: boolean): Promise<void> {
    const found = await this.#restore();
    if (other && !found) await this.#begin();
  }

  /** Whether what had the focus there has it again. */
  async #restore(): Promise<boolean> {
    const kept = this.#kept.get(this.#id);
    if (!kept) return false;
    await tick();
    for (const pane of document.querySelectorAll<HTMLElement>('[data-scroll]')) {
      const top = kept.scroll[pane.dataset['scroll'] ?? ''];
      if (top !== undefined) pane.scrollTop = top;
    }
    const holder = kept.focus === undefined ? null : document.getElementById(kept.focus);
    holder?.focus({ preventScroll: true });
    return holder !== null;
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
