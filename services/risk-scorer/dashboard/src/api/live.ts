/** What `/v1/risk/board` answers and `/v1/risk/stream` sends; server-sent events are outside the OpenAPI document. */

export type RateName = 'redemptions' | 'claims' | 'locks' | 'refusals' | 'blocks' | 'reviews' | 'challenges';

export interface Latency {
  p50_ms: number | null;
  p99_ms: number | null;
}

export interface BoardMerchant {
  merchant_id: string;
  name: string;
  attempts_today: number;
  abnormal_today: number;
  /** Abnormal among the attempts, 0..1, and where the breaker trips. */
  share: number;
  limit_share: number;
  minimum_volume: number;
  tripped_at: string | null;
}

export interface TopSubject {
  /** In clear where it is known. */
  value: string | null;
  id: string;
  /** Of a store. */
  name?: string | null;
  merchant_id?: string;
  /** Events in the last hour, and in the hour before. */
  now: number;
  before: number;
  change: number | null;
}

export interface BoardStock {
  stock_id: string;
  name: string;
  merchant_id: string;
  type: string;
  state: string;
  total: number;
  available: number;
  claimed: number;
  locked: number;
  redeemed: number;
  voided: number;
  expired: number;
  balanced: boolean;
}

export interface Board {
  at: string;
  started_at: string;
  /** Per second, averaged over the last five whole seconds. */
  rates: Record<RateName, number>;
  /** Since midnight UTC or the start. */
  totals: Record<RateName, number>;
  /** Over the last ten seconds; null without calls. */
  latency: Record<'claim' | 'redeem' | 'lock', Latency | null>;
  refusals: { code: string; per_second: number; last_hour: number }[];
  series: {
    step_seconds: number;
    from: string;
    redemptions: number[];
    claims: number[];
    refusals: number[];
    blocks: number[];
    p99_ms: (number | null)[];
  };
  merchants: BoardMerchant[];
  top: Record<'devices' | 'ips' | 'stores', TopSubject[]>;
  stocks: BoardStock[];
  health: { service: string; instance: string; state: 'ok' | 'stale' | 'down'; release: string; seen_at: string }[];
  log: { partitions: number; appended: number; applied: number; lag_records: number; lag_ms: number };
  risk: { state: 'ok' | 'stale'; lag_ms: number; live_rules: number };
  cases: { open: number; claimed: number; overdue: number };
}

/** Whom it is about: in clear where a record has it, and what stands for each otherwise. */
export interface EventSubject {
  user_id?: string | null;
  device_id?: string | null;
  ip?: string | null;
  user?: string | null;
  device?: string | null;
  address?: string | null;
  store_id?: string | null;
  stock_id?: string | null;
}

/** What lists say of an event. */
interface EventFacts {
  at: string;
  merchant_id?: string;
  /** What was tried: `claim`, `lock`, `redemption`. */
  event?: string;
  /** False where it was refused. */
  done?: boolean;
  /** The order's amount, minor units. */
  amount?: number | null;
  subject?: EventSubject;
  reasons?: { code: string; text: string }[];
  degraded?: boolean;
}

/** A decision as the stream sends it; `/v1/risk/decisions/{id}` has all of it. */
export interface DecisionSummary extends EventFacts {
  id: string;
  action: string;
  score: number;
  [field: string]: unknown;
}

/** What `/v1/risk/events` lists: a decision with what became of it, or an attempt that was refused without one. */
export interface QueryEvent extends EventFacts {
  id: string | null;
  action?: string;
  score?: number;
  kind: string | null;
  code: string | null;
  label?: string | null;
}

export interface EventPage {
  data: QueryEvent[];
  next_cursor: string | null;
  scanned: number;
  complete: boolean;
}

/** How far a look at the past got: where it is not complete, all since `reached` was looked at. */
interface Looked {
  scanned: number;
  complete: boolean;
  reached?: string | null;
}

export interface EventSeries extends Looked {
  step_seconds: number;
  from: string;
  until: string;
  series: { name: string; counts: number[] }[];
}

export interface TopValue {
  /** In clear where it is known. */
  value: string | null;
  id: string;
  merchant_id?: string | null;
  count: number;
  before: number;
  change: number | null;
}

export interface EventTop extends Looked {
  field: string;
  data: TopValue[];
}

export interface QueryField {
  name: string;
  type: 'word' | 'text' | 'number' | 'yes_no';
  values?: string[] | null;
  about: string;
}

export interface Hello {
  instance: string;
  started_at: string;
  release: string;
}

export interface DecisionBatch {
  decisions: DecisionSummary[];
  /** How many more there were than a batch holds. */
  left_out: number;
}

export interface CasesChanged {
  open: number;
  changed: string[];
}
