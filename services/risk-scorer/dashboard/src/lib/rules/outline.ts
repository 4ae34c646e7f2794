/** A rule in a text, as far as its form can be read without the server. */
export interface OutlinedRule {
  name: string;
  /** Where its name stands, counted from 1, in characters. */
  line: number;
  column: number;
  /** The last line that belongs to it. */
  lastLine: number;
  action: string;
  score: number;
  reason: string;
}

interface Token {
  text: string;
  line: number;
  column: number;
}

const TOKEN = /#[^\n]*|"[^"\n]*"?|[\p{L}\p{N}_.]+|\n|[^\s]/gu;

function tokens(text: string): Token[] {
  const found: Token[] = [];
  let [line, start] = [1, 0];
  for (const match of text.matchAll(TOKEN)) {
    if (match[0] === '\n') [line, start] = [line + 1, match.index + 1];
    else if (!match[0].startsWith('#')) {
      found.push({ text: match[0], line, column: [...text.slice(start, match.index)].length + 1 });
    }
  }
  return found;
}

/** The rules of a text in its order; what is not finished yet is left out. */
export function outline(text: string): OutlinedRule[] {
  const all = tokens(text);
  const rules: OutlinedRule[] = [];
  for (let at = 0; at < all.length; at++) {
    if (all[at]?.text !== 'rule') continue;
    const end = all.findIndex((token, index) => index > at && token.text === '}');
    const next = all.findIndex((token, index) => index > at && token.text === 'rule');
    const name = all[at + 1];
    if (!name || end < 0 || (next >= 0 && next < end)) continue;
    const body = all.slice(at, end);
    const then = body.findIndex((token) => token.text === 'then');
    const behind = (word: string): string | undefined => {
      const place = body.findIndex((token, index) => index > then && token.text === word);
      return place < 0 ? undefined : body[place + 1]?.text;
    };
    rules.push({
      name: name.text,
      line: name.line,
      column: name.column,
      lastLine: all[end]?.line ?? name.line,
      action: (then < 0 ? undefined : body[then + 1]?.text) ?? '',
      score: Number(behind('score') ?? 0),
      reason: (behind('reason') ?? '').replaceAll('"', ''),
    });
    at = end;
  }
  return rules;
}

/** The part of a text that a rule is. */
export function ruleText(text: string, name: string): string | null {
  const rule = outline(text).find((each) => each.name === name);
  return rule
    ? text
        .split('\n')
        .slice(rule.line - 1, rule.lastLine)
        .join('\n')
    : null;
}

/** The server counts characters and the editor counts UTF-16 units, of which a character such as 🎫 has two. */
export function editorColumn(text: string, line: number, column: number): number {
  const characters = [...(text.split('\n')[line - 1] ?? '')];
  return characters.slice(0, column - 1).join('').length + 1;
}
