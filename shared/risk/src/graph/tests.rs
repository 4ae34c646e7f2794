//! Properties: clusters are what the edges say, and those that were not seen for longest go first.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Seen {
    /// Hours since the one before; negative where it comes late.
    after_hours: i64,
    sighting: Sighting,
}

fn seen() -> impl Strategy<Value = Seen> {
    let id = |most: u8| prop::option::weighted(0.9, (0..most).prop_map(|n| [n; 16]));
    let after = prop_oneof![20 => 0_i64..3, 1 => 0_i64..300, 1 => -800_i64..0];
    let device = prop_oneof![id(1), id(40)];
    (after, 1_u32..3, id(150), device, id(40)).prop_map(|(after_hours, merchant, user, device, address)| Seen {
        after_hours,
        sighting: Sighting { merchant, user, device, address },
    })
}

fn observe(graph: &mut Graph, hours: &mut i64, seen: &Seen) {
    let at = (*hours + seen.after_hours).max(0);
    graph.observe(at * 3_600_000, &seen.sighting);
    *hours = at.max(*hours);
}

/// The clusters with their facts, counted anew from the nodes and their edges alone.
fn counted_anew(graph: &Graph) -> BTreeMap<BTreeSet<NodeKey>, (u32, [u32; 3])> {
    let mut left: BTreeSet<u32> = (0..graph.nodes.len() as u32).collect();
    let mut clusters = BTreeMap::new();
    while let Some(first) = left.pop_first() {
        let (mut reached, mut next) = (vec![first], 0);
        let (mut pairs, mut kinds) = (0, [0; 3]);
        while let Some(number) = reached.get(next).copied() {
            next += 1;
            let kind = graph.nodes[number as usize].key.kind;
            kinds[kind as usize] += 1;
            for edge in &graph.nodes[number as usize].edges {
                let (to, other) = (edge.to, &graph.nodes[edge.to as usize]);
                let shared = if other.key.kind > kind { other } else { &graph.nodes[number as usize] };
                let sharers = shared.edges.iter().filter(|edge| {
                    let by = graph.nodes[edge.to as usize].key.kind;
                    by < shared.key.kind
                });
                if weight(sharers.count() as u32) < shared.key.kind.least_weight() {
                    continue;
                }
                pairs += u32::from(kind == Kind::User && other.key.kind == Kind::Device);
                if left.remove(&to) {
                    reached.push(to);
                }
            }
        }
        let keys = reached.iter().map(|number| graph.nodes[*number as usize].key).collect();
        clusters.insert(keys, (pairs, kinds));
    }
    clusters
}

fn check(graph: &Graph) -> Result<(), TestCaseError> {
    let mut kept = BTreeMap::new();
    for (number, cluster) in graph.clusters.iter().enumerate().filter(|(_, cluster)| !cluster.members.is_empty()) {
        for (place, member) in cluster.members.iter().enumerate() {
            let node = &graph.nodes[*member as usize];
            prop_assert_eq!((node.cluster as usize, node.place as usize), (number, place));
        }
        let nodes = || cluster.members.iter().map(|member| &graph.nodes[*member as usize]);
        let births = nodes().filter(|node| node.key.kind == Kind::User).map(|node| node.first_seen);
        let spread = births.clone().max().zip(births.min()).map_or(0, |(newest, oldest)| newest - oldest);
        prop_assert_eq!(cluster.facts().age_spread_seconds, spread);
        kept.insert(nodes().map(|node| node.key).collect(), (cluster.pairs, cluster.kinds));
    }
    prop_assert_eq!(kept, counted_anew(graph));
    prop_assert_eq!(graph.edges * 2, graph.nodes.iter().map(|node| node.edges.len()).sum::<usize>());
    prop_assert_eq!(graph.index.len(), graph.nodes.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn clusters_are_what_the_edges_say_after_each_observation(
        all in prop::collection::vec(seen(), 1..700),
        most in prop_oneof![Just(64_usize), Just(1_000)],
    ) {
        let (mut graph, mut hours) = (Graph::new(most), 0);
        for (number, seen) in all.iter().enumerate() {
            observe(&mut graph, &mut hours, seen);
            prop_assert!(graph.len() <= most);
            if number % 7 == 0 {
                check(&graph)?;
            }
        }
        check(&graph)?;
    }
}

#[test]
fn those_that_were_not_seen_for_longest_go_first_and_of_equals_the_lowest() {
    let mut graph = Graph::new(64);
    let user = |n: u8| Sighting { merchant: 1, user: Some([n; 16]), ..Sighting::default() };
    // Three are old, all others of the same second.
    (1..=61).rev().for_each(|n| graph.observe(if n > 58 { 1_000 } else { 2_000 }, &user(n)));
    assert_eq!((graph.len(), graph.evicted()), (61, 0));
    graph.observe(3_000, &user(100));
    graph.observe(3_000, &user(101));
    assert_eq!(graph.evicted(), 7, "an eighth of 62 at most");
    let known = |n: u8| graph.index.contains_key(&NodeKey { kind: Kind::User, merchant: 1, id: [n; 16] });
    let gone: Vec<u8> = (1..=61).filter(|n| !known(*n)).collect();
    assert_eq!(gone, [1, 2, 3, 4, 59, 60, 61]);
}
