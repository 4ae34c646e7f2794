/** What `loadtest run --json` writes (`counterfoil-loadtest/1`), as far as it is shown. Whoever stored it may have left
 * out what the server does not look at, so all but the verdict may be missing. */
export interface Report {
  profile: string;
  about?: string;
  target?: string;
  started_at?: string;
  machine?: { cores: number; cpu: string; system: string };
  verdict: { outcome: 'PASS' | 'FAIL' | 'INVALID'; line: string; reasons?: string[] };
  thresholds?: Held[];
  load: Partial<Load>;
  latency?: Latency[];
  percentiles?: { quantile: number; ms: number }[];
  series?: Second[];
  generator?: { said: string; cpu_percent: number };
  audit?: { sound: boolean; checks?: AuditCheck[] };
}

export interface Held {
  text: string;
  measured: number | null;
  limit: number;
  unit: 'ms' | '%' | '/s' | 'count';
  passed: boolean;
  headroom_percent: number | null;
}

export interface Load {
  completed: number;
  duration_seconds: number;
  warm_up_seconds: number;
  offered_per_second: number;
  achieved_per_second: number;
  peak_per_second: number;
}

export interface Latency {
  kind: string;
  count: number;
  mean_ms: number;
  p50_ms: number;
  p90_ms: number;
  p95_ms: number;
  p99_ms: number;
  p999_ms: number;
  max_ms: number;
}

export interface Second {
  second: number;
  warm_up: boolean;
  offered: number;
  achieved: number;
  p99_ms: number;
}

export interface AuditCheck {
  id: string;
  what: string;
  checked: number;
  broken: number;
  held: boolean;
  examples: string[];
}

export const QUANTILES = ['p50_ms', 'p90_ms', 'p95_ms', 'p99_ms', 'p999_ms', 'max_ms'] as const;

/** How far the closest threshold is from not holding, 1 is all of its limit; null where none has a distance. */
export function leastHeadroom(report: Report): number | null {
  const known = (report.thresholds ?? []).flatMap(({ headroom_percent }) =>
    typeof headroom_percent === 'number' ? [headroom_percent / 100] : [],
  );
  return known.length > 0 ? Math.min(...known) : null;
}

/** The latencies of all requests together. */
export function overall(report: Report): Latency | undefined {
  return report.latency?.find((each) => each.kind === 'all');
}

/** The outcome that a verdict's line begins with, where the whole report is not at hand. */
export function outcomeOf(line: string, passed: boolean): string {
  return /^(PASS|FAIL|INVALID)\b/.exec(line)?.[1] ?? (passed ? 'PASS' : 'FAIL');
}
