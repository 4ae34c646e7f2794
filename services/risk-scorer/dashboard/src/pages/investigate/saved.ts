import { remember, remembered } from '../../lib/storage';

export interface Saved {
  name: string;
  /** The address behind `#/investigate`. */
  query: Record<string, string>;
}

const KEY = 'queries';
/** More would be a list that nobody reads. */
const MOST = 50;

export function load(): Saved[] {
  try {
    const kept: unknown = JSON.parse(remembered(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isSaved) : [];
  } catch {
    return [];
  }
}

function isSaved(value: unknown): value is Saved {
  const saved = value as Partial<Saved> | null;
  return typeof saved?.name === 'string' && typeof saved.query === 'object';
}

/** With one more in front; one of the same name is replaced. */
export function store(kept: readonly Saved[], saved: Saved): Saved[] {
  const next = [saved, ...without(kept, saved.name)].slice(0, MOST);
  remember(KEY, JSON.stringify(next));
  return next;
}

export function forget(kept: readonly Saved[], name: string): Saved[] {
  const next = without(kept, name);
  remember(KEY, JSON.stringify(next));
  return next;
}

function without(kept: readonly Saved[], name: string): Saved[] {
  return kept.filter((each) => each.name !== name);
}
