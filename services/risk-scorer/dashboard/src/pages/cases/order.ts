import type { CaseView } from './reads';

type Urgent = Pick<CaseView, 'id' | 'priority' | 'due_at' | 'merchant_id'>;

/** The order in which `POST /cases/next` gives them: high priority first, then by when they are due. */
export function byUrgency(a: Urgent, b: Urgent): number {
  return (
    Number(b.priority === 'high') - Number(a.priority === 'high') ||
    Date.parse(a.due_at) - Date.parse(b.due_at) ||
    order(a.merchant_id, b.merchant_id) ||
    order(a.id, b.id)
  );
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * Puts what was read into the order that is shown, so that no row moves under the eye: known rows stay in their places
 * (also those that fit the filter no longer), new ones that belong at the end follow, and the rest waits to be shown.
 */
export function settle(
  shown: readonly CaseView[],
  read: readonly CaseView[],
): { rows: CaseView[]; arrived: CaseView[] } {
  const fresh = new Map(read.map((row) => [row.id, row]));
  const rows = shown.map((row) => fresh.get(row.id) ?? row);
  const known = new Set(shown.map((row) => row.id));
  const last = shown.at(-1);
  const added = read.filter((row) => !known.has(row.id)).sort(byUrgency);
  const isLast = (row: CaseView): boolean => last === undefined || byUrgency(last, row) < 0;
  return { rows: [...rows, ...added.filter(isLast)], arrived: added.filter((row) => !isLast(row)) };
}
