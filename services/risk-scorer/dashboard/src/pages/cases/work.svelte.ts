import { api } from '../../lib/api';
import { cases as t } from '../../lib/i18n/cases';
import { href, router } from '../../lib/router.svelte';
import { session } from '../../lib/session.svelte';
import { toasts } from '../../lib/toasts.svelte';
import { undo } from '../../lib/undo.svelte';
import { byUrgency } from './order';
import { forgetCase, know, warm, type CaseView } from './reads';

/** A step that can be taken back: the case's last one, by this user. */
interface Done {
  id: string;
  queue: string;
  at: number;
}

/** How long the server lets a step be taken back. */
const UNDO_MS = 10 * 60_000;
/** The next cases that are read ahead. */
const WARM = 2;

/** What this user did in this tab, so that `u` takes it back step by step. */
class Work {
  #done = $state.raw<readonly Done[]>([]);
  /** The case that `next` gave and that nothing was done with yet: it is let go when a step before it is taken back. */
  #fresh: string | null = null;

  get undoable(): boolean {
    const last = this.#done.at(-1);
    return last !== undefined && Date.now() - last.at < UNDO_MS;
  }

  /** Says that a step was taken, and how it is taken back. */
  did(id: string, queue: string, text: string): void {
    const done = { id, queue, at: Date.now() };
    this.#done = [...this.#done.slice(-49), done];
    if (this.#fresh === id) this.#fresh = null;
    undo.offer(text, () => this.#takeBack(done));
  }

  async takeBackLast(): Promise<void> {
    const last = this.#done.at(-1);
    if (last) await this.#takeBack(last);
  }

  /** Takes the most urgent case and opens it; false where none is open. */
  async next(queue: string): Promise<boolean> {
    const taken = (await api.post('/v1/risk/cases/next', { body: { queue: queue || null, merchant_id: null } })) as
      CaseView | undefined;
    if (!taken) {
      toasts.ok(t('none_open'));
      router.go(href('/cases', null, { queue }));
      return false;
    }
    await know(taken);
    this.#fresh = taken.id;
    this.open(taken.id, queue);
    void this.lookAhead(queue);
    return true;
  }

  open(id: string, queue: string): void {
    router.go(href('/cases/:id', { id }, { queue }));
  }

  /** Reads the cases that come next, before they are asked for. */
  async lookAhead(queue: string): Promise<void> {
    const query = { state: 'open', queue: queue || undefined, limit: 200 };
    try {
      const { data } = await api.get('/v1/risk/cases', { query });
      await Promise.all(
        data
          .toSorted(byUrgency)
          .slice(0, WARM)
          .map((row) => warm(row.id)),
      );
    } catch {
      // Nobody waits for it: who opens the case reads it then, and sees what is wrong.
    }
  }

  async #takeBack(done: Done): Promise<void> {
    await api.post('/v1/risk/cases/{id}/undo', { params: { id: done.id }, body: {} });
    this.#done = this.#done.filter((each) => each !== done);
    forgetCase(done.id);
    const fresh = this.#fresh;
    this.#fresh = null;
    const here = router.path === `/cases/${done.id}`;
    if (here) this.#changed(done.id);
    else this.open(done.id, done.queue);
    if (fresh && fresh !== done.id) {
      await api.post('/v1/risk/cases/{id}/release', { params: { id: fresh }, body: {} });
      forgetCase(fresh);
    }
  }

  #listeners = new Set<(id: string) => void>();

  /** Calls back when a case changed by something that its page did not do; returns how to stop. */
  onChange(listener: (id: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(id: string): void {
    for (const listener of this.#listeners) listener(id);
  }
}

export const work = new Work();

/** Who, as people say it: the user's own id is `you`. The server names others by their ids. */
export function whoOf(id: string | null | undefined): string {
  if (!id) return '';
  return id === session.user?.id ? t('you') : id;
}
