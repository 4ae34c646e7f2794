import type { DecisionSummary } from '../../api/live';
import { term } from '../../lib/query';

/** What the stream can be narrowed to. */
export const SUBJECT_KINDS = ['device', 'user', 'ip', 'store', 'cashier'] as const;

/** `device:d-17` taken apart; the value may hold colons of its own. */
export function subjectOf(text: string): { kind: string; value: string } {
  const cut = text.indexOf(':');
  return cut < 0 ? { kind: '', value: '' } : { kind: text.slice(0, cut), value: text.slice(cut + 1) };
}

/** What the server would refuse: a stream has no place to say why. */
export function problemOf(kind: string, value: string): 'subject_bad_ip' | 'subject_bad_store' | null {
  if (kind === 'ip' && !isAddress(value)) return 'subject_bad_ip';
  if (kind === 'store' && !/^sto_\w+$/.test(value)) return 'subject_bad_store';
  return null;
}

function isAddress(text: string): boolean {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return text.split('.').every((part) => Number(part) <= 255);
  return text.includes(':') && URL.canParse(`http://[${text}]/`);
}

/** The same filter as a query over what happened. */
export function asQuery(filter: Record<string, string>): string {
  const terms = Object.entries(filter).filter(([, value]) => value !== '');
  return terms.map(([field, value]) => term(field, value)).join(' ');
}

/** What the stream brought and what was there before it, newest first, each once, at most `capacity`. */
export function merged(
  arrived: readonly DecisionSummary[],
  before: readonly DecisionSummary[],
  capacity: number,
): readonly DecisionSummary[] {
  const known = new Set(arrived.map((row) => row.id));
  return [...arrived, ...before.filter((row) => !known.has(row.id))].slice(0, capacity);
}
