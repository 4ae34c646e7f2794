/** What was available of a stock at a moment, milliseconds. */
export interface Level {
  at: number;
  available: number;
}

/** So far back the pace is measured, and for so long at least. */
const WINDOW_MS = 120_000;
const LEAST_MS = 15_000;
/** Who is further away than this has no date worth saying. */
const FURTHEST_MS = 30 * 86_400_000;

/** The newest levels of each stock, as boards bring them: bounded, and only of the stocks on the board. */
export class Levels {
  #levels = new Map<string, Level[]>();

  add(at: number, stocks: readonly { stock_id: string; available: number }[]): void {
    const next = new Map<string, Level[]>();
    for (const { stock_id, available } of stocks) {
      const kept = (this.#levels.get(stock_id) ?? []).filter((level) => level.at > at - WINDOW_MS && level.at < at);
      next.set(stock_id, [...kept, { at, available }]);
    }
    this.#levels = next;
  }

  of(stock: string): readonly Level[] {
    return this.#levels.get(stock) ?? [];
  }
}

/**
 * In how many milliseconds a stock is used up at the pace of the last two minutes; null while that cannot be said: it was
 * looked at for too short a time, nothing is taken, or it lasts longer than a month.
 */
export function soldOutIn(levels: readonly Level[]): number | null {
  const [first, last] = [levels[0], levels.at(-1)];
  if (!first || !last || last.at - first.at < LEAST_MS || last.available === 0) return null;
  const taken = first.available - last.available;
  if (taken <= 0) return null;
  const left = (last.available * (last.at - first.at)) / taken;
  return left <= FURTHEST_MS ? left : null;
}
