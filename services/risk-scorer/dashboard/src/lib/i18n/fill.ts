/**
 * Puts values where a text names them: `{name}` is the value, a number with the language's digit groups, and
 * `{n|case|cases}` is the first word when `n` is one and the second otherwise.
 */
export function fill(text: string, values: Record<string, string | number>, locale: string): string {
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, many?: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    if (one !== undefined && many !== undefined) return value === 1 ? one : many;
    return typeof value === 'number' ? value.toLocaleString(locale) : value;
  });
}
