import type { Snippet } from 'svelte';
import type { Cell } from '../lib/csv';

export interface Column<T> {
  key: string;
  header: string;
  /** What is sorted by, exported, and shown where there is no `cell`. */
  value: (row: T) => Cell;
  /** How it is shown; text unless given. */
  cell?: Snippet<[T]>;
  align?: 'start' | 'end';
  /** A width in pixels; what has none shares the rest. */
  width?: number;
  /** False where the order means nothing. */
  sortable?: boolean;
  /** Left out on narrow screens. */
  wide?: boolean;
}

export interface Sort {
  key: string;
  descending: boolean;
}

/** Rows in the order of a column: numbers by size, texts by the language's order, missing values last both ways. */
export function sorted<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  sort: Sort | null,
  locale: string,
): readonly T[] {
  const column = sort && columns.find((each) => each.key === sort.key);
  if (!sort || !column) return rows;
  const collator = new Intl.Collator(locale, { numeric: true });
  const sign = sort.descending ? -1 : 1;
  const keyed = rows.map((row) => ({ row, value: column.value(row) }));
  keyed.sort((a, b) => {
    const [noA, noB] = [a.value === null || a.value === undefined, b.value === null || b.value === undefined];
    if (noA || noB) return Number(noA) - Number(noB);
    if (typeof a.value === 'number' && typeof b.value === 'number') return sign * (a.value - b.value);
    return sign * collator.compare(String(a.value), String(b.value));
  });
  return keyed.map((each) => each.row);
}

/** Which rows are drawn: those in view and a few around them. */
export function visible(
  scrollTop: number,
  height: number,
  rowHeight: number,
  count: number,
): { from: number; until: number } {
  const around = 8;
  const from = Math.max(0, Math.min(Math.floor(scrollTop / rowHeight) - around, count));
  return { from, until: Math.min(count, Math.max(from, Math.ceil((scrollTop + height) / rowHeight) + around)) };
}
