import { untrack } from 'svelte';
import { chordOf, typesText } from './chord';
import { common } from './i18n/common';

export interface Binding {
  /** A key (`j`, `/`, `?`, `Enter`, `Escape`) or two in a row (`g l`). */
  keys: string;
  /** What it does, as the help says it. */
  label: string;
  run: (event: KeyboardEvent) => void;
  /** False while it has nothing to do. */
  when?: () => boolean;
}

interface Layer {
  title: string;
  bindings: () => Binding[];
}

/** How long the first of two keys waits for the second. */
const SEQUENCE_MS = 1_000;

class Keyboard {
  #layers = $state.raw<readonly Layer[]>([]);
  helpOpen = $state(false);
  #first = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    addEventListener('keydown', (event) => this.#press(event));
  }

  /** What the help lists: the newest layer first. */
  get layers(): { title: string; bindings: Binding[] }[] {
    return this.#layers
      .map((layer) => ({ title: layer.title, bindings: layer.bindings().filter((each) => each.when?.() ?? true) }))
      .filter((layer) => layer.bindings.length > 0)
      .reverse();
  }

  add(layer: Layer): () => void {
    this.#layers = [...untrack(() => this.#layers), layer];
    return () => (this.#layers = this.#layers.filter((each) => each !== layer));
  }

  #press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing || typesText(event.target)) return;
    // A dialog has the keyboard to itself; it closes by Escape, which is the browser's.
    if (document.querySelector('dialog[open]')) return;
    const chord = chordOf(event);
    if (!chord) return;
    const wanted = this.#first ? [`${this.#first} ${chord}`, chord] : [chord];
    this.#forget();
    for (const keys of wanted) {
      if (this.#run(keys, event)) return;
    }
    if (this.#begins(chord)) this.#wait(chord);
  }

  #run(keys: string, event: KeyboardEvent): boolean {
    for (const layer of this.#layers.toReversed()) {
      const binding = layer.bindings().find((each) => each.keys === keys && (each.when?.() ?? true));
      if (!binding) continue;
      event.preventDefault();
      binding.run(event);
      return true;
    }
    return false;
  }

  #begins(chord: string): boolean {
    return this.#layers.some((layer) => layer.bindings().some((each) => each.keys.startsWith(`${chord} `)));
  }

  #wait(chord: string): void {
    this.#first = chord;
    this.#timer = setTimeout(() => this.#forget(), SEQUENCE_MS);
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#first = '';
  }
}

export const keyboard = new Keyboard();

/**
 * Binds keys while a component lives: `useKeys(() => [{ keys: 'a', label: t('allow'), run: allow }])`. A newer layer goes
 * before an older one. Keys typed into a field are never taken.
 */
export function useKeys(bindings: () => Binding[], title: () => string = () => common('scope_page')): void {
  $effect(() =>
    keyboard.add({
      get title() {
        return title();
      },
      bindings,
    }),
  );
}

/** Puts the cursor into the page's search field, the one marked `data-search`. */
export function focusSearch(): void {
  const field = document.querySelector<HTMLElement>('main [data-search]');
  field?.focus();
  if (field instanceof HTMLInputElement) field.select();
}
