//! Properties: clusters are what the edges say, and what is written and read answers the same.

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

/// What changed, through the bytes of a disk.
fn write(graph: &mut Graph, disk: &mut BTreeMap<NodeKey, Vec<u8>>) {
    let config = bincode::config::standard();
    for key in graph.take_changed() {
        match graph.row(&key) {
            Some(row) => {
                disk.insert(key, bincode::serde::encode_to_vec(&row, config).expect("a row"));
            }
            None => {
                disk.remove(&key);
            }
        }
    }
}

fn read(most: usize, disk: &BTreeMap<NodeKey, Vec<u8>>) -> Graph {
    let config = bincode::config::standard();
    let row = |bytes: &[u8]| bincode::serde::decode_from_slice(bytes, config).expect("a row").0;
    let mut graph = Graph::new(most);
    graph.restore(disk.iter().rev().map(|(key, bytes)| (*key, row(bytes))));
    graph
}

/// All that can be asked of a graph, about all of its nodes.
fn answers(graph: &Graph) -> Vec<(NodeKey, ClusterFacts, Neighbourhood)> {
    let mut keys: Vec<NodeKey> = graph.nodes.iter().map(|node| node.key).collect();
    keys.sort_unstable();
    let answer = |key: NodeKey| {
        let told = |kind| (key.kind == kind).then_some(key.id);
        let [user, device, address] = [Kind::User, Kind::Device, Kind::Address].map(told);
        let facts = graph.facts(&Sighting { merchant: key.merchant, user, device, address });
        (key, facts, graph.cluster(&key, 3, 12))
    };
    keys.into_iter().map(answer).collect()
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

    #[test]
    fn a_graph_that_was_read_answers_as_the_one_that_was_written_and_goes_on_alike(
        before in prop::collection::vec(seen(), 1..400),
        after in prop::collection::vec(seen(), 0..100),
        most in prop_oneof![Just(64_usize), Just(1_000)],
        every in 1_usize..50,
    ) {
        let (mut graph, mut hours, mut disk) = (Graph::new(most), 0, BTreeMap::new());
        for (number, seen) in before.iter().enumerate() {
            observe(&mut graph, &mut hours, seen);
            if number % every == 0 {
                write(&mut graph, &mut disk);
            }
        }
        write(&mut graph, &mut disk);
        let mut again = read(most, &disk);
        check(&again)?;
        prop_assert_eq!(answers(&again), answers(&graph));
        let mut hours_again = hours;
        for seen in &after {
            observe(&mut graph, &mut hours, seen);
            observe(&mut again, &mut hours_again, seen);
        }
        prop_assert_eq!(answers(&again), answers(&graph));
    }
}

#[test]
fn rows_that_nobody_wrote_do_not_upset_it() {
    let key = |kind, n| NodeKey { kind, merchant: 1, id: [n; 16] };
    let link = |kind, n| Link { kind, id: [n; 16], epoch: u32::MAX };
    let row = |links| Row { first_seen: 7, last_seen: 5, links };
    let mut graph = Graph::new(100);
    let twice = vec![link(Kind::Device, 1), link(Kind::Device, 1), link(Kind::User, 1), link(Kind::Device, 9)];
    graph.restore([(key(Kind::User, 1), row(twice)), (key(Kind::Device, 1), row(vec![link(Kind::User, 1)]))]);
    assert_eq!((graph.len(), graph.edges()), (2, 1));
    check(&graph).expect("sound");
}

#[test]
fn an_edge_that_went_with_its_address_does_not_come_back_from_disk() {
    let (mut graph, mut disk) = (Graph::new(64), BTreeMap::new());
    let told = |user, address| Sighting { merchant: 1, user: Some([user; 16]), address, ..Sighting::default() };
    (0..10).for_each(|address| graph.observe(0, &told(1, Some([address; 16]))));
    graph.observe(3_600_000, &told(1, None));
    write(&mut graph, &mut disk);
    let mut strangers = 100..;
    while graph.evicted() == 0 {
        graph.observe(7_200_000, &told(strangers.next().expect("few are needed"), None));
    }
    // The address is there again, without what it had to do with the first user.
    graph.observe(7_200_000, &told(2, Some([0; 16])));
    write(&mut graph, &mut disk);
    assert_eq!(graph.facts(&told(1, None)).size, 1);
    assert_eq!(answers(&read(64, &disk)), answers(&graph));
}
