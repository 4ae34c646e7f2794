import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { storeLoadTest } from './loadReport';
import type { Caller, Role, Server } from './server';

/** A line of `src/routes.ts`. The registry imports components, so it is read as text here and not run. */
export interface Registered {
  pattern: string;
  /** Who may open it; empty for everybody. */
  roles: Role[];
}

export function registered(): Registered[] {
  const text = readFileSync(join(import.meta.dirname, '../src/routes.ts'), 'utf8');
  const lines = text.split(/^ {2}page\(/m).slice(1);
  const found = lines.map((line) => {
    const pattern = /^\s*'([^']+)'/.exec(line)?.[1] ?? '';
    const roles = /roles:\s*(ANALYSTS|\[[^\]]*\])/.exec(line)?.[1] ?? '';
    const list = roles === 'ANALYSTS' ? (/ANALYSTS[^=]*=\s*(\[[^\]]*\])/.exec(text)?.[1] ?? '') : roles;
    return { pattern, roles: [...list.matchAll(/'(\w+)'/g)].map((match) => match[1] as Role) };
  });
  if (found.length === 0 || found.some(({ pattern }) => !pattern.startsWith('/'))) {
    throw new Error('src/routes.ts is not written as e2e/registry.ts reads it');
  }
  return found;
}

/** Who looks at a page: the one who may do most there. */
export function viewer(page: Registered): Role {
  if (page.roles.length === 0 || page.roles.includes('analyst_lead')) return 'analyst_lead';
  return page.roles.includes('engineer') ? 'engineer' : (page.roles[0] ?? 'engineer');
}

const WAIT_MS = 45_000;

/** Asks until there is something: the demo's traffic needs a moment to bring cases and decisions. */
async function first<T>(what: string, find: () => Promise<T | undefined>): Promise<T> {
  const until = Date.now() + WAIT_MS;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (Date.now() > until) throw new Error(`there is no ${what} within ${WAIT_MS / 1000} seconds`);
    await new Promise((later) => setTimeout(later, 500));
  }
}

/** The first row of a list. */
async function row(api: Caller, path: string): Promise<Record<string, unknown>> {
  return first(path, async () => {
    const { status, body } = await api.call('GET', path);
    if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    return body.data[0] as Record<string, unknown> | undefined;
  });
}

/** What stands for the parameters of pages, by the first part of their pattern. */
const VALUES: Record<string, (server: Server, merchant: string) => Promise<string[]>> = {
  stocks: async (server, merchant) => {
    const { id } = await row(await server.merchant(merchant), '/v1/stocks');
    return [String(id)];
  },
  'load-tests': async (server, merchant) => [await storeLoadTest(server, merchant, 'PASS')],
  cases: async (server) => [String((await row(await server.platform(), '/v1/risk/cases')).id)],
  decisions: async (server) => [String((await row(await server.platform(), '/v1/risk/decisions')).id)],
  subjects: async (server, merchant) => {
    const api = await server.platform();
    const decision = await row(api, `/v1/risk/decisions?merchant_id=${merchant}`);
    const { body } = await api.call('GET', `/v1/risk/decisions/${String(decision.id)}`);
    const subject = Object.entries(body.subject as Record<string, unknown>).find(
      ([kind, value]) => ['user', 'device', 'store', 'user_id', 'device_id', 'store_id'].includes(kind) && value,
    );
    return [(subject?.[0] ?? 'device').replace('_id', ''), String(subject?.[1] ?? 'unknown')];
  },
  rules: async (server) => {
    const set = await row(await server.platform(), '/v1/risk/rulesets');
    return [String(set.id), String(set.version ?? 1)];
  },
  // Of the rules that the demo begins with.
  rule: () => Promise.resolve(['device_many_users']),
  models: async (server) => {
    const api = await server.platform();
    const known = await api.call('GET', '/v1/risk/models');
    const [model] = known.body.data as Record<string, unknown>[];
    if (model) return [String(model.id), String(model.version ?? 1)];
    const trees = [[[0, 2.5, 1, true, 0.1], [0.05], [0.9]]];
    const artifact = { format: 1, inputs: ['distinct(user by device, 24h)'], link: 'identity', base: 0, trees };
    const { status, body } = await api.call('POST', '/v1/risk/models', { artifact, metrics: { auc: 0.9 } });
    if (status !== 201) throw new Error(`a model: ${status} ${JSON.stringify(body)}`);
    return [String(body.id), String(body.version)];
  },
  lists: async (server) => [String((await row(await server.platform(), '/v1/risk/lists')).id)],
  backtests: async (server) => {
    const api = await server.platform();
    const known = await api.call('GET', '/v1/risk/backtests');
    if (known.body.data?.[0]) return [String(known.body.data[0].id)];
    const set = await row(api, '/v1/risk/rulesets');
    const [from, until] = [new Date(Date.now() - 3_600_000).toISOString(), new Date().toISOString()];
    const ruleset = { id: set.id, version: Number(set.version ?? 1) };
    const { status, body } = await api.call('POST', '/v1/risk/backtests', { ruleset, from, until });
    if (status !== 202) throw new Error(`a back-test: ${status} ${JSON.stringify(body)}`);
    return [String(body.id)];
  },
};

/** Where a page is, with ids that there are. */
export async function addressOf(page: Registered, server: Server, merchant: string): Promise<string> {
  const segment = page.pattern.split('/')[1] ?? '';
  if (!page.pattern.includes(':')) return page.pattern;
  const find = VALUES[segment];
  if (!find) throw new Error(`e2e/registry.ts does not know what to show at ${page.pattern}`);
  const values = await find(server, merchant);
  return page.pattern.replace(/:\w+/g, () => encodeURIComponent(values.shift() ?? ''));
}
