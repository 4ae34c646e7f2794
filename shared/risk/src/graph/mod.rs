//! Users, devices and addresses that were seen together, and the clusters that they form.
//!
//! An edge joins a user with a device or with an address that it was seen with, within one merchant. How many others
//! share the device or the address weakens the edge: its weight is 1 / ln(1 + degree), and below a threshold it joins
//! nobody, so that a campus behind one address is no cluster. Time goes in epochs of seven days; an edge that was not seen
//! for four of them is gone.
//!
//! Which cluster a node is in follows from the edges alone, not from their order. A disjoint-set forest cannot be cut, and hubs show only when they are many: so
//! each node names its cluster, and each cluster its members. The smaller of two is renamed when they are joined, which
//! costs each node at most a logarithm of renamings; where a hub stops to join, searches from all its ends go on by turns
//! until all but one have ended, which costs no more than the smaller parts (Even, Shiloach, *An On-Line Edge-Deletion
//! Problem*, JACM 28, 1981).
//!
//! Architecture invariant: `cluster of a node = connected component of the edges that count`, after each observation.

mod births;
mod cluster;
mod forest;
mod view;

use linear_hashing::LinearHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use cluster::Cluster;
pub use view::{Neighbourhood, SeenEdge, SeenNode};

/// What a node is. Of an edge's ends, the later kind is the one that is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A user.
    User,
    /// A device.
    Device,
    /// An address; IPv6 by its /64.
    Address,
}

impl Kind {
    /// What an edge to a shared node of this kind must weigh at least to join.
    ///
    /// A device is shared by a family, and on a farm by dozens: joined up to 53. What more share is a kiosk, and is told
    /// by counting its users. An address is shared by whole campuses as often as by a household: joined up to 3.
    pub fn least_weight(self) -> f64 {
        match self {
            Self::User | Self::Device => 0.25,
            Self::Address => 0.7,
        }
    }
}

/// How strongly an edge joins when so many others share its device or address.
pub fn weight(degree: u32) -> f64 {
    1.0 / libm::log1p(f64::from(degree))
}

/// Who or what stands at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeKey {
    /// What it is.
    pub kind: Kind,
    /// With which merchant.
    pub merchant: u32,
    /// Its pseudonym.
    pub id: [u8; 16],
}

/// Who was seen with what at one time, or asks for it; what was not told is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// With which merchant.
    pub merchant: u32,
    /// The user's pseudonym.
    pub user: Option<[u8; 16]>,
    /// The device's.
    pub device: Option<[u8; 16]>,
    /// The address's.
    pub address: Option<[u8; 16]>,
}

impl Sighting {
    /// The nodes that were told, user first.
    fn keys(&self) -> impl Iterator<Item = NodeKey> {
        let told = [(Kind::User, self.user), (Kind::Device, self.device), (Kind::Address, self.address)];
        let merchant = self.merchant;
        told.into_iter().filter_map(move |(kind, id)| Some(NodeKey { kind, merchant, id: id? }))
    }
}

/// What is known of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Its users.
    pub size: u32,
    /// Its devices.
    pub devices: u32,
    /// Its addresses.
    pub addresses: u32,
    /// Which share of the pairs of its users and devices were seen together; 0 where there are none.
    pub density: f64,
    /// Between the first sight of its oldest user and that of its newest, seconds.
    pub age_spread_seconds: u32,
    /// The entropy of the hours in which its users were first seen, bits: low where they were created in one burst.
    pub creation_entropy: f64,
}

/// The length of an epoch, seconds.
const EPOCH: u32 = 7 * 86_400;
/// So many epochs an edge lives after the one in which it was last seen, that one included: four weeks less at most one.
const LIVES: u32 = 4;
/// So many edges of one node are kept, far more than join; of a hub it does not matter who else there is.
const MOST_EDGES: usize = 256;
/// So many edges are kept for each node that may be, on the average.
const EDGES_PER_NODE: usize = 4;

/// An edge, as each of its ends keeps it.
#[derive(Clone, Copy, Debug)]
struct Edge {
    to: u32,
    /// The epoch in which it was last seen.
    epoch: u32,
}

/// A node with its edges.
#[derive(Clone, Debug)]
struct Node {
    key: NodeKey,
    /// Seconds since 1970.
    first_seen: u32,
    last_seen: u32,
    edges: SmallVec<[Edge; 2]>,
    /// How many share it: neighbours of an earlier kind.
    degree: u32,
    cluster: u32,
    /// Where it stands among its cluster's members.
    place: u32,
}

/// Users, devices and addresses, at most so many.
#[derive(Debug)]
pub struct Graph {
    index: LinearHashMap<NodeKey, u32>,
    nodes: Vec<Node>,
    clusters: Vec<Cluster>,
    free_clusters: Vec<u32>,
    edges: usize,
    epoch: u32,
    most: usize,
    evicted: u64,
    /// By kind: up to which degree an edge joins.
    joins_up_to: [u32; 3],
}

fn epoch_of(seconds: u32) -> u32 {
    seconds / EPOCH
}

/// The largest degree with which an edge still joins.
fn joins_up_to(kind: Kind) -> u32 {
    (1..MOST_EDGES as u32).take_while(|degree| weight(*degree) >= kind.least_weight()).count() as u32
}

