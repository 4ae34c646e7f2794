import { untrack } from 'svelte';
import { api } from '../../lib/api';
import { resource } from '../../lib/resource.svelte';
import { stream } from '../../lib/stream.svelte';
import { byUrgency, settle } from './order';
import type { CaseView } from './reads';

export interface Filter {
  state: string;
  queue: string;
  assignee: string;
}

/** Pages that are read: the most urgent case may stand on the last one. */
const PAGES = 5;
const LIMIT = 200;
/** Rows that left the list are read one by one, so that they say what became of them. */
const MOST_GONE = 20;
/** Cases change in bursts: the list is read again at most so often. */
const EVERY_MS = 1_500;

interface Found {
  of: string;
  rows: CaseView[];
  /** There are more than were read. */
  cut: boolean;
}

/** The queue as it is shown: it follows the stream, and no row moves under the eye. */
export function queueList(filter: () => Filter) {
  const key = (): string => JSON.stringify(filter());
  let shown = $state.raw<{ of: string; rows: CaseView[]; arrived: CaseView[] }>({ of: '', rows: [], arrived: [] });
  let timer: ReturnType<typeof setTimeout> | undefined;

  const found = resource(async (signal) => {
    const [of, wanted] = [key(), filter()];
    const { rows, cut } = await pages(wanted, signal);
    const here = new Set(rows.map((row) => row.id));
    const gone = untrack(() => (shown.of === of ? shown.rows : [])).filter((row) => !here.has(row.id));
    const became = gone.slice(0, MOST_GONE).map(({ id }) => api.get('/v1/risk/cases/{id}', { params: { id }, signal }));
    return { of, rows: [...rows, ...(await Promise.all(became))], cut } satisfies Found;
  });

  $effect(() => {
    const read = found.data;
    if (!read) return;
    const before = untrack(() => shown);
    const known = before.of === read.of ? before.rows : [];
    // What is closed has no urgency: the newest stands first, as the server has it.
    const isClosed = filter().state === 'closed';
    shown = { of: read.of, ...(isClosed ? { rows: read.rows, arrived: [] } : settle(known, read.rows)) };
  });

  $effect(() => {
    if (!stream.cases || timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      void found.reload();
    }, EVERY_MS);
  });
  $effect(() => () => clearTimeout(timer));

  return {
    get rows() {
      return shown.of === key() ? shown.rows : [];
    },
    /** New ones that would push others down: they wait for a word. */
    get arrived() {
      return shown.of === key() ? shown.arrived : [];
    },
    get cut() {
      return found.data?.cut ?? false;
    },
    get loading() {
      return found.loading || shown.of !== key();
    },
    get error() {
      return found.error;
    },
    get at() {
      return found.at;
    },
    /** Puts new rows where they belong, and the others stay. */
    showArrived(): void {
      shown = { ...shown, rows: [...shown.rows, ...shown.arrived].sort(byUrgency), arrived: [] };
    },
    /** Begins anew: what left the list goes. */
    reset(): Promise<void> {
      shown = { of: '', rows: [], arrived: [] };
      return found.reload();
    },
  };
}

async function pages(wanted: Filter, signal: AbortSignal): Promise<{ rows: CaseView[]; cut: boolean }> {
  const filter = { state: wanted.state, queue: wanted.queue || undefined, assignee: wanted.assignee || undefined };
  const rows: CaseView[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < (wanted.state === 'closed' ? 1 : PAGES); page++) {
    const { data, next_cursor } = await api.get('/v1/risk/cases', {
      query: { ...filter, cursor, limit: LIMIT },
      signal,
    });
    rows.push(...data);
    if (!next_cursor) return { rows, cut: false };
    cursor = next_cursor;
  }
  return { rows, cut: true };
}
