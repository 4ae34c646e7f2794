import { expect, test } from 'vitest';
import { Ahead } from './ahead';

test('what was read ahead is not asked for twice, until it is old or forgotten', async () => {
  let now = 0;
  let asked = 0;
  const ahead = new Ahead(() => now);
  const read = (): Promise<number> => Promise.resolve(++asked);
  expect(await ahead.take('a', read)).toBe(1);
  expect(await ahead.take('a', read)).toBe(1);
  now = 60_000;
  expect(await ahead.take('a', read)).toBe(2);
  ahead.forget('a');
  expect(await ahead.take('a', read)).toBe(3);
  ahead.put('a', 9);
  expect(await ahead.take('a', read)).toBe(9);
});

test('a failure is not kept', async () => {
  const ahead = new Ahead(() => 0);
  await expect(ahead.take('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await ahead.take('a', () => Promise.resolve('yes'))).toBe('yes');
});

test('the oldest go when there are too many', async () => {
  const ahead = new Ahead(() => 0);
  for (let i = 0; i <= 240; i++) ahead.put(String(i), i);
  expect(await ahead.take('0', () => Promise.resolve(-1))).toBe(-1);
  expect(await ahead.take('240', () => Promise.resolve(-1))).toBe(240);
});
