//! Networks, looked up by the lengths that there are around an address.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::item::{IPV4, Network, is_ipv4};
use super::matcher::{Found, Values};

/// Blocks of IPv4, /16: most feeds have networks of one to three lengths in each.
const BLOCK_IPV4: u8 = IPV4 + 16;
/// Blocks of IPv6, /32: what a provider is given.
const BLOCK_IPV6: u8 = 32;

/// All networks of all lists.
#[derive(Clone, Debug, Default)]
pub(super) struct Networks {
    values: Values<Network>,
    /// By block: of which lengths there are networks in it, and how many of each.
    blocks: FxHashMap<Network, SmallVec<[(u8, u32); 2]>>,
}

/// Stands for the networks that are larger than a block.
fn large() -> Network {
    Network::of(0, 0)
}

fn block_of(address: u128) -> Network {
    Network::of(address, if is_ipv4(address) { BLOCK_IPV4 } else { BLOCK_IPV6 })
}

/// In which block a network is counted.
fn home(network: Network) -> Network {
    let block = block_of(network.bits());
    if network.length() < block.length() { large() } else { block }
}

impl Networks {
    pub(super) fn add(&mut self, network: Network, list: u32, until_ms: i64) -> bool {
        let is_new = self.values.add(network, list, until_ms);
        if !is_new {
            return false;
        }
        let lengths = self.blocks.entry(home(network)).or_default();
        match lengths.iter_mut().find(|(length, _)| *length == network.length()) {
            Some((_, number)) => *number += 1,
            None => lengths.push((network.length(), 1)),
        }
        true
    }

    pub(super) fn remove(&mut self, network: Network, list: u32) -> bool {
        let was_there = self.values.remove(&network, list);
        if was_there {
            forget(&mut self.blocks, network);
        }
        was_there
    }

    pub(super) fn retain(&mut self, keep: &impl Fn(u32, i64) -> bool, mut gone: impl FnMut()) {
        let Self { values, blocks } = self;
        values.retain(keep, |network| {
            forget(blocks, *network);
            gone();
        });
    }

    pub(super) fn find(&self, address: u128, found: &mut Found) {
        // What holds more than all of IPv4 was not meant for it.
        let shortest = if is_ipv4(address) { IPV4 + 1 } else { 0 };
        for block in [large(), block_of(address)] {
            let lengths = self.blocks.get(&block).into_iter().flatten();
            for (length, _) in lengths.filter(|(length, _)| *length >= shortest) {
                self.values.find(&Network::of(address, *length), found);
            }
        }
    }
}

/// A network is on one list less.
fn forget(blocks: &mut FxHashMap<Network, SmallVec<[(u8, u32); 2]>>, network: Network) {
    let Some(lengths) = blocks.get_mut(&home(network)) else { return };
    lengths.iter_mut().filter(|(length, _)| *length == network.length()).for_each(|(_, number)| *number -= 1);
    lengths.retain(|(_, number)| *number > 0);
    if lengths.is_empty() {
        blocks.remove(&home(network));
    }
}
