import { api } from './api';
import { stream } from './stream.svelte';

/** The merchants that there are, read once; the live board knows those of today, where the list is not for this role. */
class Merchants {
  #known = $state.raw<ReadonlyMap<string, string>>(new Map());
  #asked = false;

  get #all(): ReadonlyMap<string, string> {
    if (!this.#asked) {
      this.#asked = true;
      void this.#read();
    }
    if (this.#known.size > 0) return this.#known;
    return new Map(stream.board?.merchants.map(({ merchant_id, name }) => [merchant_id, name]) ?? []);
  }

  /** A merchant's name, or its id while the name is not known. */
  nameOf(id: string): string {
    return this.#all.get(id) ?? id;
  }

  /** For a choice, with words for all of them where that is one; `kept` is among them though nobody knows it. */
  options(all: string | null, kept = ''): { value: string; label: string }[] {
    const options = [...this.#all].map(([value, label]) => ({ value, label }));
    if (kept && !this.#all.has(kept)) options.push({ value: kept, label: kept });
    return all === null ? options : [{ value: '', label: all }, ...options];
  }

  async #read(): Promise<void> {
    // Names outlive the page that asked first.
    const { signal } = new AbortController();
    try {
      const { data } = await api.get('/v1/merchants', { query: { limit: 200 }, signal });
      this.#known = new Map(data.map((merchant) => [merchant.id, merchant.name]));
    } catch {
      // The board's names stand in.
    }
  }
}

export const merchants = new Merchants();
