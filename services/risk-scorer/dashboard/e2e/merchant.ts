import { randomBytes } from 'node:crypto';
import type { Caller, Server } from './server';

/** A merchant of a test's own, with a key and a stock that is open. */
export interface Shop {
  id: string;
  name: string;
  stock: string;
  api: Caller;
}

export function fresh(what: string): string {
  return `${what}-${randomBytes(5).toString('hex')}`;
}

async function made(api: Caller, path: string, body: unknown, status = 201): Promise<Record<string, unknown>> {
  const answer = await api.call('POST', path, body);
  if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body as Record<string, unknown>;
}

export const STOCK = {
  type: 'cash',
  name: 'Ten off 十元券',
  terms: 'From 30. 满30元可用。',
  value: { amount_off: { amount: 1000, currency: 'CNY' }, minimum_spend: { amount: 3000, currency: 'CNY' } },
  total: 1000,
  valid_after_claim: { days: 30 },
};

/** Opens a shop; `more` replaces fields of its stock. */
export async function openShop(server: Server, name = fresh('Shop'), more: object = {}): Promise<Shop> {
  const merchant = await made(await server.platform(), '/v1/merchants', { name, mode: 'test' });
  const id = String(merchant.id);
  const api = await server.merchant(id);
  const stock = String((await made(api, '/v1/stocks', { ...STOCK, ...more })).id);
  await made(api, `/v1/stocks/${stock}/activate`, undefined, 200);
  return { id, name, stock, api };
}

/** Claims a coupon as an end user. */
export async function claim(shop: Shop, user = fresh('user')): Promise<Record<string, unknown>> {
  const body = {
    stock_id: shop.stock,
    user_id: user,
    channel: 'mini_program',
    context: { device_id: fresh('device') },
  };
  return made(shop.api, '/v1/claims', body);
}

/** Redeems it in an order. */
export async function redeem(shop: Shop, coupon: unknown, order = fresh('order')): Promise<Record<string, unknown>> {
  const body = {
    coupons: [{ coupon_id: coupon }],
    order: { id: order, amount: 4200, currency: 'CNY' },
    context: { device_id: fresh('device') },
  };
  return made(shop.api, '/v1/redemptions', body);
}
