import { remember, remembered } from '../../lib/storage';

/** As many as there are digits. */
const MOST = 9;

/** The reasons that this browser's user gave lately for an act, newest first, and then those that are common. */
export function recentReasons(act: string, common: readonly string[]): string[] {
  return [...new Set([...stored(act), ...common])].slice(0, MOST);
}

export function rememberReason(act: string, reason: string): void {
  const rest = stored(act).filter((each) => each !== reason);
  remember(`reasons.${act}`, JSON.stringify([reason, ...rest].slice(0, MOST)));
}

function stored(act: string): string[] {
  try {
    const found: unknown = JSON.parse(remembered(`reasons.${act}`) ?? '[]');
    return Array.isArray(found) ? found.filter((each) => typeof each === 'string') : [];
  } catch {
    return [];
  }
}
