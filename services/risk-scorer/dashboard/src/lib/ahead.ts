interface Kept {
  at: number;
  value: Promise<unknown>;
}

/** Older than this, an answer is asked for again. */
const KEEP_MS = 60_000;
/** The oldest go beyond this many. */
const MOST = 240;

/**
 * Reads that are begun before they are needed, so that the next page finds them there. What fails is not kept, and who
 * changes something forgets what is known of it.
 */
export class Ahead {
  readonly #kept = new Map<string, Kept>();

  constructor(private readonly now: () => number = Date.now) {}

  /** The answer that is there or on its way, else a new one. */
  take<T>(key: string, read: () => Promise<T>): Promise<T> {
    const found = this.#kept.get(key);
    if (found && this.now() - found.at < KEEP_MS) return found.value as Promise<T>;
    const value = read();
    this.#keep(key, value);
    value.catch(() => {
      if (this.#kept.get(key)?.value === value) this.#kept.delete(key);
    });
    return value;
  }

  /** What is known without asking, such as a write's answer. */
  put<T>(key: string, value: T): void {
    this.#keep(key, Promise.resolve(value));
  }

  forget(key: string): void {
    this.#kept.delete(key);
  }

  clear(): void {
    this.#kept.clear();
  }

  #keep(key: string, value: Promise<unknown>): void {
    this.#kept.delete(key);
    this.#kept.set(key, { at: this.now(), value });
    if (this.#kept.size <= MOST) return;
    const oldest = this.#kept.keys().next();
    if (!oldest.done) this.#kept.delete(oldest.value);
  }
}
