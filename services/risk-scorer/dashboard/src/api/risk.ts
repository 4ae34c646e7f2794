/** Answers about decisions and subjects, whose fields the OpenAPI document leaves open. */

/** In clear where the record has it; `user`, `device` and `address` are what stands for them at the merchant. */
export interface DecisionSubject {
  user_id: string | null;
  device_id: string | null;
  ip: string | null;
  user: string | null;
  device: string | null;
  address: string | null;
  store_id: string | null;
  stock_id: string | null;
  coupon_id: string | null;
}

export interface DecisionReason {
  code: string;
  text: string;
  points: number | null;
  feature: string | null;
  value: number;
  threshold: number;
  window_seconds: number;
}

export interface RuleOutcome {
  id: string;
  ruleset_id: string;
  version: number;
  outcome: string;
  points: number;
}

export interface ModelReason {
  input: string;
  value: number | null;
  points: number;
}

export interface Decision {
  id: string;
  merchant_id: string;
  event: string;
  /** It came about. */
  done: boolean;
  subject: DecisionSubject;
  /** The order's, in minor units. */
  amount: number | null;
  action: string;
  enforced_by: string | null;
  score: number;
  at: string;
  ledger_ref: string | null;
  watermark: string;
  features: { name: string; value: number | null }[];
  missing: string[];
  reasons: DecisionReason[];
  rules: RuleOutcome[] | null;
  rulesets: { id: string; version: number; mode: string }[] | null;
  shadow: { ruleset: string; version: number; score: number; action: string }[] | null;
  lists: { id: string; version: string }[] | null;
  model: { id: string; version: number; score: number; reasons: ModelReason[] } | null;
  cluster: { size: number; devices: number; density: number | null; age_spread_seconds: number } | null;
  staleness_ms: number | null;
  degraded: boolean;
  evaluator_version: number;
  redemption_id: string | null;
  label: string | null;
  /** The open case in which it stands. */
  case: string | null;
}

/** Derived again from what it rested on. */
export interface Derived {
  id: string;
  equal: boolean;
  differences: Difference[];
  action: string;
  score: number | null;
}

export interface Difference {
  field: string;
  [side: string]: unknown;
}

export interface ClusterNode {
  kind: string;
  /** What stands for it at the merchant. */
  id: string;
  distance: number;
  degree: number;
  first_seen: string;
  last_seen: string;
}

export interface Cluster {
  nodes: ClusterNode[];
  edges: { from: string; to: string; weight: number; joins: boolean }[];
  density: number;
  truncated: boolean;
}

export interface SubjectFacts {
  subject: { kind: string; value: string };
  merchant_id: string;
  features: { name: string; window_seconds: number; value: number }[];
  verdicts: {
    rule: string;
    action: string;
    count: number;
    threshold: number;
    window_seconds: number;
    watermark: string;
    until: string;
    active: boolean;
  }[];
  watermark: string;
  lists: { id: string; name: string; mode: string }[];
  /** Of its newest decisions. */
  labels: { decision_id: string; label: string }[];
  cases: string[];
  penalties: string[];
}

export interface Page<T> {
  data: T[];
  next_cursor?: string | null;
}
