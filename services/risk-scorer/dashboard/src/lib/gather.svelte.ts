import { isAbort } from './api';

/** Many reads of one kind, a few at a time; each shows as it comes. */
export interface Gathered<T> {
  readonly found: ReadonlyMap<string, T>;
  readonly loading: boolean;
  /** The first refusal; what came stays. */
  readonly error: unknown;
  /** When the newest came, in milliseconds. */
  readonly at: number;
  reload(): void;
}

const AT_ONCE = 3;

/**
 * Reads one thing for each of `keys`, and all of them again when what `keys` or `read` look at changes.
 */
export function gather<T>(
  keys: () => readonly string[],
  read: (key: string, signal: AbortSignal) => Promise<T>,
): Gathered<T> {
  let found = $state.raw<ReadonlyMap<string, T>>(new Map());
  let loading = $state(false);
  let error = $state.raw<unknown>(null);
  let at = $state(0);
  let rounds = $state(0);

  async function work(queue: string[], running: AbortController, readOne: (key: string) => Promise<T>): Promise<void> {
    for (let key = queue.shift(); key !== undefined; key = queue.shift()) {
      try {
        const one = await readOne(key);
        if (running.signal.aborted) return;
        [found, at] = [new Map(found).set(key, one), Date.now()];
      } catch (failure) {
        if (running.signal.aborted || isAbort(failure)) return;
        error ??= failure;
      }
    }
  }

  $effect(() => {
    void rounds;
    const wanted = [...new Set(keys())];
    const running = new AbortController();
    // The first reads run here, so that what they look at is followed.
    const first = wanted.slice(0, AT_ONCE).map((key) => ({ key, answer: read(key, running.signal) }));
    const rest = wanted.slice(AT_ONCE);
    loading = wanted.length > 0;
    error = null;
    const lines = first.map(async ({ key, answer }) => {
      await work([key], running, () => answer);
      await work(rest, running, (next) => read(next, running.signal));
    });
    void Promise.all(lines).then(() => {
      if (!running.signal.aborted) loading = false;
    });
    return () => running.abort();
  });

  return {
    get found() {
      return found;
    },
    get loading() {
      return loading;
    },
    get error() {
      return error;
    },
    get at() {
      return at;
    },
    reload: () => rounds++,
  };
}
