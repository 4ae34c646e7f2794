import { expect, test } from 'vitest';
import { fromWallClock, toWallClock } from './zoned';

test('a wall clock is read in its zone', () => {
  const at = Date.UTC(2026, 10, 27, 12, 15);
  expect(toWallClock(at, 'Asia/Shanghai')).toBe('2026-11-27T20:15');
  expect(fromWallClock('2026-11-27T20:15', 'Asia/Shanghai')).toBe(at);
  expect(fromWallClock('2026-11-27T12:15', 'UTC')).toBe(at);
  expect(fromWallClock('', 'UTC')).toBeNull();
});

test('the offset is that of the day, where clocks change', () => {
  expect(fromWallClock('2026-07-01T12:00', 'Europe/Berlin')).toBe(Date.UTC(2026, 6, 1, 10));
  expect(fromWallClock('2026-12-01T12:00', 'Europe/Berlin')).toBe(Date.UTC(2026, 11, 1, 11));
});
