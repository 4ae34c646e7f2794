import { expect, test } from 'vitest';
import { pushNewest } from './ring';

test('the newest comes first and the oldest leaves', () => {
  expect(pushNewest([3, 2, 1], [4, 5], 4)).toEqual([5, 4, 3, 2]);
});

test('more than fits at once keeps the newest', () => {
  expect(pushNewest([0], [1, 2, 3, 4], 2)).toEqual([4, 3]);
});
