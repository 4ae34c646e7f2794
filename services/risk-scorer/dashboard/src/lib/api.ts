import type { components, paths } from '../api/schema';
import { fillPath, queryText } from './match';
import { ApiError, NETWORK } from './problem';
import { router } from './router.svelte';

export { ApiError };

/** The server's own types: `Schema<'CaseView'>`. */
export type Schema<N extends keyof components['schemas']> = components['schemas'][N];

type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete';
type Operation<P extends keyof paths, V extends Verb> = Exclude<paths[P][V], undefined>;
type PathOf<V extends Verb> = { [P in keyof paths]: Operation<P, V> extends never ? never : P }[keyof paths];

type Part<O, N extends string> = O extends { parameters: { [K in N]?: infer T } } ? Exclude<T, undefined> : never;
type Body<B> = B extends { content: { 'application/json': infer T } } ? T : never;
type BodyOf<O> = O extends { requestBody?: infer B } ? Body<Exclude<B, undefined>> : never;
type JsonOf<R> = R extends { content: { 'application/json': infer T } } ? T : undefined;
type AnswerOf<O> = O extends { responses: infer R }
  ? { [S in keyof R]: S extends 200 | 201 | 202 | 204 ? JsonOf<R[S]> : never }[keyof R]
  : never;

type Loose<T> = { [K in keyof T]: T[K] | undefined };
type ParamsOption<O> = [Part<O, 'path'>] extends [never] ? unknown : { params: Part<O, 'path'> };
type QueryOption<O> = [Part<O, 'query'>] extends [never] ? unknown : { query?: Loose<Part<O, 'query'>> };
type BodyOption<O> = [BodyOf<O>] extends [never] ? unknown : { body: BodyOf<O> };
type Options<O> = ParamsOption<O> & QueryOption<O> & BodyOption<O> & Common;
/** Options may be left out where none of them is needed. */
type Rest<T> = object extends T ? [options?: T] : [options: T];

interface Common {
  /** Ends the call; reads end with the page unless told otherwise. */
  signal?: AbortSignal;
  /** The idempotency key of a write; one that is repeated by hand must keep its own. */
  key?: string;
}

interface Anything extends Common {
  params?: Record<string, string | number>;
  query?: Parameters<typeof queryText>[0];
  body?: unknown;
  /** A file in place of a body of JSON. */
  csv?: string;
}

/** What the session lends to calls; set by `session`, so that neither module needs the other to start. */
export const credentials: { csrf: string | null; expired: () => void } = { csrf: null, expired: () => undefined };

/** A new idempotency key. `randomUUID` would be missing where the page comes over plain http from another machine. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The key to try again with: the same while nobody knows what became of it, another for what was refused. */
export function keyAfter(error: unknown, key: string): string {
  return error instanceof ApiError && error.status > 0 && error.status < 500 ? newKey() : key;
}

function call<V extends Verb>(verb: V) {
  return <P extends PathOf<V>>(path: P, ...rest: Rest<Options<Operation<P, V>>>) =>
    send<AnswerOf<Operation<P, V>>>(verb, path, (rest[0] ?? {}) as Anything);
}

/**
 * The API, typed from its OpenAPI document: `api.get('/v1/risk/cases', { query: { state: 'open' } })`,
 * `api.post('/v1/risk/cases/{id}/close', { params: { id }, body })`. Every failure is an `ApiError`.
 */
export const api = {
  get: call('get'),
  post: call('post'),
  put: call('put'),
  patch: call('patch'),
  delete: call('delete'),
};

/** A call that the OpenAPI document has no type for; the caller says what comes back. */
export async function send<T>(verb: Verb, path: string, options: Anything = {}): Promise<T> {
  const url = fillPath(path, options.params ?? {}) + queryText(options.query ?? {});
  const headers: Record<string, string> = { Accept: 'application/json' };
  const init: RequestInit = { method: verb.toUpperCase(), headers, credentials: 'same-origin' };
  if (verb === 'get') {
    init.signal = options.signal ?? router.signal;
  } else {
    headers['Idempotency-Key'] = options.key ?? newKey();
    if (credentials.csrf) headers['X-CSRF-Token'] = credentials.csrf;
    if (options.signal) init.signal = options.signal;
  }
  if (options.body !== undefined) {
    headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(options.body);
  } else if (options.csv !== undefined) {
    headers['Content-Type'] = 'text/csv';
    init.body = options.csv;
  }
  const answer = await reach(url, init);
  if (!answer.ok) throw await refusal(answer, path);
  return (await content(answer)) as T;
}

/** A write whose answer got lost is repeated once: with the same key it cannot happen twice. */
async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted || init.method === 'GET') throw lost(error);
    return fetch(url, init).catch((again: unknown) => {
      throw lost(again);
    });
  }
}

function lost(error: unknown): unknown {
  return error instanceof DOMException && error.name === 'AbortError' ? error : new ApiError(NETWORK);
}

async function content(answer: Response): Promise<unknown> {
  const text = await answer.text();
  if (text === '') return undefined;
  return answer.headers.get('Content-Type')?.includes('json') ? JSON.parse(text) : text;
}

async function refusal(answer: Response, path: string): Promise<ApiError> {
  const error = await ApiError.of(answer);
  // Signing in answers 401 too, and means something else by it.
  if (answer.status === 401 && path !== '/v1/sessions') credentials.expired();
  return error;
}

/** True of what an aborted call throws; nobody waits for that answer any more. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
