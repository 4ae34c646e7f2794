import type { Board, CasesChanged, DecisionBatch, DecisionSummary, Hello } from '../api/live';
import { queryText } from './match';
import { pushNewest } from './ring';
import { session } from './session.svelte';

export type StreamState = 'off' | 'ok' | 'reconnecting' | 'restarted';

/** How many decisions are kept for the page; older ones are asked for by query. */
export const KEPT = 500;
/** A board comes each second and a heartbeat each five: silence for this long means that the connection is gone. */
const SILENCE_MS = 10_000;
const RETRY_MS = 1_000;
/** For how long a restart is shown. */
const RESTARTED_MS = 15_000;

export interface StreamFilter {
  merchant_id?: string;
  action?: string;
  subject?: string;
}

/** The one connection for server-sent events, shared by all pages; the shell opens it while somebody is signed in. */
class Stream {
  state = $state<StreamState>('off');
  /** The newest board, replaced each second. */
  board = $state.raw<Board | null>(null);
  /** When it came, by this machine's clock in milliseconds: what its age is reckoned from. */
  boardAt = $state(0);
  /** The newest decisions, newest first, at most `KEPT`. */
  decisions = $state.raw<readonly DecisionSummary[]>([]);
  /** How many decisions the server did not send, since the connection was opened. */
  leftOut = $state(0);
  /** The newest word about cases: how many are open, and which changed. */
  cases = $state.raw<CasesChanged | null>(null);
  hello = $state.raw<Hello | null>(null);

  #source: EventSource | null = null;
  #filter: StreamFilter = {};
  #heard = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #arrivals = new Set<(batch: DecisionBatch) => void>();
  #boards = new Set<(board: Board) => void>();

  open(): void {
    if (this.#timer) return;
    this.#connect();
    this.#timer = setInterval(() => this.#watch(), RETRY_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = null;
    this.state = 'off';
    [this.board, this.cases, this.hello, this.decisions, this.leftOut] = [null, null, null, [], 0];
    this.boardAt = 0;
  }

  /** Narrows what the server sends; the decisions kept so far are dropped. */
  narrow(filter: StreamFilter): void {
    if (queryText({ ...filter }) === queryText({ ...this.#filter })) return;
    this.#filter = filter;
    [this.decisions, this.leftOut] = [[], 0];
    if (this.#timer) this.#connect();
  }

  /** Calls back with each batch, outside of rendering; returns how to stop. */
  onDecisions(listener: (batch: DecisionBatch) => void): () => void {
    this.#arrivals.add(listener);
    return () => this.#arrivals.delete(listener);
  }

  /** Calls back with each board, while a component lives. Call it while the component is set up. */
  onBoard(listener: (board: Board) => void): void {
    $effect(() => {
      this.#boards.add(listener);
      return () => this.#boards.delete(listener);
    });
  }

  #connect(): void {
    this.#source?.close();
    this.#heard = Date.now();
    const source = new EventSource(`/v1/risk/stream${queryText({ ...this.#filter })}`);
    this.#source = source;
    source.onerror = () => {
      if (this.#source === source) this.state = 'reconnecting';
    };
    this.#listen<Hello>(source, 'hello', (hello) => this.#greet(hello));
    this.#listen<Board>(source, 'board', (board) => {
      [this.board, this.boardAt] = [board, Date.now()];
      for (const listener of this.#boards) listener(board);
    });
    this.#listen<CasesChanged>(source, 'cases', (cases) => (this.cases = cases));
    this.#listen<DecisionBatch>(source, 'decisions', (batch) => {
      this.decisions = pushNewest(this.decisions, batch.decisions, KEPT);
      this.leftOut += batch.left_out;
      for (const listener of this.#arrivals) listener(batch);
    });
  }

  #listen<T>(source: EventSource, name: string, take: (data: T) => void): void {
    source.addEventListener(name, (event: MessageEvent<string>) => {
      if (this.#source !== source) return;
      this.#heard = Date.now();
      take(JSON.parse(event.data) as T);
    });
  }

  #greet(hello: Hello): void {
    const restarted = this.hello !== null && this.hello.started_at !== hello.started_at;
    this.hello = hello;
    this.state = restarted ? 'restarted' : 'ok';
    if (restarted) setTimeout(() => this.state === 'restarted' && (this.state = 'ok'), RESTARTED_MS);
  }

  /** A browser gives up on a stream that was refused, and does not notice one that fell silent; both begin anew. */
  #watch(): void {
    if (session.expired || !this.#source) return;
    const closed = this.#source.readyState === EventSource.CLOSED;
    if (!closed && Date.now() - this.#heard < SILENCE_MS) return;
    this.state = 'reconnecting';
    this.#connect();
  }
}

export const stream = new Stream();
