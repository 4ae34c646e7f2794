import { expect, test } from 'vitest';
import { rateAt, rateNow, sampleOf, sumOf, withSample, type Sample } from './counts';

const COUNTS = { total: 100, available: 60, claimed: 20, locked: 3, redeemed: 10, voided: 5, expired: 2 };

test('the six places come to the total', () => {
  expect(sumOf(COUNTS)).toBe(100);
});

test('rates are over five seconds, and none is known from one sample', () => {
  const at = (seconds: number, taken: number, redeemed: number): Sample => ({ at: seconds * 1000, taken, redeemed });
  const samples = [at(0, 0, 0), at(1, 10, 5), at(5, 50, 25), at(6, 70, 26)];
  expect(rateAt(samples, 0)).toBeNull();
  expect(rateAt(samples, 1)).toEqual({ claims: 10, redemptions: 5 });
  expect(rateNow(samples)).toEqual({ claims: 12, redemptions: 4.2 });
});

test('a total that grows is no claim, and what is voided ahead is none', () => {
  const before = sampleOf(0, COUNTS);
  const after = sampleOf(5000, { ...COUNTS, total: 200, available: 150, voided: 15 });
  expect(rateNow([before, after])).toEqual({ claims: 0, redemptions: 0 });
});

test('old samples go, and a moment counts once', () => {
  const sample = (at: number): Sample => ({ at, taken: 0, redeemed: 0 });
  const one = withSample([], sample(1000), 2000);
  expect(withSample(one, sample(1000), 2000)).toBe(one);
  expect(withSample(withSample(one, sample(2000), 2000), sample(3500), 2000).map((each) => each.at)).toEqual([
    2000, 3500,
  ]);
});
