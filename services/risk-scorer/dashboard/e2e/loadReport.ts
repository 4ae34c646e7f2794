import type { Server } from './server';

/** What a run of `loadtest` writes, with figures that fit together; `about` and `profile` may say anything. */
export function loadReport(
  outcome: 'PASS' | 'FAIL' | 'INVALID',
  { profile = 'redeem-200', about = 'Redemptions at 200 a second. 每秒 200 次核销。', factor = 1 } = {},
): Record<string, unknown> {
  const [p50, p99] = [2.1 * factor, 11.4 * factor];
  const limit = outcome === 'PASS' ? 150 : 8;
  const held = outcome === 'PASS';
  const latency = (kind: string, count: number, by: number): Record<string, unknown> => ({
    kind,
    count,
    mean_ms: 2.8 * factor * by,
    p50_ms: p50 * by,
    p90_ms: 4.9 * factor * by,
    p95_ms: 6.2 * factor * by,
    p99_ms: p99 * by,
    p999_ms: 24.3 * factor * by,
    max_ms: 41.7 * factor * by,
  });
  const series = Array.from({ length: 40 }, (_, second) => ({
    second,
    warm_up: second < 5,
    scheduled: 200,
    offered: 200,
    achieved: second % 13 === 7 ? 196 : 200,
    p50_ms: p50,
    p99_ms: p99 * (1 + 0.3 * Math.sin(second / 3)),
    max_ms: 41.7 * factor,
    errors: 0,
    refused: {},
    in_flight: 1,
  }));
  const line = held
    ? `PASS ${profile}: p99 < ${limit}ms (${p99.toFixed(1)} ms, ${(100 - (p99 / limit) * 100).toFixed(0)} % headroom)`
    : `${outcome} ${profile}: p99 < ${limit}ms is not kept: ${p99.toFixed(1)} ms`;
  return {
    format: 'counterfoil-loadtest/1',
    profile,
    about,
    run: 'r1',
    target: 'http://127.0.0.1:8080',
    started_at: '2026-11-20T12:00:00Z',
    seed: 1,
    machine: { cores: 2, cpu: 'A processor', system: 'Linux 6.1' },
    verdict: { outcome, exit_code: held ? 0 : 1, line, reasons: held ? [] : [line] },
    thresholds: [
      {
        text: `p99 < ${limit}ms`,
        metric: 'p99',
        measured: p99,
        limit,
        unit: 'ms',
        comparison: '<',
        passed: held,
        headroom_percent: 100 - (p99 / limit) * 100,
      },
      {
        text: 'errors < 0.5%',
        metric: 'errors',
        measured: 0,
        limit: 0.5,
        unit: '%',
        comparison: '<',
        passed: true,
        headroom_percent: 100,
      },
    ],
    load: {
      scheduled: 7000,
      offered: 7000,
      completed: 6996,
      duration_seconds: 35,
      warm_up_seconds: 5,
      offered_per_second: 200,
      achieved_per_second: 199.9,
      peak_per_second: 200,
      connections: 64,
      aborted: null,
    },
    latency: [latency('all', 6996, 1), latency('redeem', 4200, 1.1), latency('claim', 2796, 0.8)],
    percentiles: [0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999].map((quantile) => ({
      quantile,
      ms: p50 * (1 + Math.log10(1 / (1 - quantile + 1e-9)) * 2.4),
    })),
    series,
    answers: [{ kind: 'redeem', status: 201, code: '', count: 4200, expected: true }],
    generator: {
      lag_p50_ms: 0.1,
      lag_p99_ms: 0.9,
      lag_max_ms: 3,
      cpu_percent: 31,
      kept_schedule: true,
      said: 'It kept its schedule.',
    },
    server: { scraped: false, note: '', series: [] },
    audit: {
      sound: true,
      checks: [
        {
          id: 'redeemed_once',
          what: 'No coupon was redeemed twice',
          checked: 4200,
          broken: 0,
          held: true,
          examples: [],
        },
        {
          id: 'conserved',
          what: 'The six places come to the total of each stock',
          checked: 2,
          broken: 0,
          held: true,
          examples: [],
        },
      ],
      stocks: [],
    },
    workload: '',
    search: null,
  };
}

/** Stores a report at a merchant, and says its id. */
export async function storeLoadTest(
  server: Server,
  merchant: string,
  outcome: 'PASS' | 'FAIL' | 'INVALID',
  words: { profile?: string; about?: string; factor?: number } = {},
): Promise<string> {
  const api = await server.merchant(merchant);
  const { status, body } = await api.call('POST', '/v1/load-tests', { report: loadReport(outcome, words) });
  if (status !== 201) throw new Error(`a load test: ${status} ${JSON.stringify(body)}`);
  return body.id as string;
}
