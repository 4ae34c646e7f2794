//! What is around a node, for people to look at.

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::{EPOCH, Graph, Kind, NodeKey, weight};

/// A node that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenNode {
    /// Who or what.
    pub key: NodeKey,
    /// When it was first seen, seconds since 1970.
    pub first_seen_seconds: u32,
    /// When it was last seen.
    pub last_seen_seconds: u32,
    /// How many share it, up to 256.
    pub degree: u32,
    /// How many edges away from where the look began.
    pub distance: u32,
}

/// An edge that is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeenEdge {
    /// The place among the nodes of the one that shares.
    pub from: usize,
    /// Of the one that is shared.
    pub to: usize,
    /// How strongly it joins.
    pub weight: f64,
    /// Whether that is enough.
    pub joins: bool,
    /// When the week began in which it was last seen, seconds since 1970.
    pub last_seen_week_seconds: u32,
}

/// What is around a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Neighbourhood {
    /// The nodes, nearest first, of equally near ones by key.
    pub nodes: Vec<SeenNode>,
    /// All edges among them.
    pub edges: Vec<SeenEdge>,
    /// Which share of the pairs of these users and devices are joined by an edge; 0 where there are none.
    pub density: f64,
    /// Whether there was more than was to be shown.
    pub is_cut_short: bool,
}

impl Graph {
    /// What lies up to `depth` edges from a node, at most so many nodes. Edges that do not join are shown, but nobody
    /// behind them, or a campus would stand in every picture. Nothing where the node was never seen.
    pub fn cluster(&self, node: &NodeKey, depth: u32, most: usize) -> Neighbourhood {
        let Some(start) = self.index.get(node).copied().filter(|_| most > 0) else { return Neighbourhood::default() };
        let mut places: FxHashMap<u32, usize> = FxHashMap::from_iter([(start, 0)]);
        // Each with its distance, and whether to look behind it.
        let mut reached = vec![(start, 0, true)];
        let mut is_cut_short = false;
        let mut next = 0;
        while let Some((number, distance, goes_on)) = reached.get(next).copied() {
            next += 1;
            if !goes_on || distance >= depth {
                continue;
            }
            for to in self.neighbours(number) {
                if places.contains_key(&to) {
                    continue;
                }
                if reached.len() >= most {
                    is_cut_short = true;
                    break;
                }
                places.insert(to, reached.len());
                reached.push((to, distance + 1, self.counts(number, to)));
            }
        }
        let nodes = reached.iter().map(|(number, distance, _)| self.seen_node(*number, *distance)).collect();
        let edges = reached.iter().flat_map(|(number, ..)| self.seen_edges(*number, &places)).collect();
        let mut seen = Neighbourhood { nodes, edges, density: 0.0, is_cut_short };
        seen.density = seen.density();
        seen
    }

    /// By whether they are joined, then by key, so that the same are shown after a restart.
    fn neighbours(&self, number: u32) -> Vec<u32> {
        let mut neighbours: Vec<u32> = self.nodes[number as usize].edges.iter().map(|edge| edge.to).collect();
        neighbours.sort_unstable_by_key(|to| (!self.counts(number, *to), self.nodes[*to as usize].key));
        neighbours
    }

    fn seen_node(&self, number: u32, distance: u32) -> SeenNode {
        let node = &self.nodes[number as usize];
        SeenNode {
            key: node.key,
            first_seen_seconds: node.first_seen,
            last_seen_seconds: node.last_seen,
            degree: node.degree,
            distance,
        }
    }

    /// The edges by which a node shares others that are shown.
    fn seen_edges(&self, number: u32, places: &FxHashMap<u32, usize>) -> Vec<SeenEdge> {
        let node = &self.nodes[number as usize];
        let edge = |edge: &super::Edge| {
            let shared = &self.nodes[edge.to as usize];
            let to = places.get(&edge.to).filter(|_| shared.key.kind > node.key.kind)?;
            Some(SeenEdge {
                from: places[&number],
                to: *to,
                weight: weight(shared.degree),
                joins: self.counts(number, edge.to),
                last_seen_week_seconds: edge.epoch * EPOCH,
            })
        };
        let mut edges: Vec<SeenEdge> = node.edges.iter().filter_map(edge).collect();
        edges.sort_unstable_by_key(|edge| edge.to);
        edges
    }
}

impl Neighbourhood {
    fn density(&self) -> f64 {
        let of = |kind: Kind| self.nodes.iter().filter(|node| node.key.kind == kind).count();
        let kind = |place: usize| self.nodes[place].key.kind;
        let is_pair = |edge: &&SeenEdge| edge.joins && kind(edge.from) == Kind::User && kind(edge.to) == Kind::Device;
        let possible = of(Kind::User) * of(Kind::Device);
        if possible == 0 { 0.0 } else { self.edges.iter().filter(is_pair).count() as f64 / possible as f64 }
    }
}
