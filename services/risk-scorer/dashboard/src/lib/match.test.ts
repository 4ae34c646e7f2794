import { expect, test } from 'vitest';
import { fillPath, match, parseHash, queryText } from './match';

test('parameters are decoded one by one', () => {
  expect(match('/subjects/:kind/:value', '/subjects/device/a%2Fb')).toEqual({ kind: 'device', value: 'a/b' });
});

test.each(['/cases', '/cases/', '/cases/a/b', '/cases/%E0%A4%A'])('%s is not one case', (path) => {
  expect(match('/cases/:id', path)).toBeNull();
});

test('what was filled in is matched again, whatever a caller named it', () => {
  for (const value of ['<script>', 'a/b?c#d', '百分号%', '..']) {
    expect(match('/subjects/:kind/:value', fillPath('/subjects/:kind/:value', { kind: 'user', value }))).toEqual({
      kind: 'user',
      value,
    });
  }
  expect(fillPath('/v1/risk/cases/{id}', { id: 'case 1' })).toBe('/v1/risk/cases/case%201');
});

test('a hash has a path and a query', () => {
  expect(parseHash('#/investigate?query=ip%3A10.0.0.0%2F8')).toEqual({
    path: '/investigate',
    query: { query: 'ip:10.0.0.0/8' },
  });
  expect(parseHash('')).toEqual({ path: '/', query: {} });
});

test('an empty value is left out of a query', () => {
  expect(queryText({ a: 1, b: '', c: null, d: undefined, e: 'x y' })).toBe('?a=1&e=x+y');
  expect(queryText({})).toBe('');
});
