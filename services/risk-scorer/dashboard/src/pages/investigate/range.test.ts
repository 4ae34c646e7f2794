import { describe, expect, it } from 'vitest';
import { moved, ofField, rangeOf, stepFor, stepsOf, toField, wider } from './range';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const range = (from: string, until = '') => rangeOf(from, until, NOW);
const MINUTE = 60_000;

describe('ranges', () => {
  it('end now, or have two ends', () => {
    expect(range('-15m')).toEqual({ from: NOW - 15 * MINUTE, until: NOW, last: '-15m' });
    const day = range('2026-11-26T00:00:00Z', '2026-11-27T00:00:00Z');
    expect([day.last, day.until - day.from]).toEqual([null, 86_400_000]);
  });
  it('are the usual one where nothing can be read', () => {
    for (const [from, until] of [
      ['', ''],
      ['yesterday', 'today'],
      ['2026-11-27T00:00:00Z', '2026-11-26T00:00:00Z'],
      ['-3d', ''],
    ] as const) {
      expect(range(from, until)).toEqual({ from: NOW - 60 * MINUTE, until: NOW, last: '-1h' });
    }
  });
  it('are widened without the future, and moved by their length', () => {
    expect(wider(range('-1h'), NOW)).toEqual({ from: '2026-11-27T10:00:00.000Z', until: '2026-11-27T12:00:00.000Z' });
    const past = range('2026-11-26T10:00:00Z', '2026-11-26T12:00:00Z');
    expect(wider(past, NOW)).toEqual({ from: '2026-11-26T09:00:00.000Z', until: '2026-11-26T13:00:00.000Z' });
    expect(moved(past, -1)).toEqual({ from: '2026-11-26T08:00:00.000Z', until: '2026-11-26T10:00:00.000Z' });
    expect(moved(past, 1)).toEqual({ from: '2026-11-26T12:00:00.000Z', until: '2026-11-26T14:00:00.000Z' });
  });
});

describe('steps', () => {
  it('are those that the server counts', () => {
    expect(stepsOf(range('-15m'))).toEqual([60, 300, 900]);
    expect(stepsOf(range('-7d'))).toEqual([900, 3_600, 21_600, 86_400, 604_800]);
    expect(stepsOf(range('-30d')).includes(2_592_000)).toBe(true);
  });
  it('are chosen, or fine enough for a short time, or the server’s', () => {
    expect(stepFor(range('-1h'), 300)).toBe(300);
    expect(stepFor(range('-1h'), 0)).toBeUndefined();
    expect(stepFor(range('-30d'), 60), 'too many').toBeUndefined();
    expect(stepFor(range('-15m'), 0)).toBe(10);
    expect(stepFor(rangeOf('2026-11-26T10:00:00Z', '2026-11-26T10:01:00Z', NOW), 0)).toBe(1);
  });
});

describe('fields for date and time', () => {
  it('say the moment in the zone, there and back', () => {
    expect(toField(NOW, true)).toBe('2026-11-27T12:00');
    expect(ofField('2026-11-27T12:00', true)).toBe(NOW);
    expect(ofField(toField(NOW, false), false)).toBe(NOW);
    expect(ofField('', true)).toBeNaN();
    expect(ofField('', false)).toBeNaN();
  });
});
