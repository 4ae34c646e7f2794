//! Farms, campuses and families, each as it would be seen from outside.

use super::*;

const START_MS: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 86_400_000;

fn id(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

fn told(user: u64, device: u64, address: u64) -> Sighting {
    Sighting { merchant: 1, user: Some(id(user)), device: Some(id(device)), address: Some(id(address)) }
}

fn of_user(user: u64) -> Sighting {
    Sighting { merchant: 1, user: Some(id(user)), ..Sighting::default() }
}

/// Numbers that look random, the same in each run (`SplitMix64`; Steele, Lea, Flood, OOPSLA 2014).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }
}

#[test]
fn a_farm_is_one_cluster_before_a_tenth_of_its_claims_are_made() {
    let (mut graph, mut numbers) = (Graph::new(100_000), Numbers(7));
    let mut largest_at_a_tenth = 0;
    for user in 0..1_000 {
        let devices = [numbers.below(100), numbers.below(100)];
        for (claim, device) in (2 * user..).zip(devices) {
            graph.observe(START_MS + claim as i64 * 30_000, &told(user, device, numbers.below(100_000)));
            if claim < 200 {
                largest_at_a_tenth = largest_at_a_tenth.max(graph.facts(&of_user(user)).size);
            }
        }
    }
    assert!(largest_at_a_tenth > 20, "{largest_at_a_tenth}");
    let facts = graph.facts(&of_user(999));
    assert!(facts.size > 980 && facts.devices == 100, "{facts:?}");
    assert!((0.015..0.025).contains(&facts.density), "each user has about 2 of 100 devices: {facts:?}");
    assert!(facts.creation_entropy < 4.1 && facts.age_spread_seconds < 17 * 3_600, "{facts:?}");
}

#[test]
fn a_campus_behind_one_address_is_no_cluster_at_any_time() {
    let mut graph = Graph::new(100_000);
    for user in 0..2_000 {
        graph.observe(START_MS + user as i64 * 60_000, &told(user, user, 7));
        for seen in [user, user / 2, 0] {
            let size = graph.facts(&told(seen, seen, 7)).size;
            assert!(size <= 3, "{size} users around {seen} when there are {}", user + 1);
        }
    }
    assert!((0..2_000).all(|user| graph.facts(&told(user, user, 7)).size == 1));
    let around = graph.cluster(&NodeKey { kind: Kind::User, merchant: 1, id: id(5) }, 4, 100);
    assert_eq!((around.nodes.len(), around.edges.len()), (3, 2), "its device and the hub, nobody behind it");
    assert_eq!(around.edges.iter().filter(|edge| edge.joins).count(), 1);
}

#[test]
fn families_stay_apart() {
    let (mut graph, mut numbers) = (Graph::new(100_000), Numbers(3));
    for claim in 0..6_000 {
        let family = numbers.below(100);
        let (user, device) = (family * 3 + numbers.below(3), family * 2 + numbers.below(2));
        graph.observe(START_MS + claim * 60_000, &told(user, device, family));
    }
    for user in 0..300 {
        let facts = graph.facts(&of_user(user));
        assert!(facts.size == 3 && facts.devices == 2 && facts.addresses == 1, "{facts:?}");
    }
}

#[test]
fn a_cluster_falls_apart_when_nothing_joins_it_for_four_weeks() {
    let mut graph = Graph::new(1_000);
    (0..20).for_each(|user| graph.observe(START_MS + user as i64, &told(user, 1, 100 + user)));
    let size_after = |graph: &mut Graph, days: i64| {
        graph.observe(START_MS + days * DAY_MS, &told(500, 500, 500));
        graph.facts(&of_user(3)).size
    };
    assert_eq!(size_after(&mut graph, 20), 20);
    assert_eq!(size_after(&mut graph, 28), 1);
    assert_eq!(graph.edges(), 2, "only those of the last");
    // What is seen again lives on.
    (0..20).for_each(|user| graph.observe(START_MS + 28 * DAY_MS, &told(user, 1, 100 + user)));
    (0..3).for_each(|user| graph.observe(START_MS + 48 * DAY_MS, &told(user, 1, 100 + user)));
    assert_eq!(size_after(&mut graph, 56), 1, "of user 3");
    assert_eq!(graph.facts(&of_user(2)).size, 3);
}

#[test]
fn a_device_joins_up_to_53_users_and_an_address_up_to_3() {
    assert_eq!([Kind::Device, Kind::Address].map(joins_up_to), [53, 3]);
    let mut graph = Graph::new(1_000);
    (0..53).for_each(|user| graph.observe(START_MS, &told(user, 1, 100 + user)));
    assert_eq!(graph.facts(&of_user(0)).size, 53);
    assert!((graph.facts(&of_user(0)).density - 1.0).abs() < f64::EPSILON);
    graph.observe(START_MS, &told(53, 1, 153));
    assert_eq!(graph.facts(&told(0, 1, 100)).size, 1, "a kiosk");
}

