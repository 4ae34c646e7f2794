//! Which nodes are one cluster: joining, cutting, and making all clusters anew.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::{Cluster, Graph, Kind, LIVES, NodeKey};

/// What was reached from one end of a cut.
#[derive(Default)]
struct Search {
    reached: Vec<u32>,
    pending: VecDeque<u32>,
}

impl Search {
    fn reach(&mut self, number: u32) {
        self.reached.push(number);
        self.pending.push_back(number);
    }
}

/// Stands for a node that was let go.
const GONE: u32 = u32::MAX;

impl Graph {
    pub(super) fn new_cluster(&mut self) -> u32 {
        if let Some(free) = self.free_clusters.pop() {
            return free;
        }
        self.clusters.push(Cluster::default());
        (self.clusters.len() - 1) as u32
    }

    /// A node becomes a member of a cluster.
    pub(super) fn enter(&mut self, cluster: u32, number: u32) {
        let (node, into) = (&mut self.nodes[number as usize], &mut self.clusters[cluster as usize]);
        (node.cluster, node.place) = (cluster, into.members.len() as u32);
        into.members.push(number);
        into.kinds[node.key.kind as usize] += 1;
        if node.key.kind == Kind::User {
            into.births.add(node.first_seen);
        }
    }

    fn leave(&mut self, number: u32) {
        let node = &self.nodes[number as usize];
        let (place, from) = (node.place, &mut self.clusters[node.cluster as usize]);
        from.kinds[node.key.kind as usize] -= 1;
        if node.key.kind == Kind::User {
            from.births.remove(node.first_seen);
        }
        from.members.swap_remove(place as usize);
        if let Some(moved) = from.members.get(place as usize) {
            self.nodes[*moved as usize].place = place;
        }
    }

    /// An edge begins to count.
    pub(super) fn join(&mut self, from: u32, to: u32) {
        let (a, b) = (self.nodes[from as usize].cluster, self.nodes[to as usize].cluster);
        let joined = if a == b { a } else { self.merge(a, b) };
        self.clusters[joined as usize].pairs += u32::from(self.is_pair(from, to));
    }

    fn is_pair(&self, from: u32, to: u32) -> bool {
        let kind = |number: u32| self.nodes[number as usize].key.kind;
        kind(from) == Kind::User && kind(to) == Kind::Device
    }

    /// The smaller of two clusters becomes part of the larger one, which is the answer.
    fn merge(&mut self, a: u32, b: u32) -> u32 {
        let len = |cluster: u32| self.clusters[cluster as usize].members.len();
        let (large, small) = if len(a) < len(b) { (b, a) } else { (a, b) };
        let gone = std::mem::take(&mut self.clusters[small as usize]);
        self.free_clusters.push(small);
        let into = &mut self.clusters[large as usize];
        for (place, number) in (into.members.len() as u32..).zip(&gone.members) {
            let node = &mut self.nodes[*number as usize];
            (node.cluster, node.place) = (large, place);
        }
        into.members.extend_from_slice(&gone.members);
        into.kinds.iter_mut().zip(gone.kinds).for_each(|(sum, more)| *sum += more);
        into.pairs += gone.pairs;
        into.births.merge(&gone.births);
        large
    }

    /// A shared node became a hub by its newest neighbour: none of the edges by which it is shared counts any more.
    pub(super) fn cut(&mut self, hub: u32, newest: u32) {
        let node = &self.nodes[hub as usize];
        let (cluster, kind) = (node.cluster, node.key.kind);
        let sharers = node.edges.iter().map(|edge| edge.to);
        let mut ends: Vec<u32> =
            sharers.filter(|to| *to != newest && self.nodes[*to as usize].key.kind < kind).collect();
        let pairs = ends.iter().filter(|end| self.is_pair(**end, hub)).count() as u32;
        self.clusters[cluster as usize].pairs -= pairs;
        ends.push(hub);
        for part in self.parts(&ends) {
            let new = self.new_cluster();
            let pairs = self.pairs(&part);
            for number in part {
                self.leave(number);
                self.enter(new, number);
            }
            self.clusters[cluster as usize].pairs -= pairs;
            self.clusters[new as usize].pairs = pairs;
        }
    }

    /// How many edges between users and devices among these nodes count.
    fn pairs(&self, numbers: &[u32]) -> u32 {
        let of = |number: &u32| self.joined(*number).filter(|to| self.is_pair(*number, *to)).count() as u32;
        numbers.iter().map(of).sum()
    }

