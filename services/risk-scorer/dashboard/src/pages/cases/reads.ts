import type { Cluster, Decision, Page } from '../../api/risk';
import { Ahead } from '../../lib/ahead';
import { api, send, type Schema } from '../../lib/api';
import { session } from '../../lib/session.svelte';

export type CaseView = Schema<'CaseView'>;
export type Similar = Schema<'SimilarView'>;
export type Store = Schema<'StoreView'>;

/** A subject in clear, at the merchant whose pseudonym was made of it. */
export interface Whom {
  kind: string;
  value: string;
  merchant: string;
}

/** Events of a timeline that a case page looks at. */
const EVENTS = 50;

const ahead = new Ahead();
/** Reads that are begun ahead do not end with the page that began them. */
const lasting = new AbortController().signal;

/** What one user may see says nothing of what the next one may. */
const keyOf = (what: string, id: string): string => `${session.user?.id} ${what} ${id}`;
const take = <T>(what: string, id: string, read: () => Promise<T>): Promise<T> => ahead.take(keyOf(what, id), read);

export function readCase(id: string): Promise<CaseView> {
  return take('case', id, () => api.get('/v1/risk/cases/{id}', { params: { id }, signal: lasting }));
}

export function forgetCase(id: string): void {
  ahead.forget(keyOf('case', id));
}

/** A claim's answer has no steps and notes; what is known of these stays until the case is read again. */
export async function know(taken: CaseView): Promise<void> {
  const known = await ahead.take(keyOf('case', taken.id), () => Promise.resolve(taken));
  ahead.put(keyOf('case', taken.id), { ...known, ...taken });
}

export function readDecision(id: string): Promise<Decision> {
  return take('decision', id, () =>
    send<Decision>('get', '/v1/risk/decisions/{id}', { params: { id }, signal: lasting }),
  );
}

export function forgetDecision(id: string): void {
  ahead.forget(keyOf('decision', id));
}

export function readSimilar(id: string): Promise<Similar[]> {
  const read = api.get;
  return take(
    'similar',
    id,
    async () => (await read('/v1/risk/cases/{id}/similar', { params: { id }, signal: lasting })).data,
  );
}

export function readTimeline(whom: Whom): Promise<Page<Decision>> {
  const { kind, value, merchant } = whom;
  const options = { params: { kind, value }, query: { merchant_id: merchant, limit: EVENTS }, signal: lasting };
  const path = '/v1/risk/subjects/{kind}/{value}/timeline';
  return take('timeline', `${merchant} ${kind} ${value}`, () => send<Page<Decision>>('get', path, options));
}

/** Stores and cashiers have no cluster. */
export function readCluster(whom: Whom, depth = 2): Promise<Cluster | null> {
  const { kind, value, merchant } = whom;
  if (!['user', 'device', 'ip'].includes(kind)) return Promise.resolve(null);
  const options = { params: { kind, value }, query: { merchant_id: merchant, depth }, signal: lasting };
  const path = '/v1/risk/subjects/{kind}/{value}/cluster';
  return take('cluster', `${merchant} ${kind} ${value} ${depth}`, () => send<Cluster>('get', path, options));
}

/** Where a store is; what cannot be read is left out by whoever draws it. */
export function readStore(id: string): Promise<Store> {
  return take('store', id, () => api.get('/v1/stores/{id}', { params: { id }, signal: lasting }));
}

const PARTS = {
  user: { clear: 'user_id', pseudonym: 'user' },
  device: { clear: 'device_id', pseudonym: 'device' },
  ip: { clear: 'ip', pseudonym: 'address' },
} as const;

/** Whom a case is about in clear, where this decision kept it. */
export function whomOf(it: CaseView, decision: Decision): Whom | null {
  const part = PARTS[it.subject?.kind as keyof typeof PARTS] as (typeof PARTS)[keyof typeof PARTS] | undefined;
  const value = part && decision.subject[part.clear];
  if (!part || !value || decision.subject[part.pseudonym] !== it.subject?.pseudonym) return null;
  return { kind: it.subject.kind, value, merchant: it.merchant_id };
}

/** Decisions that are looked at for a subject in clear. */
const LOOK_AT = 5;

/** Whom a case is about in clear: refused requests kept nothing of it, so some decisions are tried. */
export async function findWhom(it: CaseView): Promise<Whom | null> {
  for (const id of it.decision_ids.slice(-LOOK_AT).reverse()) {
    const whom = whomOf(it, await readDecision(id));
    if (whom) return whom;
  }
  return null;
}

/** Begins to read all that a case's page shows. */
export async function warm(id: string): Promise<void> {
  void readSimilar(id).catch(() => undefined);
  const whom = await findWhom(await readCase(id));
  if (whom) await Promise.all([readTimeline(whom), readCluster(whom)]);
}
