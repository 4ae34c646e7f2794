import { send } from './api';
import { session } from './session.svelte';

interface Person {
  id: string;
  name: string;
  display_name: string;
}

/** The names of users, read once and again when an id comes that is not known. Keys stay ids. */
class People {
  #known = $state.raw<ReadonlyMap<string, Person>>(new Map());
  #asked = new Set<string>();

  /** How people call whoever has this id; the id where there is no name to it. */
  nameOf(id: string): string {
    if (session.user?.id === id) return session.user.display_name;
    const known = this.#known.get(id);
    if (known) return known.display_name || known.name;
    if (id.startsWith('usr_') && !this.#asked.has(id)) {
      this.#asked.add(id);
      void this.#read();
    }
    return id;
  }

  async #read(): Promise<void> {
    // Names outlive the page that asked first.
    const { signal } = new AbortController();
    try {
      const { data } = await send<{ data: Person[] }>('get', '/v1/users', { query: { limit: 200 }, signal });
      this.#known = new Map(data.map((person) => [person.id, person]));
    } catch {
      // Who may not see users sees their ids.
    }
  }
}

export const people = new People();
