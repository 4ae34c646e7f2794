/** What the lists' endpoints answer that the OpenAPI document leaves open. */

export interface ListItem {
  id: string;
  /** Null where it cannot be read any more. */
  value: string | null;
  reason: string;
  expires_at: string | null;
  added_by: string;
  added_at: string;
}

/** What became of a file. */
export interface FileResult {
  total: number;
  done: number;
  failed: number;
  /** The first hundred. */
  problems: { line: number; code: string; message: string; hint: string }[];
}

export const MODES = ['block', 'watch', 'allow'] as const;
export const TYPES = ['user', 'device', 'ip', 'cidr', 'email_domain', 'store', 'cashier'] as const;
export const TONES = { block: 'bad', watch: 'warn', allow: 'good' } as const;
