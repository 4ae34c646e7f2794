import { expect, test } from 'vitest';
import { draftOf, rowsOf, rungsOf, type Rung } from './ladder';

const RUNGS: Rung[] = [
  { violation: 'cash_out', offence: 1, sanction: 'freeze', duration_seconds: null },
  { violation: 'spam', offence: 1, sanction: 'ban', duration_seconds: 604_800 },
  { violation: 'cash_out', offence: 3, sanction: 'permanent', duration_seconds: null },
];

test('the ladder is a table, in which a rung that is not there is the one before', () => {
  expect(rowsOf(RUNGS).map((row) => [row.violation, row.rungs.map((rung) => rung?.sanction ?? null)])).toEqual([
    ['cash_out', ['freeze', null, 'permanent']],
    ['spam', ['ban', null, null]],
  ]);
});

test('what is edited and not changed is what it was', () => {
  const before = RUNGS.map(
    (rung) => `${rung.violation} ${rung.offence} ${rung.sanction} ${rung.duration_seconds ?? ''}`,
  );
  const after = rungsOf(draftOf(RUNGS)).map(
    (rung) => `${rung.violation} ${rung.offence} ${rung.sanction} ${rung.duration_seconds ?? ''}`,
  );
  expect(after.toSorted()).toEqual(before.toSorted());
});

test('what is for good has no days', () => {
  expect(rungsOf([{ violation: 'x', steps: [{ sanction: 'blacklist', days: '3' }] }])).toEqual([
    { violation: 'x', offence: 1, sanction: 'blacklist' },
  ]);
});
