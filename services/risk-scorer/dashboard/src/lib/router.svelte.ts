import type { Component } from 'svelte';
import type { IconName } from '../components/icons';
import { fillPath, match, parseHash, queryText, type ParamNames, type Params, type Query } from './match';
import type { Role } from './session.svelte';

export type { Params, Query };

/** What every page component is given; the query is read from `router.query`. */
export interface PageProps<P extends string = string> {
  params: Params<P>;
}

/** A page without parameters takes no properties. */
type PageOf<P extends string> = [ParamNames<P>] extends [never]
  ? Component<Record<string, never>>
  : Component<PageProps<P>>;

export interface Route {
  pattern: string;
  title: () => string;
  load: () => Promise<{ default: Component<{ params: never }> }>;
  /** Who may open it; without it, everybody who is signed in. */
  roles?: readonly Role[];
  /** Where it stands in the navigation; without it, it is reached from other pages. */
  nav?: { group: NavGroup; icon: IconName; key?: string };
}

export type NavGroup = 'watch' | 'work' | 'decide' | 'merchant' | 'run';

/** A line of the registry; the pattern's parameters are checked against the page's. */
export function page<P extends string>(
  pattern: P,
  load: () => Promise<{ default: PageOf<P> }>,
  about: Omit<Route, 'pattern' | 'load'>,
): Route {
  return { pattern, load: load as unknown as Route['load'], ...about };
}

/** A link to a page: `href('/cases/:id', { id })`, with a query where there is one. */
export function href<P extends string>(
  pattern: P,
  ...rest: [ParamNames<P>] extends [never]
    ? [params?: null, query?: Parameters<typeof queryText>[0]]
    : [params: Params<P>, query?: Parameters<typeof queryText>[0]]
): string {
  const [params, query] = rest;
  return `#${fillPath(pattern, params ?? {})}${queryText(query ?? {})}`;
}

class Router {
  #at = $state.raw(parseHash(location.hash));
  #abort = new AbortController();

  constructor() {
    addEventListener('hashchange', () => this.#move());
  }

  get path(): string {
    return this.#at.path;
  }

  get query(): Query {
    return this.#at.query;
  }

  /** Ends with the page: reads that a left page began are of no use to anybody. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  go(hash: string, options: { replace?: boolean } = {}): void {
    const url = hash.startsWith('#') ? hash : `#${hash}`;
    if (options.replace) history.replaceState(null, '', url);
    else history.pushState(null, '', url);
    this.#move();
  }

  /** Changes some of the query and keeps the rest; the page stays, and so does its state. */
  setQuery(change: Parameters<typeof queryText>[0], options: { replace?: boolean } = { replace: true }): void {
    this.go(`#${this.path}${queryText({ ...this.query, ...change })}`, options);
  }

  find(routes: readonly Route[], path: string): { route: Route; params: Params<string> } | null {
    for (const route of routes) {
      const params = match(route.pattern, path);
      if (params) return { route, params };
    }
    return null;
  }

  #move(): void {
    const next = parseHash(location.hash);
    if (next.path !== this.path) {
      this.#abort.abort();
      this.#abort = new AbortController();
    }
    this.#at = next;
  }
}

export const router = new Router();
