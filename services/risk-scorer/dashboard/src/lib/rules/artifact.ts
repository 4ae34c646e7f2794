/** A split `[input, threshold, left, missing_left, value]`, or a leaf `[value]`. */
type Node = readonly [number] | readonly [number, number, number, boolean, number];

/** A model as the server takes it (`docs/risk-model.md`). */
export interface Artifact {
  format: number;
  inputs: string[];
  link: string;
  base: number;
  trees: Node[][];
}

/** How often the trees split by each input, the most frequent first. */
export function splitsOf(artifact: Artifact): { input: string; splits: number }[] {
  const counts = artifact.inputs.map(() => 0);
  for (const tree of artifact.trees) {
    for (const node of tree) {
      if (node.length === 5) counts[node[0]] = (counts[node[0]] ?? 0) + 1;
    }
  }
  return artifact.inputs
    .map((input, index) => ({ input, splits: counts[index] ?? 0 }))
    .sort((a, b) => b.splits - a.splits);
}

export type Metrics = Record<string, unknown>;

/** The server keeps a model's metrics behind its comment, in a line of their own. */
export function parted(comment: string): { comment: string; metrics: Metrics | null } {
  const at = comment.lastIndexOf('metrics: ');
  if (at < 0 || (at > 0 && comment[at - 1] !== '\n')) return { comment, metrics: null };
  try {
    const metrics: unknown = JSON.parse(comment.slice(at + 'metrics: '.length));
    if (typeof metrics !== 'object' || metrics === null) return { comment, metrics: null };
    return { comment: comment.slice(0, at).trim(), metrics: metrics as Metrics };
  } catch {
    return { comment, metrics: null };
  }
}

/** What a file holds: an artifact alone, or with its metrics. */
export function fileParts(json: unknown): { artifact: unknown; metrics: Metrics | undefined } {
  if (typeof json === 'object' && json !== null && 'artifact' in json) {
    const { artifact, metrics } = json as { artifact: unknown; metrics?: Metrics };
    return { artifact, metrics };
  }
  return { artifact: json, metrics: undefined };
}
