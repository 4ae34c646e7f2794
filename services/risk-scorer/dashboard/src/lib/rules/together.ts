import type { RuleStats } from './views';

/** Two rules that hit together. */
export interface Pair {
  a: string;
  b: string;
  together: number;
  /** Of the hits of `a`, and of those of `b`; null where those are not known. */
  share: number;
  reverse: number | null;
}

/** Each pair once, named by its more frequent rule, the most often together first. */
export function pairsOf(stats: readonly Pick<RuleStats, 'rule' | 'hits' | 'co_hits'>[]): Pair[] {
  const hits = new Map(stats.map((each) => [each.rule, each.hits]));
  const pairs = new Map<string, Pair>();
  for (const { rule, hits: own, co_hits } of stats) {
    for (const { rule: other, count } of co_hits) {
      const theirs = hits.get(other) ?? null;
      const first = theirs === null || own > theirs || (own === theirs && rule < other);
      const [a, b] = first ? [rule, other] : [other, rule];
      const [of, ofOther] = first ? [own, theirs] : [theirs ?? own, own];
      pairs.set(`${a} ${b}`, { a, b, together: count, share: count / of, reverse: ofOther && count / ofOther });
    }
  }
  return [...pairs.values()].sort((x, y) => y.together - x.together || x.a.localeCompare(y.a));
}
