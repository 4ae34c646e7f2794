/** Where a stock's coupons are, as the API and the stream say it. */
export interface Counts {
  total: number;
  available: number;
  claimed: number;
  locked: number;
  redeemed: number;
  voided: number;
  expired: number;
}

/** The six places in the order of a coupon's life, with their colours in charts. */
export const PLACES = [
  { key: 'available', series: 1 },
  { key: 'claimed', series: 6 },
  { key: 'locked', series: 5 },
  { key: 'redeemed', series: 2 },
  { key: 'voided', series: 4 },
  { key: 'expired', series: 8 },
] as const;

export function sumOf(counts: Counts): number {
  return PLACES.reduce((sum, { key }) => sum + counts[key], 0);
}

/** What is known of a stock at a moment; `taken` are those that left the stock by a claim. */
export interface Sample {
  at: number;
  taken: number;
  redeemed: number;
}

export interface Rate {
  claims: number;
  redemptions: number;
}

export function sampleOf(at: number, counts: Counts): Sample {
  return { at, taken: counts.total - counts.available - counts.voided, redeemed: counts.redeemed };
}

/**
 * Per second between the last sample and the newest one that is at least `windowMs` older, else the oldest; null while
 * there is but one. What is given back or voided is no claim less.
 */
export function rateAt(samples: readonly Sample[], index: number, windowMs = 5_000): Rate | null {
  const last = samples[index];
  if (!last) return null;
  let before: Sample | undefined;
  for (let at = index - 1; at >= 0; at--) {
    before = samples[at];
    if (before && last.at - before.at >= windowMs) break;
  }
  const seconds = before ? (last.at - before.at) / 1000 : 0;
  if (!before || seconds <= 0) return null;
  return {
    claims: Math.max(0, last.taken - before.taken) / seconds,
    redemptions: Math.max(0, last.redeemed - before.redeemed) / seconds,
  };
}

export function rateNow(samples: readonly Sample[]): Rate | null {
  return rateAt(samples, samples.length - 1);
}

/** The samples with one more; the same moment twice is one, and what is older than `keptMs` goes. */
export function withSample(samples: readonly Sample[], next: Sample, keptMs = 300_000): readonly Sample[] {
  const last = samples.at(-1);
  if (last && next.at <= last.at) return samples;
  return [...samples.filter((each) => each.at > next.at - keptMs), next];
}
