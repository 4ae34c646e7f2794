import { randomBytes } from 'node:crypto';
import { expect } from './fixtures';
import type { Caller, Server } from './server';

/** A queue of a test's own, so that no other test's cases stand in it. */
export function queueName(): string {
  return `q-${randomBytes(4).toString('hex')}`;
}

export interface Made {
  id: string;
  decision: string;
  user: string;
  device: string;
  merchant: string;
}

/** Opens cases in a queue, each about a user of its own on one shared device; the first are due first. */
export async function openCases(server: Server, caller: Caller, queue: string, many: number): Promise<Made[]> {
  const merchant = await server.merchantId();
  const made: Made[] = [];
  for (let index = 0; index < many; index++) {
    const user = `${queue}-user-${index}`;
    const device = `${queue}-phone`;
    const subject = { user_id: user, device_id: device, ip: '203.0.113.7' };
    const decided = await caller.call('POST', '/v1/risk/decisions', { event: 'claim', subject, merchant_id: merchant });
    expect(decided.status, JSON.stringify(decided.body)).toBe(201);
    const opened = await caller.call('POST', '/v1/risk/cases', {
      queue,
      decision_ids: [decided.body.id],
      note: `Case ${index} of ${queue}`,
    });
    expect(opened.status, JSON.stringify(opened.body)).toBe(201);
    made.push({ id: opened.body.id, decision: decided.body.id, user, device, merchant });
  }
  return made;
}
