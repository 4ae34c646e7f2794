import type { IconName } from './icons';

export type Tone = 'good' | 'warn' | 'special' | 'bad' | 'calm' | 'accent';

interface Look {
  tone: Tone;
  icon?: IconName;
}

const LOOKS: Record<string, Look> = {
  action_allow: { tone: 'good', icon: 'check' },
  action_review: { tone: 'warn', icon: 'eye' },
  action_challenge: { tone: 'special', icon: 'shield' },
  action_block: { tone: 'bad', icon: 'block' },
  label_fraud: { tone: 'bad', icon: 'alert' },
  label_honest: { tone: 'good', icon: 'check' },
  label_unclear: { tone: 'calm', icon: 'info' },
  state_open: { tone: 'accent' },
  state_claimed: { tone: 'special' },
  state_snoozed: { tone: 'calm', icon: 'clock' },
  state_live: { tone: 'good', icon: 'check' },
  state_active: { tone: 'good', icon: 'check' },
  state_ok: { tone: 'good', icon: 'check' },
  state_done: { tone: 'good', icon: 'check' },
  state_granted: { tone: 'good', icon: 'check' },
  state_redeemed: { tone: 'good', icon: 'check' },
  state_shadow: { tone: 'accent', icon: 'eye' },
  state_running: { tone: 'accent', icon: 'refresh' },
  state_pending_approval: { tone: 'warn', icon: 'clock' },
  state_proposed: { tone: 'warn', icon: 'clock' },
  state_stale: { tone: 'warn', icon: 'clock' },
  state_paused: { tone: 'warn', icon: 'pause' },
  state_down: { tone: 'bad', icon: 'alert' },
  state_failed: { tone: 'bad', icon: 'alert' },
  state_denied: { tone: 'bad', icon: 'close' },
  state_ready: { tone: 'good', icon: 'check' },
  state_locked: { tone: 'special', icon: 'clock' },
  state_voided: { tone: 'bad', icon: 'block' },
  state_reversed: { tone: 'warn', icon: 'undo' },
};

/** How a word of the server looks; a word that is not known yet is calm. */
export function toneOf(of: string, value: string): Look {
  return LOOKS[`${of}_${value}`] ?? { tone: 'calm' };
}
