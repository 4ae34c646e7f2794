import { createHmac, randomBytes } from 'node:crypto';

export interface Key {
  key_id: string;
  secret: string;
}

/** A signed request, as the README's samples make it. */
export async function signedCall(
  base: string,
  key: Key,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  const raw = body === undefined ? '' : JSON.stringify(body);
  const idempotencyKey = method === 'GET' ? '' : randomBytes(16).toString('hex');
  const timestamp = Math.floor(Date.now() / 1000);
  const nonce = randomBytes(16).toString('hex');
  const text = [method, path, timestamp, nonce, idempotencyKey, raw, ''].join('\n');
  const signature = createHmac('sha256', key.secret).update(text).digest('hex');
  const fields = { key_id: key.key_id, timestamp, nonce, signature };
  const credentials = Object.entries(fields).map(([name, value]) => `${name}="${value}"`);
  const headers: Record<string, string> = {
    'Content-Type': 'application/json',
    Authorization: `COUNTERFOIL-HMAC-SHA256 ${credentials.join(',')}`,
  };
  if (idempotencyKey) headers['Idempotency-Key'] = idempotencyKey;
  const answer = await fetch(base + path, { method, headers, ...(raw ? { body: raw } : {}) });
  const content = await answer.text();
  return { status: answer.status, body: content ? JSON.parse(content) : null };
}
