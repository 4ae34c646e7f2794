import { expect, test } from 'vitest';
import { csv } from './csv';

const body = (cell: string | number | null): string => csv(['h'], [[cell]]).split('\r\n')[1] ?? '';

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1'])('%j becomes text', (cell) => {
  expect(body(cell)).toBe(`'${cell}`);
});

test('a number below zero stays a number', () => {
  expect(body(-5)).toBe('-5');
});

test('commas, quotes and line ends are quoted', () => {
  expect(csv(['a', 'b'], [['x,y', 'say "hi"']])).toBe('\uFEFFa,b\r\n"x,y","say ""hi"""\r\n');
});

test('nothing is an empty cell', () => {
  expect(body(null)).toBe('');
});
