/** Ranges that end now, in seconds, as the address spells them. */
export const LAST: Readonly<Record<string, number>> = {
  '-15m': 900,
  '-1h': 3_600,
  '-24h': 86_400,
  '-7d': 604_800,
  '-30d': 2_592_000,
};
export const USUAL = '-1h';

/** From minute to month, seconds. */
export const STEPS = [60, 300, 900, 3_600, 21_600, 86_400, 604_800, 2_592_000] as const;
/** As many steps the server counts at once. */
const MOST_STEPS = 2_000;

export interface Range {
  /** Milliseconds; `until` is not part of it. */
  from: number;
  until: number;
  /** Its name, when it ends now. */
  last: string | null;
}

/** What the address says; what cannot be read is the usual range. */
export function rangeOf(from: string, until: string, now: number): Range {
  const [begin, end] = [Date.parse(from), Date.parse(until)];
  if (begin < end) return { from: begin, until: end, last: null };
  const last = LAST[from] ? from : USUAL;
  return { from: now - (LAST[last] ?? 0) * 1000, until: now, last };
}

/** The address of a range with two ends. */
export function between(from: number, until: number): { from: string; until: string } {
  return { from: new Date(from).toISOString(), until: new Date(until).toISOString() };
}

/** Twice as long around its middle, and not into the future. */
export function wider({ from, until }: Range, now: number): { from: string; until: string } {
  const half = (until - from) / 2;
  const end = Math.max(until, Math.min(until + half, now));
  return between(end - 4 * half, end);
}

/** Its neighbour: `by` is -1 or 1. */
export function moved({ from, until }: Range, by: number): { from: string; until: string } {
  return between(from + by * (until - from), until + by * (until - from));
}

/** The steps with which a range can be asked for. */
export function stepsOf({ from, until }: Range): number[] {
  const length = (until - from) / 1000;
  return STEPS.filter((step) => length / step < MOST_STEPS && step <= length);
}

/**
 * The step to ask for: the one that was chosen while it fits; seconds where the time is shorter than the server's own
 * choice of a minute shows anything of; otherwise what the server chooses.
 */
export function stepFor(range: Range, chosen: number): number | undefined {
  if (stepsOf(range).includes(chosen)) return chosen;
  const seconds = (range.until - range.from) / 1000;
  if (seconds <= 300) return 1;
  return seconds <= 1_800 ? 10 : undefined;
}

/** What a field for date and time holds, `2026-11-27T20:15`, in the user's zone. */
export function toField(at: number, utc: boolean): string {
  const shift = utc ? 0 : new Date(at).getTimezoneOffset() * 60_000;
  return new Date(at - shift).toISOString().slice(0, 16);
}

/** The moment that such a field names; NaN while it names none. */
export function ofField(text: string, utc: boolean): number {
  return Date.parse(utc && text ? `${text}Z` : text);
}
