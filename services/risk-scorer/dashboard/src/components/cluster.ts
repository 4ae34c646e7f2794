import type { Cluster, ClusterNode } from '../api/risk';

export interface Placed extends ClusterNode {
  x: number;
  y: number;
}

/** Nodes that a picture still shows apart. */
export const MOST_NODES = 60;

const RING = 100;
/** Turned a little, so that few words stand on a level line. */
const TURN = 0.45;

/** The nearest nodes, and of those the ones that most hangs on; and what joins them. */
export function nearest(cluster: Cluster, most = MOST_NODES): Pick<Cluster, 'nodes' | 'edges'> {
  const order = (a: ClusterNode, b: ClusterNode): number =>
    a.distance - b.distance || b.degree - a.degree || (a.id < b.id ? -1 : 1);
  const nodes = cluster.nodes.toSorted(order).slice(0, most);
  const drawn = new Set(nodes.map((node) => node.id));
  return { nodes, edges: cluster.edges.filter((edge) => drawn.has(edge.from) && drawn.has(edge.to)) };
}

/**
 * Rings around the one that was asked for, one for each step away. Within a ring nodes stand in the order of those that
 * they hang on, so that few edges cross. The same cluster always looks the same, and nothing moves after it is drawn.
 */
export function placed({ nodes, edges }: Pick<Cluster, 'nodes' | 'edges'>): Placed[] {
  const angles = new Map<string, number>();
  const found: Placed[] = [];
  for (let distance = 0; nodes.some((node) => node.distance >= distance); distance++) {
    const ring = nodes.filter((node) => node.distance === distance);
    const inward = (node: ClusterNode): number => {
      const towards = edges.flatMap((edge) => {
        const other = edge.from === node.id ? edge.to : edge.to === node.id ? edge.from : null;
        const angle = other === null ? undefined : angles.get(other);
        return angle === undefined ? [] : [angle];
      });
      return towards.length === 0 ? 0 : towards.reduce((sum, angle) => sum + angle, 0) / towards.length;
    };
    const wanted = ring.map((node) => ({ node, angle: inward(node) }));
    wanted.sort((a, b) => a.angle - b.angle || (a.node.kind + a.node.id < b.node.kind + b.node.id ? -1 : 1));
    for (const [index, { node }] of wanted.entries()) {
      const angle = around(index, wanted.length);
      found.push({ ...node, x: distance * RING * Math.cos(angle), y: distance * RING * Math.sin(angle) });
    }
    // Set after the whole ring, so that only rings further in are looked at.
    for (const [index, { node }] of wanted.entries()) angles.set(node.id, around(index, wanted.length));
  }
  return found;
}

function around(index: number, many: number): number {
  return TURN + (index / many) * 2 * Math.PI;
}
