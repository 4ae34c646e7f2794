import { expect, test } from 'vitest';
import { ApiError } from './problem';

test('a refusal keeps its code, its place and its request', async () => {
  const problem = {
    status: 422,
    code: 'invalid_field',
    title: 't',
    detail: 'Too long.',
    pointer: '/reason',
    request_id: 'r1',
  };
  const error = await ApiError.of(new Response(JSON.stringify(problem), { status: 422 }));
  expect(error).toMatchObject({ status: 422, code: 'invalid_field', requestId: 'r1' });
  expect(error.at('/reason')).toBe('Too long.');
  expect(error.at('/note')).toBeNull();
});

test('an answer that is not a problem still says its status', async () => {
  const error = await ApiError.of(new Response('<h1>Bad gateway</h1>', { status: 502 }));
  expect(error).toMatchObject({ status: 502, code: 'http_502', pointer: null });
});
