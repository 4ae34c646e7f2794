import { describe, expect, it } from 'vitest';
import type { DecisionSummary } from '../../api/live';
import { asQuery, merged, problemOf, subjectOf } from './decisions';

const decision = (id: string): DecisionSummary => ({ id, at: '2026-11-27T12:00:00Z', action: 'allow', score: 0 });

describe('subjects', () => {
  it('are a kind and a value, which may hold colons', () => {
    expect(subjectOf('ip:2001:db8::1')).toEqual({ kind: 'ip', value: '2001:db8::1' });
    expect(subjectOf('nothing')).toEqual({ kind: '', value: '' });
  });
  it('are looked at before the stream is asked, which could not say what is wrong', () => {
    for (const sound of ['203.0.113.9', '2001:db8::1', '::']) expect(problemOf('ip', sound)).toBeNull();
    for (const wrong of ['', '203.0.113', '203.0.113.256', '2001:db8::g', 'x]/:']) {
      expect(problemOf('ip', wrong), wrong).toBe('subject_bad_ip');
    }
    expect(problemOf('store', 'sto_0000002a_1')).toBeNull();
    expect(problemOf('store', 'Main Street')).toBe('subject_bad_store');
    expect(problemOf('device', 'anything at all')).toBeNull();
  });
  it('are the same filter as a query', () => {
    expect(asQuery({ merchant: 'mer_1', action: '', device: 'a b' })).toBe('merchant:mer_1 device:"a b"');
    expect(asQuery({ merchant: '' })).toBe('');
  });
});

describe('decisions', () => {
  it('of before follow those that arrived, each once and so many at most', () => {
    const ids = (rows: readonly DecisionSummary[]) => rows.map((row) => row.id).join('');
    const [arrived, before] = [
      [decision('d'), decision('c')],
      [decision('c'), decision('b'), decision('a')],
    ];
    expect(ids(merged(arrived, before, 10))).toBe('dcba');
    expect(ids(merged(arrived, before, 3))).toBe('dcb');
  });
});
