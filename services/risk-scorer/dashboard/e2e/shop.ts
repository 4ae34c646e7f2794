import { randomBytes } from 'node:crypto';
import type { Answer, Caller, Server } from './server';
import { signedCall, type Key } from './signing';

/** A merchant of a test's own, with a stock, doing what the test says. */
export class Shop {
  #order = 0;

  private constructor(
    readonly caller: Caller,
    readonly merchant: string,
    readonly stock: string,
  ) {}

  static async open(server: Server, name: string, total = 1_000): Promise<Shop> {
    const platform = await server.platform();
    const merchant = done(await platform.call('POST', '/v1/merchants', { name, mode: 'test' })).id as string;
    const key = done(await platform.call('POST', `/v1/merchants/${merchant}/keys`, { role: 'admin' })) as Key;
    // The address may change with a restart, so it is read at each call.
    const caller: Caller = {
      call: async (method, path, body) => (await signedCall(server.base, key, method, path, body)) as Answer,
    };
    const stock = done(await caller.call('POST', '/v1/stocks', terms(name, total))).id as string;
    done(await caller.call('POST', `/v1/stocks/${stock}/activate`, {}));
    return new Shop(caller, merchant, stock);
  }

  /** Claims by as many users, on one device and address; the codes. */
  async claim(count: number, device: string, ip = '203.0.113.9'): Promise<string[]> {
    const codes: string[] = [];
    for (let n = 0; n < count; n++) {
      const context = { device_id: device, ip };
      const body = { stock_id: this.stock, user_id: `user-${unique()}`, context };
      codes.push(done(await this.caller.call('POST', '/v1/claims', body)).code as string);
    }
    return codes;
  }

  /** A store of the merchant; its id. */
  async addStore(name: string): Promise<string> {
    return done(await this.caller.call('POST', '/v1/stores', { name })).id as string;
  }

  /** Redeems each code in an order of its own, in a store where one is named. */
  async redeem(codes: string[], device = 'till', store?: string): Promise<void> {
    for (const code of codes) {
      done(await this.caller.call('POST', '/v1/redemptions', this.#redemption(code, device, store)));
    }
  }

  /** Tries codes that are redeemed. */
  async redeemAgain(codes: string[]): Promise<void> {
    for (const code of codes) {
      const { status } = await this.caller.call('POST', '/v1/redemptions', this.#redemption(code, 'till'));
      if (status !== 409) throw new Error(`redeemed twice: ${status}`);
    }
  }

  /** A claim on the device that test mode always blocks; its status. */
  async block(): Promise<number> {
    const body = { stock_id: this.stock, user_id: `user-${unique()}`, context: { device_id: 'test_block' } };
    return (await this.caller.call('POST', '/v1/claims', body)).status;
  }

  #redemption(code: string, device: string, store_id?: string): unknown {
    const order = { id: `order-${++this.#order}-${unique()}`, amount: 4200, currency: 'CNY' };
    return { coupons: [{ code }], order, store_id, context: { device_id: device } };
  }
}

function terms(name: string, total: number): unknown {
  return {
    type: 'cash',
    name: `${name}, 5 off 30`,
    terms: 'Spend 30, save 5.',
    value: {
      amount_off: { amount: 500, currency: 'CNY' },
      minimum_spend: { amount: 3000, currency: 'CNY' },
    },
    total,
    valid_after_claim: { days: 30 },
  };
}

function unique(): string {
  return randomBytes(6).toString('hex');
}

function done({ status, body }: Answer): Answer['body'] {
  if (status >= 300) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body;
}
