//! A cluster with what is counted of it.

use smallvec::SmallVec;

use super::births::Births;
use super::{ClusterFacts, Kind};

#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    /// The numbers of its nodes, in no order.
    pub(super) members: SmallVec<[u32; 4]>,
    /// By kind, how many there are.
    pub(super) kinds: [u32; 3],
    /// Edges between a user and a device that join.
    pub(super) pairs: u32,
    pub(super) births: Births,
}

impl Cluster {
    pub(super) fn users(&self) -> u32 {
        self.kinds[Kind::User as usize]
    }

    pub(super) fn facts(&self) -> ClusterFacts {
        let [size, devices, addresses] = self.kinds;
        let possible = u64::from(size) * u64::from(devices);
        let density = if possible == 0 { 0.0 } else { f64::from(self.pairs) / possible as f64 };
        let (age_spread_seconds, creation_entropy) = (self.births.spread_seconds(), self.births.entropy());
        ClusterFacts { size, devices, addresses, density, age_spread_seconds, creation_entropy }
    }
}
