/** Texts that were changed and not saved, so that a look at a back-test does not lose them. They end with the tab. */
const drafts = new Map<string, string>();

export function keepDraft(of: string, text: string, saved: string): void {
  if (text === saved) drafts.delete(of);
  else drafts.set(of, text);
}

export function draftOf(of: string): string | undefined {
  return drafts.get(of);
}

export function dropDraft(of: string): void {
  drafts.delete(of);
}
