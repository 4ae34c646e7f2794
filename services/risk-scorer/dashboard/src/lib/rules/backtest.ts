import { href } from '../router.svelte';
import type { MoneyValue } from '../format';

/** The currency of a back-test's sums: the result adds minor units of orders and names none. */
export const CURRENCY = 'CNY';

export function yuan(amount: number): MoneyValue {
  return { amount, currency: CURRENCY };
}

/** What a back-test was made of, as the address keeps it: the answer does not say. */
export interface Origin {
  ruleset?: string | undefined;
  version?: number | undefined;
  /** The set's name. */
  name?: string | undefined;
  /** The text was changed and not saved. */
  edited?: boolean;
}

export function backtestPage(id: string, origin: Origin = {}): string {
  const { ruleset, version, name, edited } = origin;
  return href('/backtests/:id', { id }, { ruleset, version, name, edited: edited ? 'yes' : '' });
}
