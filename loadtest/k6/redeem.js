// Redemptions by a schedule, signed, for teams that have k6. `loadtest run` says more: it audits what the server tells
// afterwards, and repeats what it has no answer to until it knows.
//
//   k6 run -e KEY_FILE=key.json -e CODES=codes.csv -e RATE=200 -e DURATION=60s redeem.js
//
// KEY_FILE  {"key_id", "secret"} of an operator or admin        CODES     what GET /v1/code-batches/{id}/codes gives
// BASE_URL  default http://127.0.0.1:8080                        RATE      redemptions per second, default 200
// DURATION  default 60s                                          AMOUNT    of each order, minor units, default 12800
// CURRENCY  default CNY                                       P99       at most, milliseconds, default 10
import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { SharedArray } from 'k6/data';
import { Counter } from 'k6/metrics';
import { signed } from './sign.js';

const BASE_URL = __ENV.BASE_URL || 'http://127.0.0.1:8080';
const RATE = Number(__ENV.RATE || 200);
const DURATION = __ENV.DURATION || '60s';
const AMOUNT = Number(__ENV.AMOUNT || 12800);
const CURRENCY = __ENV.CURRENCY || 'CNY';
const P99 = Number(__ENV.P99 || 10);
// How often a request without a definite answer is repeated, under the same key.
const ATTEMPTS = 5;

const key = JSON.parse(open(__ENV.KEY_FILE || 'key.json'));
const codes = new SharedArray('codes', () =>
  open(__ENV.CODES || 'codes.csv')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',')[0]),
);
const unknown = new Counter('outcome_unknown');

export const options = {
  scenarios: {
    redeem: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: DURATION,
      preAllocatedVUs: Math.max(32, Math.ceil(RATE / 10)),
      maxVUs: Math.max(256, RATE),
    },
  },
  thresholds: {
    'http_req_duration{name:redeem}': [`p(99)<${P99}`],
    checks: ['rate>0.999'],
    outcome_unknown: ['count==0'],
    dropped_iterations: ['count==0'],
  },
  summaryTrendStats: ['avg', 'med', 'p(90)', 'p(99)', 'p(99.9)', 'max'],
};

export function setup() {
  // Once for all of k6's users: part of every key and order.
  return { run: `k6-${Date.now().toString(36)}` };
}

export default function (data) {
  const n = exec.scenario.iterationInTest;
  if (n >= codes.length) {
    exec.test.abort(`the ${codes.length} codes are used up: make more, or shorten the run`);
  }
  const body = JSON.stringify({
    coupons: [{ code: codes[n] }],
    order: { id: `${data.run}-${n}`, amount: AMOUNT, currency: CURRENCY },
    user_id: `user-${n}`,
    context: { device_id: `device-${n}`, ip: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}` },
  });
  const idempotencyKey = `${data.run}-${n}`;
  let answer;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // Signed anew each time: a nonce is good once.
    const headers = signed(key, 'POST', '/v1/redemptions', idempotencyKey, body);
    answer = http.post(`${BASE_URL}/v1/redemptions`, body, { headers, tags: { name: 'redeem' } });
    const open = answer.status === 0 || answer.status >= 500 || answer.status === 429;
    if (!open) break;
  }
  const definite = answer.status !== 0 && answer.status < 500;
  if (!definite) unknown.add(1);
  check(answer, { 'redeemed (201)': (it) => it.status === 201 });
}