    /// The parts into which a cluster fell, but for one: the ends of what was cut are in all of them.
    fn parts(&self, ends: &[u32]) -> Vec<Vec<u32>> {
        let mut searches: Vec<Search> = ends.iter().map(|_| Search::default()).collect();
        let mut found: FxHashMap<u32, usize> = FxHashMap::default();
        // Into which search another one went when they met.
        let mut into: Vec<usize> = (0..ends.len()).collect();
        for (search, end) in searches.iter_mut().zip(ends) {
            search.reach(*end);
        }
        found.extend(ends.iter().copied().zip(0..));
        let (mut turns, mut parts): (VecDeque<usize>, Vec<Vec<u32>>) = ((0..ends.len()).collect(), Vec::new());
        let mut running = ends.len();
        while running > 1 {
            let Some(turn) = turns.pop_front() else { break };
            if into[turn] != turn {
                continue;
            }
            let Some(number) = searches[turn].pending.pop_front() else {
                parts.push(std::mem::take(&mut searches[turn].reached));
                running -= 1;
                continue;
            };
            for to in self.joined(number) {
                let Some(other) = found.get(&to).map(|first| follow(&into, *first)) else {
                    found.insert(to, turn);
                    searches[turn].reach(to);
                    continue;
                };
                if other != turn {
                    let met = std::mem::take(&mut searches[other]);
                    searches[turn].reached.extend(met.reached);
                    searches[turn].pending.extend(met.pending);
                    into[other] = turn;
                    running -= 1;
                }
            }
            turns.push_back(turn);
        }
        parts
    }

    /// Lets an eighth of the nodes go, those that were not seen for longest; of equals those with the lowest key, so that
    /// every replica lets go the same. Making all clusters anew costs as much however few go.
    pub(super) fn evict(&mut self) {
        let n = (self.nodes.len() / 8).max(1);
        let mut times: Vec<u32> = self.nodes.iter().map(|node| node.last_seen).collect();
        let (_, last, _) = times.select_nth_unstable(n - 1);
        let last = *last;
        let mut goes: Vec<bool> = self.nodes.iter().map(|node| node.last_seen < last).collect();
        let older = goes.iter().filter(|goes| **goes).count();
        let equals = (0..).zip(&self.nodes).filter(|(_, node)| node.last_seen == last);
        let mut equals: Vec<(NodeKey, usize)> = equals.map(|(number, node)| (node.key, number)).collect();
        equals.sort_unstable();
        equals.iter().take(n - older).for_each(|(_, number)| goes[*number] = true);
        self.evicted += n as u64;
        self.let_go(&goes);
    }

    /// Lets nodes go with their edges, and all edges that were not seen for long; then makes all clusters anew. Which nodes
    /// go is said by their numbers; where nothing is said, they stay.
    pub(super) fn let_go(&mut self, goes: &[bool]) {
        let goes = |number: usize| goes.get(number).is_some_and(|goes| *goes);
        let mut left = 0_u32;
        let mut numbers: Vec<u32> = Vec::with_capacity(self.nodes.len());
        for (number, node) in self.nodes.iter().enumerate() {
            let goes = goes(number);
            numbers.push(if goes { GONE } else { left });
            left += u32::from(!goes);
            if goes {
                self.index.remove(&node.key);
            }
        }
        let mut number = 0;
        self.nodes.retain(|_| {
            number += 1;
            numbers[number - 1] != GONE
        });
        self.index.values_mut().for_each(|number| *number = numbers[*number as usize]);
        for node in &mut self.nodes {
            node.edges.retain(|edge| {
                edge.to = numbers[edge.to as usize];
                edge.to != GONE && edge.epoch + LIVES > self.epoch
            });
        }
        self.make_clusters();
    }

    /// Counts who shares what, and makes all clusters, from the edges alone.
    pub(super) fn make_clusters(&mut self) {
        let mut ends = 0;
        for number in 0..self.nodes.len() {
            let node = &self.nodes[number];
            let shares = |to: u32| self.nodes[to as usize].key.kind < node.key.kind;
            let degree = node.edges.iter().filter(|edge| shares(edge.to)).count() as u32;
            ends += node.edges.len();
            self.nodes[number].degree = degree;
            self.nodes[number].cluster = GONE;
        }
        self.edges = ends / 2;
        self.clusters.clear();
        self.free_clusters.clear();
        for number in 0..self.nodes.len() as u32 {
            if self.nodes[number as usize].cluster == GONE {
                self.flood(number);
            }
        }
    }

    /// Makes the cluster of a node that is in none yet.
    fn flood(&mut self, number: u32) {
        let cluster = self.new_cluster();
        self.enter(cluster, number);
        let mut next = 0;
        while let Some(number) = self.clusters[cluster as usize].members.get(next).copied() {
            next += 1;
            let new = |to: &u32| self.nodes[*to as usize].cluster == GONE;
            let reached: SmallVec<[u32; 8]> = self.joined(number).filter(new).collect();
            for to in reached {
                self.enter(cluster, to);
            }
        }
        let pairs = self.pairs(&self.clusters[cluster as usize].members);
        self.clusters[cluster as usize].pairs = pairs;
    }
}

/// The search that one is part of by now.
fn follow(into: &[usize], mut search: usize) -> usize {
    while into[search] != search {
        search = into[search];
    }
    search
}
