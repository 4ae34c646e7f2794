/** The language of `GET /v1/risk/events`, as far as pages write it themselves; the server decides what it means. */

/** What a value may be made of without quotes. */
const PLAIN = /^[^\s()",\\]+$/;

/** A value as a query holds it. */
export function quoted(value: string): string {
  return PLAIN.test(value) ? value : `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

export function term(field: string, value: string): string {
  return `${field}:${quoted(value)}`;
}

interface Piece {
  text: string;
  /** How many brackets it stands in. */
  depth: number;
}

/** Words that blanks part, with quotes and lists kept whole. */
function pieces(query: string): Piece[] {
  const found: Piece[] = [];
  let depth = 0;
  for (const [text] of query.matchAll(/"(?:\\.|[^"\\])*"?|[()]|[^\s()"]+(?:"(?:\\.|[^"\\])*"?)?/gu)) {
    if (text === ')') depth = Math.max(0, depth - 1);
    else if (text === '(') depth++;
    else found.push({ text, depth });
  }
  return found;
}

/** `query` narrowed by `field:value`, or by its opposite; unchanged where it says so already. */
export function narrowed(query: string, field: string, value: string, exclude = false): string {
  const wanted = `${exclude ? '-' : ''}${term(field, value)}`;
  const outside = pieces(query).filter((piece) => piece.depth === 0);
  if (outside.some((piece) => piece.text === 'or')) return `(${query.trim()}) ${wanted}`;
  if (outside.some((piece) => piece.text === wanted)) return query.trim();
  return `${query.trim()} ${wanted}`.trim();
}

/** The place of a character (counted from 1) as the editor counts: in units of UTF-16. */
export function columnOf(text: string, character: number): number {
  return [...text].slice(0, Math.max(0, character - 1)).join('').length + 1;
}
