import type { CompletionContext } from '@codemirror/autocomplete';
import { describe, expect, it } from 'vitest';
import type { QueryField } from '../../api/live';
import { completions } from './language';

const FIELDS: QueryField[] = [
  { name: 'action', type: 'word', values: ['allow', 'block'], about: 'What risk said.' },
  { name: 'device', type: 'text', about: 'The device.' },
  { name: 'score', type: 'number', about: 'Points.' },
];

function offered(text: string): { from: number; labels: string[] } | null {
  const complete = completions(
    () => FIELDS,
    (field) => (field === 'device' ? ['farm phone', 'd-1'] : []),
  );
  const state = { sliceDoc: (from: number, until: number) => text.slice(from, until) };
  const found = complete({ pos: text.length, explicit: false, state } as unknown as CompletionContext);
  if (found instanceof Promise) throw new Error('the fields are known');
  return found && { from: found.from, labels: found.options.map((option) => option.label) };
}

describe('completion', () => {
  it('offers fields at the beginning and for each word that begins', () => {
    const names = ['action', 'device', 'score', 'and', 'or', 'not'];
    expect(offered('')).toEqual({ from: 0, labels: names });
    expect(offered('action:block de')).toEqual({ from: 13, labels: names });
    expect(offered('(-de')).toEqual({ from: 2, labels: names });
    expect(offered('action:block '), 'a blank asks for nothing').toBeNull();
  });
  it('offers the words of a field, and what was seen of others', () => {
    expect(offered('action:')).toEqual({ from: 7, labels: ['allow', 'block'] });
    expect(offered('action:(allow,bl')).toEqual({ from: 14, labels: ['allow', 'block'] });
    expect(offered('action:(allow, bl')).toEqual({ from: 15, labels: ['allow', 'block'] });
    expect(offered('device:d')).toEqual({ from: 7, labels: ['"farm phone"', 'd-1'] });
    expect(offered('score>5')).toBeNull();
  });
});
