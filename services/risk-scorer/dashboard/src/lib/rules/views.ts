import type { Schema } from '../api';

/** What endpoints answer that the OpenAPI document leaves open. */

export interface Tally {
  hits: number;
  fraud: number;
  honest: number;
  unlabelled: number;
  precision: number | null;
}

/** `GET /v1/risk/rules/{id}/stats`. */
export interface RuleStats extends Tally {
  rule: string;
  ruleset_id: string | null;
  from: string;
  until: string | null;
  by_action: Record<string, number>;
  false_positive_rate: number | null;
  appeals_granted: number;
  co_hits: { rule: string; count: number }[];
  examples: string[];
  shadow: Tally;
  interval: 'hour' | 'day';
  series: (Tally & { from: string })[];
  /** Where it stopped looking, if there was more. */
  looked_back_to: string | null;
}

export interface Changed {
  count: number;
  examples: string[];
}

export interface Confusion {
  true_positive: number;
  false_positive: number;
  false_negative: number;
  true_negative: number;
  unlabelled_stopped: number;
  unlabelled_passed: number;
}

/** What one side, the rules that are tried or those that were live, does. */
export interface Side {
  actions: Record<string, number>;
  confusion: Confusion;
  precision: number | null;
  recall: number | null;
  /** Minor units. */
  money: { blocked: number; missed: number; wrongly_blocked: number };
}

export interface BacktestRule extends Tally {
  rule: string;
  action: string;
  errors: number;
}

export interface BacktestResult extends Side {
  decisions: number;
  live: Side;
  rules: BacktestRule[];
  newly_blocked: Changed;
  newly_allowed: Changed;
  features_equal: boolean;
  features_compared: number;
  features_differ: Changed;
}

/** `GET /v1/risk/backtests/{id}`; the list has them without `result`. */
/** What a back-test tries, by its names; `draft` says so of rules that were never saved. */
export function triedName({ ruleset, model, draft: isDraft }: Backtest['tried'], draft: string): string {
  const named = [ruleset, model].filter((each) => each !== null).map(({ name, version }) => `${name} v${version}`);
  return [...(isDraft ? [draft] : []), ...named].join(' + ');
}

export interface NamedVersion {
  id: string;
  version: number;
  name: string;
}

export interface Backtest {
  id: string;
  /** Which versions; rules that were never saved are a draft. */
  tried: { ruleset: NamedVersion | null; model: NamedVersion | null; draft: boolean };
  state: 'running' | 'done' | 'failed' | 'cancelled';
  error: string | null;
  /** 0 to 1. */
  progress: number;
  /** Decisions that were gone through. */
  done: number;
  from: string;
  until: string;
  created_at: string;
  merchant_id: string | null;
  result?: BacktestResult;
}

/** A decision, as far as these pages show it. */
export interface DecisionHead {
  id: string;
  at: string;
  event: string;
  action: string;
  amount: number | null;
  label: string | null;
  merchant_id: string;
  /** In clear where the record has it; else the pseudonyms. */
  subject: Record<'user_id' | 'device_id' | 'ip' | 'user' | 'device' | 'address', string | null>;
}

export type SetView = Schema<'RuleSetView'>;
export type VersionView = Schema<'RuleVersionView'>;
