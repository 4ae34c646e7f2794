//! The graph as rows, one for each node, of which those that changed are written.

use serde::{Deserialize, Serialize};

use super::{Graph, Kind, LIVES, NodeKey, epoch_of};

/// A node, as it is kept on disk. An edge stands with that of its ends which shares the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub(super) first_seen: u32,
    pub(super) last_seen: u32,
    pub(super) links: Vec<Link>,
}

/// An edge to a device or an address of the same merchant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    pub(super) kind: Kind,
    pub(super) id: [u8; 16],
    pub(super) epoch: u32,
}

impl Graph {
    /// Which nodes changed since this was last called, in no order; some may be gone.
    pub fn take_changed(&mut self) -> Vec<NodeKey> {
        self.changed.drain().collect()
    }

    /// A node, to be written; none where it is gone.
    pub fn row(&self, key: &NodeKey) -> Option<Row> {
        let node = &self.nodes[*self.index.get(key)? as usize];
        let links = node.edges.iter().filter_map(|edge| {
            let NodeKey { kind, id, .. } = self.nodes[edge.to as usize].key;
            (kind > key.kind).then_some(Link { kind, id, epoch: edge.epoch })
        });
        let mut links: Vec<Link> = links.collect();
        links.sort_unstable();
        Some(Row { first_seen: node.first_seen, last_seen: node.last_seen, links })
    }

    /// Puts nodes in place that were read from disk, instead of what was there. If there are more than may be, the next
    /// observation lets some go, as it would have done in the graph that was written.
    pub fn restore(&mut self, rows: impl IntoIterator<Item = (NodeKey, Row)>) {
        *self = Self::new(self.most);
        let mut links = Vec::new();
        for (key, row) in rows {
            let last_seen = row.last_seen.max(row.first_seen);
            if self.index.contains_key(&key) {
                continue;
            }
            let number = self.add_node(key, row.first_seen, last_seen);
            self.epoch = self.epoch.max(epoch_of(last_seen));
            links.push((number, row.links));
        }
        for (from, links) in links {
            let NodeKey { kind, merchant, .. } = self.nodes[from as usize].key;
            for link in links {
                let to = self.index.get(&NodeKey { kind: link.kind, merchant, id: link.id }).copied();
                let is_live = link.kind > kind && link.epoch.saturating_add(LIVES) > self.epoch;
                let Some(to) = to.filter(|_| is_live) else { continue };
                if !self.see_edge(from, to, link.epoch) {
                    self.add_edge(from, to, link.epoch);
                }
            }
        }
        self.make_clusters();
    }
}
