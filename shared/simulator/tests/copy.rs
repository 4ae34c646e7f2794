//! The layout of the log is nothing that the state depends on.

use std::sync::Arc;

use coupon::fold::Rules;
use coupon::id::MerchantId;
use event_log::memory::MemoryLog;
use event_log::{EventLog, Stored, Topic};
use projection::codec::{self, Decoded};
use projection::engine::{Engine, Follow};
use projection::ledger::Ledger;
use simulator::clients::Clients;
use simulator::copy;
use simulator::run::{EVENING, all_faults};
use simulator::world::{Setup, World};

const RECORDS: u64 = 50_000;

/// A log of many merchants over four partitions.
fn busy() -> World {
    let faults = all_faults();
    let setup = Setup { seed: 4, instances: 2, partitions: 4, faults, rules: Rules::default(), start: EVENING };
    let mut world = World::new(setup);
    let mut clients = Clients::new(4, (1..=200).map(MerchantId).collect());
    clients.open(&mut world);
    while world.judge.seen.0 < RECORDS {
        for i in 0..2 {
            clients.act(&mut world);
            world.turn(i, usize::MAX);
        }
        // One batch stays under way, so that the next ones are decided before it lands.
        while world.log.in_flight() > 1 {
            world.step_log();
        }
        world.pass(97);
    }
    world.quiesce();
    world
}

fn records(log: &dyn EventLog) -> Vec<Stored> {
    let partitions = 0..log.partitions(Topic::Ledger);
    partitions.flat_map(|p| log.read(Topic::Ledger, p, 0, usize::MAX).expect("a sound log")).collect()
}

fn hashes(ledger: &Ledger) -> Vec<u128> {
    ledger.shards().map(projection::shard::ShardState::state_hash).collect()
}

#[test]
fn a_copy_on_another_layout_folds_to_the_same_hashes() {
    let world = busy();
    // Copied a week later: only the original times can give the same state.
    let target = MemoryLog::with_clock(7, Arc::new(|| EVENING + 7 * 86_400_000));
    copy::append(&copy::by_shard(&*world.log), &target);
    let copied = records(&target);
    assert_eq!(copied.len(), records(&*world.log).len());
    assert!(copied.len() as u64 >= RECORDS);

    let follow = (0..7).map(|_| Follow::default()).collect();
    let mut engine = Engine::new(Ledger::new(), 99, follow, false);
    let mut by_append_time = Ledger::new();
    for stored in &copied {
        engine.stored(stored, world.now);
        let Ok((header, Decoded::Entry(entry))) = codec::decode(&stored.bytes) else { panic!("a sound record") };
        by_append_time.fold(coupon::id::Shard(header.shard), Some(&entry), stored.offset, stored.append_time_ms);
    }
    assert_eq!(hashes(&engine.ledger), hashes(&world.observer));
    assert_ne!(hashes(&by_append_time), hashes(&world.observer), "the original times make the difference");
}