#[test]
fn a_cut_keeps_together_what_is_joined_otherwise() {
    let mut graph = Graph::new(1_000);
    // Users 0 and 1 share a device as well as the address, 2 only the address.
    for (user, device) in [(0, 1), (1, 1), (2, 2)] {
        graph.observe(START_MS, &told(user, device, 9));
    }
    assert_eq!(graph.facts(&of_user(2)).size, 3);
    graph.observe(START_MS, &told(3, 3, 9));
    assert_eq!([0, 1, 2, 3].map(|user| graph.facts(&of_user(user)).size), [2, 2, 1, 1]);
}

#[test]
fn merchants_are_kept_apart_and_the_largest_cluster_is_told() {
    let mut graph = Graph::new(1_000);
    for (user, device) in [(0, 1), (1, 1), (2, 2)] {
        graph.observe(START_MS, &told(user, device, 50 + user));
    }
    graph.observe(START_MS, &Sighting { merchant: 2, ..told(0, 2, 52) });
    let asked = Sighting { address: None, ..told(2, 1, 0) };
    assert_eq!(graph.facts(&asked).size, 2, "the device's, not the user's");
    assert_eq!(graph.facts(&Sighting { merchant: 2, ..asked }).size, 0, "never seen there");
    assert_eq!(graph.facts(&Sighting { merchant: 2, ..of_user(0) }).size, 1);
}

#[test]
fn without_a_user_a_device_and_its_address_are_joined() {
    let mut graph = Graph::new(1_000);
    (0..2).for_each(|device| graph.observe(START_MS, &Sighting { user: None, ..told(0, device, 5) }));
    let facts = graph.facts(&Sighting { user: None, ..told(0, 0, 0) });
    assert_eq!((facts.size, facts.devices, facts.addresses), (0, 2, 1));
}

#[test]
fn ages_are_those_of_first_sights_even_where_they_come_late() {
    let mut graph = Graph::new(1_000);
    let hour = 3_600_000;
    for (user, at) in [(0, 5), (1, 6), (0, 9), (1, 2)] {
        graph.observe(START_MS + at * hour, &told(user, 1, 10 + user));
    }
    let facts = graph.facts(&of_user(0));
    assert_eq!((facts.age_spread_seconds, facts.creation_entropy), (3 * 3_600, 1.0));
}

#[test]
fn a_look_around_is_bounded_by_depth_and_number() {
    let mut graph = Graph::new(1_000);
    (0..10).for_each(|user| graph.observe(START_MS, &told(user, 1, 100 + user)));
    let key = NodeKey { kind: Kind::User, merchant: 1, id: id(4) };
    let near = graph.cluster(&key, 1, 100);
    assert_eq!((near.nodes.len(), near.edges.len(), near.is_cut_short), (3, 2, false));
    let all = graph.cluster(&key, 9, 100);
    assert_eq!((all.nodes.len(), all.edges.len(), all.is_cut_short), (21, 20, false));
    assert!((all.density - 1.0).abs() < f64::EPSILON);
    assert!((all.edges[0].weight - weight(10)).abs() < f64::EPSILON && all.edges[0].joins);
    let few = graph.cluster(&key, 9, 5);
    assert_eq!((few.nodes.len(), few.is_cut_short), (5, true));
    assert_eq!(graph.cluster(&NodeKey { merchant: 2, ..key }, 9, 5), Neighbourhood::default());
}

#[test]
fn a_million_random_nodes_are_held_within_the_bound() {
    let (mut graph, mut numbers) = (Graph::new(8_000), Numbers(1));
    for at in 0..340_000 {
        let sighting = told(numbers.below(1 << 40), numbers.below(1 << 40), numbers.below(1 << 40));
        graph.observe(START_MS + at * 1_000, &sighting);
        assert!(graph.len() <= 8_000 && graph.edges() <= 32_000);
    }
    assert_eq!(graph.evicted() + graph.len() as u64, 3 * 340_000);
    assert!(graph.len() > 7_000 && graph.clusters.len() <= 8_000 && graph.nodes.capacity() <= 16_384);
}

#[test]
fn edges_are_bounded_too() {
    let mut graph = Graph::new(100);
    for at in 0..20_000_u64 {
        graph.observe(START_MS + at as i64 * 1_000, &told(at % 30, at / 30 % 30, at / 7 % 30));
        assert!(graph.edges() <= EDGES_PER_NODE * 100 && graph.len() <= 100, "{} {}", graph.len(), graph.edges());
    }
    assert!(graph.evicted() > 0);
    (0..1_000).for_each(|user| graph.observe(START_MS, &told(7, user, user)));
    assert!(graph.nodes.iter().all(|node| node.edges.len() <= MOST_EDGES));
}
