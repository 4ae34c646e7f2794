import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import type { StreamParser } from '@codemirror/language';
import type { QueryField } from '../../api/live';
import { quoted } from '../../lib/query';

/** Colours of the query language. */
export const language: StreamParser<null> = {
  startState: () => null,
  token(text) {
    if (text.eatSpace()) return null;
    if (text.match(/^"(?:\\.|[^"\\])*"?/)) return 'string';
    if (text.match(/^(?:and|or|not)(?=[\s()-]|$)/) || text.match(/^-(?=[\w("])/)) return 'keyword';
    if (text.match(/^\w+(?=:|<|>|=)/)) return 'propertyName';
    if (text.match(/^(?::|<=|>=|<|>|=|,)/)) return 'operator';
    if (text.match(/^[()]/)) return 'bracket';
    if (text.match(/^-?\d+(?=[\s),]|$)/)) return 'number';
    if (!text.match(/^[^\s()",:<>=]+/)) text.next();
    return null;
  },
};

const WORDS = ['and', 'or', 'not'];
/** A field with its sign, and the value that is being written, perhaps in a list. */
const VALUE = /(?:^|[\s(-])([a-z_]+)(:|>=|<=|>|<|=)(?:\((?:[^()]*,)?\s*)?("?[^\s"(),]*)$/;
const NAME = /(?:^|[\s(-])([a-z_]*)$/;

type Found = CompletionResult | null;

/**
 * What the line up to the cursor can go on with; `recent` tells values of a field that were seen lately. Whoever types
 * before the fields are known is answered once they are.
 */
export function completions(
  fields: () => readonly QueryField[] | Promise<readonly QueryField[]>,
  recent: (field: string) => readonly string[],
): (context: CompletionContext) => Found | Promise<Found> {
  return (context) => {
    const known = fields();
    return known instanceof Promise
      ? known.then((known) => found(context, known, recent))
      : found(context, known, recent);
  };
}

function found(
  context: CompletionContext,
  fields: readonly QueryField[],
  recent: (field: string) => readonly string[],
): Found {
  const before = context.state.sliceDoc(0, context.pos);
  const value = VALUE.exec(before);
  if (value) {
    const [, name = '', , begun = ''] = value;
    const field = fields.find((each) => each.name === name);
    const known = field?.values ?? [];
    const seen = recent(name).filter((each) => !known.includes(each));
    const options = [...known.map((label) => ({ label })), ...seen.map(valueOption)];
    return options.length > 0 ? { from: context.pos - begun.length, options } : null;
  }
  const word = NAME.exec(before)?.[1];
  if (word === undefined || (word === '' && !context.explicit && before !== '')) return null;
  const options = [...fields.map(fieldOption), ...WORDS.map((label): Completion => ({ label, type: 'keyword' }))];
  return { from: context.pos - word.length, options, validFor: /^[a-z_]*$/ };
}

function valueOption(value: string): Completion {
  return { label: quoted(value) };
}

function fieldOption({ name, type, about }: QueryField): Completion {
  return { label: name, apply: type === 'number' ? `${name}>` : `${name}:`, detail: about };
}
