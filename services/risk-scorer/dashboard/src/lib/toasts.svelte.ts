import { untrack } from 'svelte';
import { ApiError } from './problem';
import { common } from './i18n/common';

export interface Toast {
  id: number;
  tone: 'ok' | 'error' | 'info';
  text: string;
  /** Small print, such as the request's id. */
  note?: string | undefined;
  action?: { label: string; run: () => void } | undefined;
}

const SHOWN_MS = 6_000;

/** Short notices at the corner; read out by screen readers. An error stays until it is dismissed. */
class Toasts {
  shown = $state.raw<readonly Toast[]>([]);
  #next = 1;

  ok(text: string): void {
    this.add({ tone: 'ok', text });
  }

  /** What went wrong, in the server's words, with the request's id. */
  error(error: unknown): void {
    if (error instanceof ApiError) {
      const text = error.code === 'network' ? common('error_network') : error.detail;
      this.add({
        tone: 'error',
        text,
        note: error.requestId ? common('request_id', { id: error.requestId }) : undefined,
      });
    } else {
      this.add({ tone: 'error', text: common('error'), note: String(error) });
    }
  }

  add(toast: Omit<Toast, 'id'>, milliseconds = toast.tone === 'error' ? 0 : SHOWN_MS): number {
    const id = this.#next++;
    this.shown = [...untrack(() => this.shown).slice(-3), { ...toast, id }];
    if (milliseconds > 0) setTimeout(() => this.dismiss(id), milliseconds);
    return id;
  }

  dismiss(id: number): void {
    this.shown = untrack(() => this.shown).filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
