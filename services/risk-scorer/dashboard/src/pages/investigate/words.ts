import { common } from '../../lib/i18n/common';
import { investigate as t } from '../../lib/i18n/investigate';
import { live } from '../../lib/i18n/live';

/** A value of a field in the user's language, where it is one of the server's words. */
export function wordOf(field: string, value: string, nameOf: (merchant: string) => string): string {
  if (field === 'kind') return live.word('event_', value);
  if (field === 'action') return common.word('action_', value);
  if (field === 'code') return live.word('code_', value);
  if (field === 'merchant') return nameOf(value);
  if (field === 'degraded') return t.word('degraded_', value);
  if (field === 'label') return value === 'none' ? t('label_none') : common.word('label_', value);
  return value;
}

/** The colour of an action: the same as everywhere else. */
const ACTIONS: Record<string, string> = {
  allow: '--series-2',
  review: '--series-3',
  challenge: '--series-5',
  block: '--series-4',
};

export function colourOf(field: string, value: string): string | undefined {
  const token = field === 'action' ? ACTIONS[value] : undefined;
  return token && getComputedStyle(document.documentElement).getPropertyValue(token).trim();
}
