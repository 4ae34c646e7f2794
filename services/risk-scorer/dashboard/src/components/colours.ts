import { preferences } from '../lib/preferences.svelte';

/** A token of the theme that is shown as a colour that a canvas can draw: `colour('series-4')`. Follows the theme. */
export function colour(token: string): string {
  void preferences.shown;
  return getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim();
}
