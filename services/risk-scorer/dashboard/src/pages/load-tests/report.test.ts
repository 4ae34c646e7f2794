import { expect, test } from 'vitest';
import { pageOf } from './page';
import { leastHeadroom, outcomeOf, type Held, type Report } from './report';

const held = (headroom_percent: number | null): Held => ({
  text: 'p99 < 150ms',
  measured: 10,
  limit: 150,
  unit: 'ms',
  passed: true,
  headroom_percent,
});
const REPORT: Report = {
  profile: '</script><script>alert(1)</script>',
  verdict: { outcome: 'PASS', line: 'PASS x' },
  load: { peak_per_second: 1 },
};

test('the least headroom counts', () => {
  expect(leastHeadroom({ ...REPORT, thresholds: [held(93.3), held(null), held(41.5)] })).toBeCloseTo(0.415);
  expect(leastHeadroom({ ...REPORT, thresholds: [held(null)] })).toBeNull();
  expect(leastHeadroom(REPORT)).toBeNull();
});

test('a line says its outcome', () => {
  expect(outcomeOf('INVALID saturday: late', false)).toBe('INVALID');
  expect(outcomeOf('PASSABLE', false)).toBe('FAIL');
});

test('the page has each part in its place, and a report cannot leave its own', () => {
  const page = pageOf(REPORT);
  expect(page).not.toMatch(/\/\*(UPLOT|PAGE|RESULT)/);
  expect(page).toContain('window.result = {"profile":"\\u003c/script>');
  expect(page).not.toContain('<script>alert(1)');
});
