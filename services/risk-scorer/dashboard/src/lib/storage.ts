/** What the browser remembers for this user; a browser that forbids it (private mode, policy) just forgets. */
export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(`counterfoil.${key}`);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`counterfoil.${key}`, value);
  } catch {
    // Nothing else depends on it.
  }
}
