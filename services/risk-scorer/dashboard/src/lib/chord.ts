/** What a key press is called in bindings; null for a modifier alone and for what belongs to the browser. */
export function chordOf(
  event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>,
): string | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  if (['Shift', 'Control', 'Alt', 'Meta', 'Dead', 'Process', 'Unidentified'].includes(event.key)) return null;
  // Shift is part of a printed character (`?`), and of a letter only in its case, which caps lock changes too.
  if (event.key.length > 1) return event.shiftKey ? `Shift+${event.key}` : event.key;
  return event.shiftKey ? event.key : event.key.toLowerCase();
}

/** True where keys are text: fields, and what can be edited in place. */
export function typesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.shadowRoot?.activeElement) return true;
  if (target instanceof HTMLInputElement)
    return !['checkbox', 'radio', 'button', 'submit', 'range'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
