import { money, number, type MoneyValue } from '../../lib/format';
import { absolute } from '../../lib/time.svelte';

/** An event of a coupon's story: what it is, when, its place in the ledger, and facts of its own. */
export interface CouponEvent {
  type: string;
  at: string;
  ledger_ref?: string;
  [fact: string]: unknown;
}

const OWN = new Set(['type', 'at', 'ledger_ref']);

/** The facts of an event as texts, what lies within objects as `name.inner`. */
export function factsOf(event: CouponEvent): [string, string][] {
  const named = Object.entries(event).filter(([key, value]) => !OWN.has(key) && value !== null && value !== '');
  return named.flatMap(([key, value]) => told(key, value));
}

function told(key: string, value: unknown): [string, string][] {
  if (key.endsWith('_at') && typeof value === 'string') return [[key, absolute(value)]];
  if (typeof value === 'number') return [[key, number(value)]];
  if (value === null || typeof value !== 'object') return [[key, String(value)]];
  if ('amount' in value && 'currency' in value) return [[key, money(value as MoneyValue)]];
  const inner = Object.entries(value).filter(([, each]) => each !== null);
  return inner.flatMap(([name, each]) => told(`${key}.${name}`, each));
}
