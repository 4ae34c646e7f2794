import { router } from '../router.svelte';
import { ago } from '../time.svelte';

/** How far numbers look back, seconds. */
export const PERIODS = { day: 86_400, week: 604_800, month: 2_419_200 } as const;
export type Period = keyof typeof PERIODS;

/** The period that the address names. */
export function periodOf(text: string | undefined): Period {
  return text !== undefined && text in PERIODS ? (text as Period) : 'week';
}

/** What `GET /v1/risk/rules/{id}/stats` is asked for, by the address. */
export function statsQuery(): { from: string; merchant_id: string | undefined } {
  return {
    from: ago(PERIODS[periodOf(router.query['period'])]),
    merchant_id: router.query['merchant'] || undefined,
  };
}
