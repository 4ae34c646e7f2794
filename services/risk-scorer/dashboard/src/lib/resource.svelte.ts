import { isAbort } from './api';
import { router } from './router.svelte';
import { session } from './session.svelte';

/** What a page shows of something that it reads: loading, the data, an error, or old data with an error. */
export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly loading: boolean;
  /** When `data` came, in milliseconds. */
  readonly at: number;
  reload(): Promise<void>;
  /** Shows what is known already, such as a write's answer, without reading again. */
  set(data: T): void;
}

/**
 * Reads now, and again whenever something reactive that `read` looks at changes (a parameter, the query); an older
 * read is ended by the newer. Call it while a component is set up. When a read fails, the data before it stays.
 */
export function resource<T>(read: (signal: AbortSignal) => Promise<T>): Resource<T> {
  let data = $state.raw<T>();
  let error = $state.raw<unknown>(null);
  let loading = $state(true);
  let at = $state(0);
  let running = new AbortController();

  async function run(): Promise<void> {
    running.abort();
    const mine = (running = new AbortController());
    const reading = read(mine.signal);
    loading = true;
    try {
      const found = await reading;
      if (running !== mine) return;
      [data, error, at] = [found, null, Date.now()];
    } catch (failure) {
      if (running !== mine || isAbort(failure)) return;
      error = failure;
    }
    loading = false;
  }

  $effect(() => {
    void session.renewals;
    void run();
    return () => running.abort();
  });

  return {
    get data() {
      return data;
    },
    get error() {
      return error;
    },
    get loading() {
      return loading;
    },
    get at() {
      return at;
    },
    reload: run,
    set: (value) => ([data, error, at] = [value, null, Date.now()]),
  };
}

export interface Page<T> {
  data: T[];
  next_cursor?: string | null;
}

export interface List<T> extends Omit<Resource<T[]>, 'data' | 'set'> {
  readonly rows: T[];
  /** False once the last page is loaded. */
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  more(): Promise<void>;
}

/** A list with a cursor: the first page as `resource`, and the next ones by `more()`. */
export function list<T>(read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>): List<T> {
  let rest = $state.raw<{ of: Page<T>; rows: T[]; next: string | null } | null>(null);
  let loadingMore = $state(false);
  let moreError = $state.raw<unknown>(null);
  const first = resource((signal) => read(undefined, signal));
  // Later pages belong to the first one that they followed; a new first page drops them.
  const later = $derived(rest && rest.of === first.data ? rest : null);
  const rows = $derived([...(first.data?.data ?? []), ...(later?.rows ?? [])]);
  const next = $derived(later ? later.next : (first.data?.next_cursor ?? null));

  async function more(): Promise<void> {
    const of = first.data;
    if (!of || next === null || loadingMore) return;
    loadingMore = true;
    try {
      const page = await read(next, router.signal);
      rest = { of, rows: [...(later?.rows ?? []), ...page.data], next: page.next_cursor ?? null };
      moreError = null;
    } catch (failure) {
      if (!isAbort(failure)) moreError = failure;
    } finally {
      loadingMore = false;
    }
  }

  return {
    get rows() {
      return rows;
    },
    get error() {
      return first.error ?? moreError;
    },
    get loading() {
      return first.loading;
    },
    get at() {
      return first.at;
    },
    get hasMore() {
      return next !== null;
    },
    get loadingMore() {
      return loadingMore;
    },
    more,
    reload: first.reload,
  };
}
