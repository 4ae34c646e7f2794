import { cases as t } from '../../lib/i18n/cases';

/** What an analyst does with a case; each asks for a reason. */
export type Act = 'honest' | 'fraud' | 'unclear' | 'snooze' | 'label' | 'escalate' | 'note' | 'reopen';

export const OUTCOMES = ['honest', 'fraud', 'unclear'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export function isOutcome(act: Act): act is Outcome {
  return (OUTCOMES as readonly string[]).includes(act);
}

export interface Given {
  reason: string;
  /** Of a close as fraud. */
  voids: boolean;
  /** Of a snooze, in seconds. */
  seconds: number;
  /** Of a label. */
  label: 'fraud' | 'honest';
  kind: string;
}

/** The words on the dialog, and reasons that are offered before there are any of the user's own. */
export function wordsOf(act: Act): { title: string; about: string; presets: string[] } {
  switch (act) {
    case 'honest':
      return {
        title: t('close_honest'),
        about: t('close_honest_about'),
        presets: [t('preset_honest_1'), t('preset_honest_2'), t('preset_honest_3')],
      };
    case 'fraud':
      return {
        title: t('close_fraud'),
        about: t('close_fraud_about'),
        presets: [t('preset_fraud_1'), t('preset_fraud_2'), t('preset_fraud_3')],
      };
    case 'unclear':
      return {
        title: t('close_unclear'),
        about: t('close_unclear_about'),
        presets: [t('preset_unclear_1'), t('preset_unclear_2')],
      };
    case 'snooze':
      return { title: t('snooze'), about: t('snooze_about'), presets: [t('preset_snooze_1'), t('preset_snooze_2')] };
    case 'label':
      return { title: t('label'), about: t('label_about'), presets: [t('preset_fraud_1'), t('preset_honest_1')] };
    case 'escalate':
      return {
        title: t('escalate'),
        about: t('escalate_about'),
        presets: [t('preset_escalate_1'), t('preset_escalate_2')],
      };
    case 'reopen':
      return { title: t('reopen'), about: t('reopen_about'), presets: [t('preset_reopen_1')] };
    case 'note':
      return { title: t('note'), about: t('note_about'), presets: [] };
  }
}
