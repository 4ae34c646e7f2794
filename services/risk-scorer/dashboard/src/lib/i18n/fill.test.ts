import { expect, test } from 'vitest';
import { fill } from './fill';

test('values stand where they are named, numbers in groups', () => {
  expect(fill('{who} has {n}', { who: 'Ann', n: 12345 }, 'en-GB')).toBe('Ann has 12,345');
});

test('one is singular, all else plural', () => {
  expect(fill('{n} {n|case|cases}', { n: 1 }, 'en-GB')).toBe('1 case');
  expect(fill('{n} {n|case|cases}', { n: 0 }, 'en-GB')).toBe('0 cases');
});

test('a value is never read as a text with braces', () => {
  expect(fill('{a}{b}', { a: '{b}', b: 'x' }, 'en-GB')).toBe('{b}x');
});

test('a name without a value stays, so that it is seen', () => {
  expect(fill('{missing}', {}, 'en-GB')).toBe('{missing}');
});
