import { expect, test } from 'vitest';
import type { Decision } from '../api/risk';
import { bounds, farthest, kilometres, visits } from './places';

const SHANGHAI = { latitude: 31.23, longitude: 121.47 };
const BEIJING = { latitude: 39.9, longitude: 116.41 };

test('Shanghai is about 1,070 kilometres from Beijing', () => {
  expect(kilometres(SHANGHAI, BEIJING)).toBeGreaterThan(1_050);
  expect(kilometres(SHANGHAI, BEIJING)).toBeLessThan(1_090);
  expect(farthest([SHANGHAI, SHANGHAI, BEIJING])).toBeCloseTo(kilometres(SHANGHAI, BEIJING));
  expect(farthest([SHANGHAI])).toBe(0);
});

test('a map holds every place and is true to scale in its middle', () => {
  const { x, y } = bounds([SHANGHAI, BEIJING], 2);
  expect(x[0]).toBeLessThan(BEIJING.longitude);
  expect(x[1]).toBeGreaterThan(SHANGHAI.longitude);
  expect(y[0]).toBeLessThan(SHANGHAI.latitude);
  expect(y[1]).toBeGreaterThan(BEIJING.latitude);
  const middle = Math.cos((((SHANGHAI.latitude + BEIJING.latitude) / 2) * Math.PI) / 180);
  expect(((x[1] - x[0]) * middle) / (y[1] - y[0])).toBeCloseTo(2);
});

test('visits are counted by store', () => {
  const at = (store: string | null, minute: number): Decision =>
    ({ at: `2026-01-01T00:0${minute}:00Z`, subject: { store_id: store } }) as Decision;
  expect(visits([at('b', 1), at('a', 5), at('b', 3), at(null, 4)])).toEqual([
    { store: 'b', events: 2, last: '2026-01-01T00:03:00Z' },
    { store: 'a', events: 1, last: '2026-01-01T00:05:00Z' },
  ]);
});