impl Graph {
    /// Keeps at most so many nodes, and four times as many edges; those nodes that were not seen for longest go first.
    pub fn new(most_nodes: usize) -> Self {
        Self {
            index: LinearHashMap::default(),
            nodes: Vec::new(),
            clusters: Vec::new(),
            free_clusters: Vec::new(),
            edges: 0,
            epoch: 0,
            most: most_nodes.max(64),
            evicted: 0,
            joins_up_to: [Kind::User, Kind::Device, Kind::Address].map(joins_up_to),
        }
    }

    /// Notes who was seen with what at a time, milliseconds since 1970. What comes late is noted as of its time.
    pub fn observe(&mut self, at_ms: i64, sighting: &Sighting) {
        let seconds = u32::try_from(at_ms.max(0) / 1_000).unwrap_or(u32::MAX);
        if sighting.keys().next().is_none() {
            return;
        }
        while self.nodes.len() + 3 > self.most || self.edges + 2 > EDGES_PER_NODE * self.most {
            self.evict();
        }
        if epoch_of(seconds) > self.epoch {
            self.epoch = epoch_of(seconds);
            self.let_go(&[]);
        }
        let seen: SmallVec<[u32; 3]> = sighting.keys().map(|key| self.touch(key, seconds)).collect();
        if let Some((first, others)) = seen.split_first() {
            for other in others {
                self.link(*first, *other, epoch_of(seconds));
            }
        }
    }

    /// The node of a key, seen at a time.
    fn touch(&mut self, key: NodeKey, seconds: u32) -> u32 {
        let Some(number) = self.index.get(&key).copied() else { return self.add_node(key, seconds) };
        let node = &mut self.nodes[number as usize];
        node.last_seen = node.last_seen.max(seconds);
        if seconds < node.first_seen {
            let before = std::mem::replace(&mut node.first_seen, seconds);
            if key.kind == Kind::User {
                self.clusters[node.cluster as usize].births.replace(before, seconds);
            }
        }
        number
    }

    fn add_node(&mut self, key: NodeKey, seconds: u32) -> u32 {
        let number = self.nodes.len() as u32;
        let (first_seen, last_seen) = (seconds, seconds);
        let node = Node { key, first_seen, last_seen, edges: SmallVec::new(), degree: 0, cluster: 0, place: 0 };
        self.nodes.push(node);
        self.index.insert(key, number);
        let cluster = self.new_cluster();
        self.enter(cluster, number);
        number
    }

    /// Joins two nodes, the first of the earlier kind, or notes that they were seen together again.
    fn link(&mut self, from: u32, to: u32, epoch: u32) {
        if epoch + LIVES <= self.epoch {
            return;
        }
        if self.see_edge(from, to, epoch) {
            self.see_edge(to, from, epoch);
            return;
        }
        if !self.add_edge(from, to, epoch) {
            return;
        }
        let shared = &self.nodes[to as usize];
        let most = self.joins_up_to[shared.key.kind as usize];
        match shared.degree {
            degree if degree <= most => self.join(from, to),
            degree if degree == most + 1 => self.cut(to, from),
            _ => {}
        }
    }

    /// Whether an edge was there, which is seen again.
    fn see_edge(&mut self, from: u32, to: u32, epoch: u32) -> bool {
        let edges = &mut self.nodes[from as usize].edges;
        let Some(edge) = edges.iter_mut().find(|edge| edge.to == to) else { return false };
        edge.epoch = edge.epoch.max(epoch);
        true
    }

    /// Puts an edge in place, of which it is known that it is not there; not where one of its ends has too many.
    fn add_edge(&mut self, from: u32, to: u32, epoch: u32) -> bool {
        if [from, to].iter().any(|end| self.nodes[*end as usize].edges.len() >= MOST_EDGES) {
            return false;
        }
        self.nodes[from as usize].edges.push(Edge { to, epoch });
        self.nodes[to as usize].edges.push(Edge { to: from, epoch });
        self.nodes[to as usize].degree += 1;
        self.edges += 1;
        true
    }

    /// The shared end of an edge.
    fn shared_end(&self, a: u32, b: u32) -> &Node {
        let (a, b) = (&self.nodes[a as usize], &self.nodes[b as usize]);
        if a.key.kind > b.key.kind { a } else { b }
    }

    /// Whether an edge joins its ends.
    fn counts(&self, from: u32, to: u32) -> bool {
        let shared = self.shared_end(from, to);
        shared.degree <= self.joins_up_to[shared.key.kind as usize]
    }

    /// Those with which a node is joined.
    fn joined(&self, number: u32) -> impl Iterator<Item = u32> {
        let to = self.nodes[number as usize].edges.iter().map(|edge| edge.to);
        to.filter(move |to| self.counts(number, *to))
    }

    /// What is known of the largest cluster, by users, that a request's user, device or address belongs to; of equal ones
    /// that of the user, then that of the device. Nothing, in zeros, where none was ever seen.
    pub fn facts(&self, request: &Sighting) -> ClusterFacts {
        let clusters = request.keys().filter_map(|key| {
            let number = self.index.get(&key)?;
            Some(&self.clusters[self.nodes[*number as usize].cluster as usize])
        });
        let larger = |a: &'_ Cluster, b: &'_ Cluster| b.users() > a.users();
        let largest = clusters.reduce(|a, b| if larger(a, b) { b } else { a });
        largest.map(Cluster::facts).unwrap_or_default()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many edges there are.
    pub fn edges(&self) -> usize {
        self.edges
    }

    /// How many nodes were let go for want of room.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod scenario_tests;
#[cfg(test)]
mod tests;
