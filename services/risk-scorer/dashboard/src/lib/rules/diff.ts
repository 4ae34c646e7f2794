export type LineKind = 'same' | 'added' | 'removed' | 'gap';

export interface DiffLine {
  kind: LineKind;
  text: string;
  /** Its number in the older and in the newer text. */
  before: number | null;
  after: number | null;
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;

/** The lines of a unified diff with their numbers; a gap stands before each part but one that begins at the top. */
export function diffLines(unified: string): DiffLine[] {
  const lines: DiffLine[] = [];
  let [before, after, inside] = [0, 0, false];
  for (const line of unified.replace(/\n$/, '').split('\n')) {
    const hunk = HUNK.exec(line);
    if (hunk) {
      [before, after, inside] = [Number(hunk[1]), Number(hunk[2]), true];
      if (before > 1 || after > 1) lines.push({ kind: 'gap', text: '', before: null, after: null });
    } else if (!inside || line.startsWith('\\')) continue;
    else if (line.startsWith('+')) lines.push({ kind: 'added', text: line.slice(1), before: null, after: after++ });
    else if (line.startsWith('-')) lines.push({ kind: 'removed', text: line.slice(1), before: before++, after: null });
    else lines.push({ kind: 'same', text: line.slice(1), before: before++, after: after++ });
  }
  return lines;
}
