import type { Schema } from '../../lib/api';

export type Rung = Schema<'RungView'>;

/** A violation with what each offence brings; null where the rung before holds. */
export interface Row {
  violation: string;
  rungs: (Rung | null)[];
}

/** The rungs as a table: violations in the order in which they come, offences from 1 on. */
export function rowsOf(rungs: readonly Rung[]): Row[] {
  const offences = Math.max(0, ...rungs.map((rung) => rung.offence));
  const violations = [...new Set(rungs.map((rung) => rung.violation))];
  return violations.map((violation) => ({
    violation,
    rungs: Array.from(
      { length: offences },
      (_, index) => rungs.find((rung) => rung.violation === violation && rung.offence === index + 1) ?? null,
    ),
  }));
}

/** What a lead edits: texts, as fields have them. */
export interface Draft {
  violation: string;
  steps: { sanction: string; days: string }[];
}

export const SANCTIONS = ['takedown', 'ban', 'freeze', 'permanent', 'api_off', 'blacklist'];

/** What has no end by its nature. */
export const isForGood = (sanction: string): boolean => sanction === 'permanent' || sanction === 'blacklist';

const DAY = 86_400;

export function draftOf(rungs: readonly Rung[]): Draft[] {
  return rowsOf(rungs).map((row) => ({
    violation: row.violation,
    steps: row.rungs.map((rung) => ({
      sanction: rung?.sanction ?? '',
      days: rung?.duration_seconds ? String(rung.duration_seconds / DAY) : '',
    })),
  }));
}

/** The rungs of a draft; steps without a sanction are those that the one before holds for. */
export function rungsOf(draft: readonly Draft[]): Schema<'PenaltyRungRequest'>[] {
  return draft.flatMap((row) =>
    row.steps.flatMap(({ sanction, days }, index) => {
      if (sanction === '') return [];
      const seconds = Math.round(Number(days) * DAY);
      const lasts = days.trim() !== '' && !isForGood(sanction);
      return [
        {
          violation: row.violation.trim(),
          offence: index + 1,
          sanction,
          ...(lasts ? { duration_seconds: seconds } : {}),
        },
      ];
    }),
  );
}
