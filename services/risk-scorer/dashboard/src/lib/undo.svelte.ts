import { untrack } from 'svelte';
import { common } from './i18n/common';
import { toasts } from './toasts.svelte';

const OFFERED_MS = 10_000;

interface Offer {
  toast: number;
  run: () => Promise<void>;
}

/** What was done last and can be taken back: by the notice's button, or by `u`. */
class Undo {
  #offer = $state.raw<Offer | null>(null);

  get possible(): boolean {
    return this.#offer !== null;
  }

  /** Says that something was done, and for a while how it is taken back. */
  offer(text: string, run: () => Promise<void>): void {
    this.#drop();
    const action = { label: common('undo'), run: () => void this.now() };
    const offer: Offer = { toast: toasts.add({ tone: 'ok', text, action }, OFFERED_MS), run };
    this.#offer = offer;
    setTimeout(() => this.#offer === offer && (this.#offer = null), OFFERED_MS);
  }

  async now(): Promise<void> {
    const offer = this.#offer;
    if (!offer) return;
    this.#drop();
    try {
      await offer.run();
      toasts.ok(common('undone'));
    } catch (error) {
      toasts.error(error);
    }
  }

  #drop(): void {
    const offer = untrack(() => this.#offer);
    if (offer) toasts.dismiss(offer.toast);
    this.#offer = null;
  }
}

export const undo = new Undo();
