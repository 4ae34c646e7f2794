import { expect, test } from 'vitest';
import { byUrgency, settle } from './order';
import type { CaseView } from './reads';

const at = (id: string, priority: string, due: string): CaseView =>
  ({ id, priority, due_at: `2026-01-01T${due}:00Z`, merchant_id: 'mer_1' }) as CaseView;

const ids = (rows: readonly CaseView[]): string => rows.map((row) => row.id).join('');

test('high priority goes first, then what is due first', () => {
  const rows = [
    at('a', 'normal', '01:00'),
    at('b', 'high', '09:00'),
    at('c', 'high', '08:00'),
    at('d', 'normal', '01:00'),
  ];
  expect(ids(rows.toSorted(byUrgency))).toBe('cbad');
});

test('rows that are shown stay where they are, new ones at the end join them, others wait', () => {
  const shown = [at('b', 'high', '05:00'), at('a', 'normal', '06:00')];
  const read = [
    at('z', 'normal', '07:00'),
    at('y', 'high', '04:00'),
    { ...at('a', 'normal', '06:00'), state: 'claimed' },
  ];
  const { rows, arrived } = settle(shown, read);
  expect(ids(rows)).toBe('baz');
  expect(rows[1]?.state).toBe('claimed');
  expect(ids(arrived)).toBe('y');
});

test('an empty list shows what comes, in its order', () => {
  const { rows, arrived } = settle([], [at('a', 'normal', '06:00'), at('b', 'high', '05:00')]);
  expect(ids(rows)).toBe('ba');
  expect(arrived).toEqual([]);
});
