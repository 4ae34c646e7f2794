import { describe, expect, it } from 'vitest';
import { Levels, soldOutIn } from './forecast';

describe('when a stock is sold out', () => {
  it('follows from the pace at which it was taken', () => {
    expect(
      soldOutIn([
        { at: 0, available: 1_100 },
        { at: 20_000, available: 1_000 },
      ]),
    ).toBe(200_000);
  });
  it('is not said where it cannot be', () => {
    expect(soldOutIn([])).toBeNull();
    expect(soldOutIn([{ at: 0, available: 5 }])).toBeNull();
    const pace = (ms: number, before: number, now: number) =>
      soldOutIn([
        { at: 0, available: before },
        { at: ms, available: now },
      ]);
    expect(pace(5_000, 9, 5), 'too short a time').toBeNull();
    expect(pace(20_000, 5, 5), 'nothing taken').toBeNull();
    expect(pace(20_000, 5, 9), 'more than before').toBeNull();
    expect(pace(20_000, 5, 0), 'it is sold out').toBeNull();
    expect(pace(20_000, 100_001, 100_000_000), 'more than before').toBeNull();
    expect(pace(20_000, 1_000_001, 1_000_000), 'in most of a year').toBeNull();
  });
});

describe('levels', () => {
  it('are kept for two minutes and for what is on the board', () => {
    const levels = new Levels();
    for (let second = 0; second <= 600; second++) {
      levels.add(second * 1_000, [{ stock_id: 'a', available: 1_000 - second }]);
    }
    expect(levels.of('a').length).toBe(120);
    expect(levels.of('a').at(-1)).toEqual({ at: 600_000, available: 400 });
    expect(soldOutIn(levels.of('a'))).toBe(400_000);
    levels.add(601_000, [{ stock_id: 'b', available: 1 }]);
    expect(levels.of('a')).toEqual([]);
  });
});
