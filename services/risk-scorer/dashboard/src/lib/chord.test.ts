import { expect, test } from 'vitest';
import { chordOf } from './chord';

const press = (key: string, held: Partial<Record<'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey', boolean>> = {}) =>
  chordOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held });

test('a letter is itself, whatever caps lock says', () => {
  expect(press('j')).toBe('j');
  expect(press('J')).toBe('j');
});

test('a printed character needs no word about shift', () => {
  expect(press('?', { shiftKey: true })).toBe('?');
  expect(press('Enter', { shiftKey: true })).toBe('Shift+Enter');
});

test('what the browser does with a modifier is left to it', () => {
  expect(press('c', { ctrlKey: true })).toBeNull();
  expect(press('Shift', { shiftKey: true })).toBeNull();
});
