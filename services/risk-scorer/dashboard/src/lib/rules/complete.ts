import type { Completion, CompletionContext, CompletionResult, CompletionSource } from '@codemirror/autocomplete';
import { ACTIONS, KEYWORDS } from './language';

/** What `GET /v1/risk/features` says of one. */
export interface Feature {
  name: string;
  type: string;
  /** What it counts: happenings, or fields. */
  of?: string[];
  keys?: string[];
  windows?: string | string[];
  example?: string;
  about?: string;
  window_seconds?: number;
}

/** Windows that are offered; any other that can be counted may be written as well. */
const WINDOWS = ['5m', '10m', '30m', '1h', '6h', '24h', '7d', '28d'];
const LABEL_WINDOWS = ['7d', '14d', '28d'];

function windowsOf(feature: Feature | undefined): string[] {
  if (Array.isArray(feature?.windows)) return feature.windows;
  return feature && !feature.of ? LABEL_WINDOWS : WINDOWS;
}

const plain = (labels: readonly string[], type: string, detail?: string): Completion[] =>
  labels.map((label) => ({ label, type, ...(detail ? { detail } : {}) }));

/** What may stand inside the brackets of a feature, by what stands there already. */
function inside(feature: Feature, written: string, lists: readonly string[]): Completion[] {
  if (feature.name === 'listed') return lists.map((name) => ({ label: `"${name}"`, type: 'text' }));
  if (/,\s*\w*$/.test(written)) return plain(windowsOf(feature), 'constant');
  const fields = plain(feature.keys ?? feature.of ?? [], 'property');
  const wantsBy = feature.of && feature.keys;
  if (!wantsBy || /\bby\s[^,]*$/.test(written)) return fields;
  if (/^\s*\w+\s+\w*$/.test(written)) return plain(['by'], 'keyword');
  return plain(feature.of ?? [], 'property');
}

/** What may stand at a place outside of brackets. */
function outside(before: string, features: readonly Feature[]): Completion[] {
  if (/\bthen\s+\w*$/.test(before)) return plain(ACTIONS, 'keyword');
  const known = features.filter((each) => each.window_seconds === undefined);
  const words: Completion[] = known.map((each) => ({
    label: each.name,
    type: each.example ? 'function' : 'variable',
    detail: each.type,
    ...(each.example ? { apply: each.example } : {}),
    ...(each.about ? { info: each.about } : {}),
  }));
  const rule = {
    label: 'rule …',
    type: 'keyword',
    apply: 'rule name {\n  when \n  then review score 100\n  reason ""\n}',
  };
  return [...words, ...plain(KEYWORDS, 'keyword'), rule];
}

/** Suggestions for a place in a text: the part of the line before it. */
export function suggestions(before: string, features: readonly Feature[], lists: readonly string[]): Completion[] {
  const open = /([\p{L}\p{N}_]+)\(([^()]*)$/u.exec(before);
  const feature = open && features.find((each) => each.name === open[1]);
  return feature ? inside(feature, open[2] ?? '', lists) : outside(before, features);
}

/** Completion of the rule language, with what the server can count and the lists that there are. */
export function ruleCompletion(features: () => readonly Feature[], lists: () => readonly string[]): CompletionSource {
  return (context: CompletionContext): CompletionResult | null => {
    const line = context.state.doc.lineAt(context.pos);
    const before = line.text.slice(0, context.pos - line.from);
    if (/#/.test(before.replace(/"[^"]*"/g, '')) || /reason\s+"[^"]*$/.test(before)) return null;
    const word = context.matchBefore(/"?[\p{L}\p{N}_]*/u);
    if (!context.explicit && (!word || word.from === word.to)) return null;
    const options = suggestions(before, features(), lists());
    return options.length === 0 ? null : { from: word?.from ?? context.pos, options };
  };
}
