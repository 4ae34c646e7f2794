import { expect, test } from 'vitest';
import type { Cluster } from '../api/risk';
import { nearest, placed } from './cluster';

const node = (id: string, distance: number, degree = 1): Cluster['nodes'][number] => ({
  kind: 'user',
  id,
  distance,
  degree,
  first_seen: '2026-01-01T00:00:00Z',
  last_seen: '2026-01-01T00:00:00Z',
});
const edge = (from: string, to: string): Cluster['edges'][number] => ({ from, to, weight: 1, joins: true });

test('the nearest are drawn, and only edges between them', () => {
  const cluster = {
    nodes: [node('far', 2), node('self', 0), node('b', 1, 1), node('a', 1, 5)],
    edges: [edge('self', 'a'), edge('self', 'b'), edge('b', 'far')],
    density: 1,
    truncated: false,
  };
  const drawn = nearest(cluster, 2);
  expect(drawn.nodes.map((each) => each.id)).toEqual(['self', 'a']);
  expect(drawn.edges).toEqual([edge('self', 'a')]);
});

test('each ring stands as far out as it is steps away, beside what it hangs on', () => {
  const nodes = [node('self', 0), node('a', 1), node('b', 1), node('x', 2), node('y', 2)];
  const edges = [edge('self', 'a'), edge('self', 'b'), edge('a', 'y'), edge('b', 'x')];
  const found = new Map(placed({ nodes, edges }).map((each) => [each.id, each]));
  expect(Math.hypot(found.get('a')?.x ?? 0, found.get('a')?.y ?? 0)).toBeCloseTo(100);
  expect(Math.hypot(found.get('x')?.x ?? 0, found.get('x')?.y ?? 0)).toBeCloseTo(200);
  expect(found.get('y')?.x).toBeGreaterThan(0);
  expect(found.get('x')?.x).toBeLessThan(0);
});
