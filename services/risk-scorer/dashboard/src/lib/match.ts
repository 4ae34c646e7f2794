/** The names of a pattern's parameters: `'/subjects/:kind/:value'` has `kind` and `value`. */
export type ParamNames<P extends string> = P extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer After}`
    ? Name | ParamNames<After>
    : Rest
  : never;
export type Params<P extends string> = Record<ParamNames<P>, string>;
export type Query = Readonly<Record<string, string>>;

/** The parameters of `path` under `pattern`, or null. Both are split at `/` before anything is decoded. */
export function match<P extends string>(pattern: P, path: string): Params<P> | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const actual = given[index] ?? '';
    if (part.startsWith(':')) {
      const value = decoded(actual);
      if (value === null || value === '') return null;
      params[part.slice(1)] = value;
    } else if (part !== actual) return null;
  }
  return params as Params<P>;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Puts parameters into a pattern (for links, with `:name`) or a path of the API (`{name}`). */
export function fillPath(pattern: string, params: Record<string, string | number>): string {
  return pattern.replace(/:(\w+)|\{(\w+)\}/g, (_, a?: string, b?: string) =>
    encodeURIComponent(String(params[a ?? b ?? ''] ?? '')),
  );
}

/** `#/path?query` taken apart; without a hash it is `/`. */
export function parseHash(hash: string): { path: string; query: Query } {
  const text = hash.startsWith('#') ? hash.slice(1) : hash;
  const cut = text.indexOf('?');
  const path = cut < 0 ? text : text.slice(0, cut);
  const query = Object.fromEntries(new URLSearchParams(cut < 0 ? '' : text.slice(cut + 1)));
  return { path: path.startsWith('/') ? path : '/', query };
}

/** A query as text with its `?`; what is empty is left out, so that links stay short. */
export function queryText(query: Record<string, string | number | boolean | null | undefined>): string {
  const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const text = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}
