import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { signedCall, type Key } from './signing';

export type Role = 'analyst' | 'analyst_lead' | 'merchant' | 'engineer';

export interface Answer {
  status: number;
  // What comes back is the tests' to look at, field by field.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

export interface Caller {
  call(method: string, path: string, body?: unknown): Promise<Answer>;
}

const WAIT_MS = 60_000;
const ROOT = resolve(import.meta.dirname, '../../../..');

/** `COUNTERFOIL` names the binary; else the one that was built, quick before debug. */
function binary(): string {
  const named = process.env['COUNTERFOIL'];
  if (named) return named;
  const built = ['quick', 'debug'].map((profile) => join(ROOT, 'target', profile, 'counterfoil'));
  const found = built.find((path) => existsSync(path));
  if (!found) throw new Error(`no counterfoil was built: none of ${built.join(', ')}; COUNTERFOIL may name one`);
  return found;
}

/** A real server on a data directory of its own. */
export class Server {
  base = '';
  /** The one-time link that it printed. */
  link = '';
  #process: ChildProcess | undefined;
  #users = new Map<string, { name: string; password: string }>();
  #platform: Key | undefined;
  #merchants = new Map<string, Key>();

  private constructor(
    readonly folder: string,
    readonly command: 'demo' | 'serve',
  ) {}

  static async start(command: 'demo' | 'serve' = 'demo'): Promise<Server> {
    const server = new Server(await mkdtemp(join(tmpdir(), 'counterfoil-e2e-')), command);
    await server.run('127.0.0.1:0');
    return server;
  }

  /** Starts the process; after `halt`, on the address that it had, as a restart does. */
  async run(listen = new URL(this.base).host): Promise<void> {
    const process = spawn(binary(), [this.command, '--data-dir', this.folder, '--listen', listen], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = process;
    const said: string[] = [];
    // What goes unread would fill the pipe and stop the server.
    process.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    await new Promise<void>((ready, failed) => {
      const timer = setTimeout(() => failed(new Error(`no address within a minute: ${said.join('')}`)), WAIT_MS);
      process.once('error', failed);
      process.once('exit', (code) => failed(new Error(`counterfoil ended with ${code}: ${said.join('')}`)));
      createInterface({ input: process.stdout }).on('line', (line) => {
        said.push(`${line}\n`);
        this.base = /^listening on (http:\S+)/.exec(line)?.[1] ?? this.base;
        const link = /^dashboard:\s+(http:\S+)/.exec(line)?.[1];
        if (!link) return;
        this.link = link;
        clearTimeout(timer);
        ready();
      });
    });
  }

  /** Records of the ledger that were applied so far, and the processor's time that the process has taken, seconds. */
  async work(): Promise<{ applied: number; cpuSeconds: number }> {
    const metrics = await (await fetch(`${this.base}/metrics`)).text();
    const applied = /^counterfoil_ledger_records_total\{outcome="applied"\} (\S+)$/m.exec(metrics)?.[1];
    // Behind the name, which may hold anything: fields 14 and 15 are ticks of a hundredth of a second.
    const stat = (await readFile(`/proc/${this.#process?.pid}/stat`, 'utf8')).split(') ').at(-1)?.split(' ') ?? [];
    return { applied: Number(applied), cpuSeconds: (Number(stat[11]) + Number(stat[12])) / 100 };
  }

  /** Ends the process, by its id and in order, and keeps the data. */
  async halt(): Promise<void> {
    const process = this.#process;
    if (!process || process.exitCode !== null) return;
    const ended = new Promise((done) => process.once('exit', done));
    process.kill('SIGTERM');
    await ended;
  }

  async stop(): Promise<void> {
    await this.halt();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The platform's key, signing each call: may do everything. */
  async platform(): Promise<Caller> {
    this.#platform ??= JSON.parse(await readFile(join(this.folder, 'platform-key.json'), 'utf8')) as Key;
    const key = this.#platform;
    return { call: (method, path, body) => signedCall(this.base, key, method, path, body) };
  }

  /** The test merchant that the demo made: the first one of all. */
  async merchantId(): Promise<string> {
    const { body } = await (await this.platform()).call('GET', '/v1/merchants?limit=200');
    return body.data.at(-1).id as string;
  }

  /** An admin's key of a merchant, signing each call. */
  async merchant(id: string): Promise<Caller> {
    let key = this.#merchants.get(id);
    if (!key) {
      const { status, body } = await (
        await this.platform()
      ).call('POST', `/v1/merchants/${id}/keys`, { name: 'e2e', role: 'admin' });
      if (status !== 201) throw new Error(`a key: ${status} ${JSON.stringify(body)}`);
      this.#merchants.set(id, (key = body as Key));
    }
    const known = key;
    return { call: (method, path, body) => signedCall(this.base, known, method, path, body) };
  }

  /** A user of this role, made when first asked for; `which` tells apart several of one role. */
  async user(role: Role, which = 'one', merchantId?: string): Promise<{ name: string; password: string }> {
    const name = `${role.replace('_', '-')}-${which}`;
    const known = this.#users.get(name);
    if (known) return known;
    const user = { name, password: randomBytes(18).toString('base64url') };
    const merchant = role === 'merchant' ? { merchant_id: merchantId ?? (await this.merchantId()) } : {};
    const request = { ...user, display_name: `${role} ${which}`, role, ...merchant };
    const { status, body } = await (await this.platform()).call('POST', '/v1/users', request);
    if (status !== 201) throw new Error(`user ${name}: ${status} ${JSON.stringify(body)}`);
    this.#users.set(name, user);
    return user;
  }

  /** Calls as a user of this role, with a session like the browser's. */
  async api(role: Role, which = 'one'): Promise<Caller> {
    const session = await this.#call('POST', '/v1/sessions', await this.user(role, which));
    if (session.status !== 200) throw new Error(`session: ${session.status} ${JSON.stringify(session.body)}`);
    const headers = { Cookie: session.cookie, 'X-CSRF-Token': session.body.csrf_token as string };
    return { call: (method, path, body) => this.#call(method, path, body, headers) };
  }

  async #call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer & { cookie: string }> {
    const key = { 'Idempotency-Key': randomBytes(16).toString('hex') };
    const answer = await fetch(this.base + path, {
      method,
      headers: { ...headers, ...(method === 'GET' ? {} : key), 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const cookie = (answer.headers.getSetCookie()[0] ?? '').split(';')[0] ?? '';
    return { status: answer.status, body: text ? JSON.parse(text) : null, cookie };
  }
}
