import { expect, test } from 'vitest';
import { sorted, visible, type Column } from './table';

interface Row {
  n: number | null;
  name: string;
}
const columns: Column<Row>[] = [
  { key: 'n', header: 'N', value: (row) => row.n },
  { key: 'name', header: 'Name', value: (row) => row.name },
];
const rows: Row[] = [
  { n: 10, name: 'd10' },
  { n: null, name: 'd9' },
  { n: 9, name: 'd1' },
];
const order = (key: string, descending: boolean) =>
  sorted(rows, columns, { key, descending }, 'en').map((row) => row.name);

test('numbers go by size, and what is missing goes last both ways', () => {
  expect(order('n', false)).toEqual(['d1', 'd10', 'd9']);
  expect(order('n', true)).toEqual(['d10', 'd1', 'd9']);
});

test('digits in names count as numbers', () => {
  expect(order('name', false)).toEqual(['d1', 'd9', 'd10']);
});

test('without a column the order stays, and the rows given are never moved', () => {
  expect(sorted(rows, columns, null, 'en')).toBe(rows);
  order('n', false);
  expect(rows[0]?.n).toBe(10);
});

test('of many rows few are drawn', () => {
  const { from, until } = visible(50_000 * 34, 600, 34, 100_000);
  expect(until - from).toBeLessThan(40);
  expect(from).toBeLessThanOrEqual(50_000);
  expect(until).toBeGreaterThanOrEqual(50_018);
});

test('past the end, after the rows became fewer, nothing is out of range', () => {
  expect(visible(1_000_000, 600, 34, 10)).toEqual({ from: 10, until: 10 });
  expect(visible(0, 600, 34, 0)).toEqual({ from: 0, until: 0 });
});
