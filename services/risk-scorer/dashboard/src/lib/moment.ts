import { preferences } from './preferences.svelte';

/** RFC 3339 as a `datetime-local` field has it, to the second, in the zone that the user chose. */
export function toField(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return '';
  const shift = preferences.zone === 'UTC' ? 0 : date.getTimezoneOffset() * 60_000;
  return new Date(date.getTime() - shift).toISOString().slice(0, 19);
}

/** The moment that a `datetime-local` field names; empty for none. */
export function fromField(text: string): string {
  const date = new Date(preferences.zone === 'UTC' ? `${text}Z` : text);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}
