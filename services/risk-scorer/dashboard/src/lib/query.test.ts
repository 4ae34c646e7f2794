import { describe, expect, it } from 'vitest';
import { columnOf, narrowed, quoted } from './query';

describe('values', () => {
  it('are quoted only where they must be', () => {
    expect(quoted('d-17')).toBe('d-17');
    expect(quoted('203.0.113.0/24')).toBe('203.0.113.0/24');
    expect(quoted('羊毛党')).toBe('羊毛党');
    expect(quoted('a b')).toBe('"a b"');
    expect(quoted('a"b\\c')).toBe('"a\\"b\\\\c"');
    expect(quoted('')).toBe('""');
    expect(quoted('a,b')).toBe('"a,b"');
  });
});

describe('narrowing', () => {
  it('adds a term, or its opposite', () => {
    expect(narrowed('', 'device', 'd-1')).toBe('device:d-1');
    expect(narrowed('kind:claim ', 'device', 'a b', true)).toBe('kind:claim -device:"a b"');
  });
  it('says nothing twice', () => {
    expect(narrowed('kind:claim device:d-1', 'device', 'd-1')).toBe('kind:claim device:d-1');
    expect(narrowed('kind:claim device:"a b"', 'device', 'a b')).toBe('kind:claim device:"a b"');
    expect(narrowed('not (device:d-1)', 'device', 'd-1')).toBe('not (device:d-1) device:d-1');
  });
  it('keeps alternatives together', () => {
    expect(narrowed('kind:claim or kind:lock', 'ip', '::1')).toBe('(kind:claim or kind:lock) ip:::1');
    expect(narrowed('(kind:claim or kind:lock)', 'ip', '::1')).toBe('(kind:claim or kind:lock) ip:::1');
    expect(narrowed('device:"this or that"', 'ip', '::1')).toBe('device:"this or that" ip:::1');
  });
});

describe('columns', () => {
  it('are counted in characters by the server and in units by the editor', () => {
    expect(columnOf('device:x', 8)).toBe(8);
    expect(columnOf('rule:😀 x:1', 8)).toBe(9);
    expect(columnOf('', 1)).toBe(1);
  });
});
