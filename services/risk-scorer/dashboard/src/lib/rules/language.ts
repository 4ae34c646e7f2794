import type { StreamParser, StringStream } from '@codemirror/language';

/** Words of the rule language that are not features; the features come from the server. */
export const KEYWORDS = ['rule', 'when', 'then', 'and', 'or', 'not', 'by', 'score', 'reason'] as const;
export const ACTIONS = ['allow', 'review', 'challenge', 'block'] as const;

/** What the colours depend on: `score` is a word of the language behind `then`, and a feature before it. */
export interface RuleState {
  behindThen: boolean;
  /** The next word names the rule. */
  names: boolean;
}

const WORD = /^[\p{L}\p{N}_]+/u;
const NUMBER = /^\d[\p{L}\p{N}_.]*/u;
const KNOWN_NUMBER = /^[\d_]+(\.[\d_]+)?[smhd]?$/;

function wordOf(stream: StringStream, state: RuleState): string | null {
  const word = (stream.match(WORD) as RegExpMatchArray | null)?.[0];
  if (word === undefined) {
    const sign = stream.next();
    if (sign === '}') state.behindThen = false;
    return sign && '{}()[],<>=!+-*/'.includes(sign) ? null : 'invalid';
  }
  if (state.names) {
    state.names = false;
    return 'variableName';
  }
  if (word === 'rule') [state.behindThen, state.names] = [false, true];
  if (word === 'then') state.behindThen = true;
  if (state.behindThen && (ACTIONS as readonly string[]).includes(word)) return 'bool';
  if (word === 'score' && !state.behindThen) return 'propertyName';
  if ((KEYWORDS as readonly string[]).includes(word)) return 'keyword';
  return stream.match(/^\s*\(/, false) ? 'variableName.function' : 'propertyName';
}

/** Colours of the rule language, for the editor. */
export const ruleLanguage: StreamParser<RuleState> = {
  name: 'counterfoil-rules',
  startState: () => ({ behindThen: false, names: false }),
  copyState: (state) => ({ ...state }),
  token(stream, state) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^#.*/)) return 'comment';
    if (stream.match(/^"[^"]*"/)) return 'string';
    if (stream.match(/^".*/)) return 'invalid';
    const number = (stream.match(NUMBER) as RegExpMatchArray | null)?.[0];
    if (number !== undefined) return KNOWN_NUMBER.test(number) ? 'number' : 'invalid';
    return wordOf(stream, state);
  },
  languageData: { commentTokens: { line: '#' } },
};
