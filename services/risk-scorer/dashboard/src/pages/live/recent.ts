import type { Board } from '../../api/live';

/** The last `count` of what came each second. */
export function tail<T>(values: readonly T[], count: number): readonly T[] {
  return values.slice(-count);
}

/** Seconds of latency that are kept for the tiles: the board tells the last ten alone. */
const KEPT = 60;

export type Latencies = Record<'redeem' | 'claim', readonly (number | null)[]>;

export const NO_LATENCIES: Latencies = { redeem: [], claim: [] };

/** One board more. */
export function withLatency(kept: Latencies, board: Board): Latencies {
  const next = (name: 'redeem' | 'claim') => [...tail(kept[name], KEPT - 1), board.latency[name]?.p99_ms ?? null];
  return { redeem: next('redeem'), claim: next('claim') };
}
