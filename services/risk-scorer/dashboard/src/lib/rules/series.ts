import type { RuleStats, Tally } from './views';

const STEPS_MS = { hour: 3_600_000, day: 86_400_000 } as const;

export interface Step extends Tally {
  at: number;
}

/** The series with its empty steps, which the server leaves out, from the first look back to the last hit or now. */
export function stepped(stats: RuleStats, now = Date.now()): Step[] {
  const size = STEPS_MS[stats.interval];
  const known = new Map(stats.series.map((each) => [Date.parse(each.from), each]));
  const from = Math.floor(Date.parse(stats.looked_back_to ?? stats.from) / size) * size;
  const until = stats.until ? Date.parse(stats.until) : now;
  const steps: Step[] = [];
  for (let at = from; at < until && steps.length < 2_000; at += size) {
    const { hits, fraud, honest, unlabelled, precision } = known.get(at) ?? NOTHING;
    steps.push({ at, hits, fraud, honest, unlabelled, precision });
  }
  return steps;
}

const NOTHING: Tally = { hits: 0, fraud: 0, honest: 0, unlabelled: 0, precision: null };
