// The signature of a request: HMAC-SHA256 over method, path, time, nonce, idempotency key and body, each on its line.
import crypto from 'k6/crypto';
import encoding from 'k6/encoding';

export function stringToSign(method, path, timestamp, nonce, idempotencyKey, body) {
  return `${method}\n${path}\n${timestamp}\n${nonce}\n${idempotencyKey}\n${body}\n`;
}

// `key` is {key_id, secret}; `path` is with its query, as it is sent; `idempotencyKey` and `body` may be empty.
export function signed(key, method, path, idempotencyKey, body) {
  const timestamp = Math.floor(Date.now() / 1000).toString();
  const nonce = encoding.b64encode(crypto.randomBytes(18), 'rawurl');
  const text = stringToSign(method, path, timestamp, nonce, idempotencyKey, body);
  const signature = crypto.hmac('sha256', key.secret, text, 'hex');
  const headers = {
    Authorization:
      `COUNTERFOIL-HMAC-SHA256 key_id="${key.key_id}",timestamp="${timestamp}",` +
      `nonce="${nonce}",signature="${signature}"`,
  };
  if (idempotencyKey) headers['Idempotency-Key'] = idempotencyKey;
  if (body) headers['Content-Type'] = 'application/json';
  return headers;
}
