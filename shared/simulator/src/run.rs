//! Whole runs from one seed.

use std::collections::BTreeMap;

use coupon::fold::Rules;
use coupon::id::MerchantId;
use coupon::terms::Millis;
use event_log::memory::Faults;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::clients::{Clients, Script, pick};
use crate::judge::Violation;
use crate::world::{Setup, World};

/// Shortly before midnight in Shanghai, so that days change early in a run.
pub const EVENING: Millis = 1_773_154_500_000;

/// What a run showed.
#[derive(Debug, Default)]
pub struct Report {
    /// What must not be.
    pub violations: Vec<Violation>,
    /// Records, and void ones among the guarded.
    pub records: (u64, u64),
    /// What happened how often.
    pub tally: BTreeMap<&'static str, u64>,
}

/// Steps of a general run.
pub const STEPS: u32 = 1_200;

/// The seed to replay (`SIMULATOR_SEED`), or as many as are asked for (`SIMULATOR_SEEDS`), or `all`.
pub fn seeds(all: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("SIMULATOR_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SIMULATOR_SEEDS").unwrap_or(all)).collect(),
    }
}

impl Report {
    /// Panics when something is wrong, and says how to see it again.
    pub fn assert_clean(&self, seed: u64) {
        let first = &self.violations[..self.violations.len().min(5)];
        assert!(first.is_empty(), "seed {seed}, replay with SIMULATOR_SEED={seed}: {first:#?}");
    }
}

/// All faults of the log.
pub fn all_faults() -> Faults {
    Faults { delay: 0.3, duplicate: 0.1, drop_answer: 0.05, lose: 0.03, tear: 0.1, refuse: 0.03 }
}

/// A run of random wishes, faults, clocks, kills and stale instances.
pub fn general(seed: u64, rules: Rules, steps: u32) -> Report {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let instances = rng.random_range(2..4);
    let mut world = World::new(Setup { seed, instances, partitions: 2, faults: all_faults(), rules, start: EVENING });
    let mut clients = Clients::new(seed, vec![MerchantId(1), MerchantId(2)]);
    clients.open(&mut world);
    let mut frozen = vec![0_u32; instances];
    for step in 0..steps {
        match rng.random_range(0..100) {
            0..=34 => clients.act(&mut world),
            35..=62 => {
                world.step_log();
            }
            63..=93 => {
                let i = rng.random_range(0..instances);
                if frozen[i] <= step {
                    // Some read little at a time and stay behind.
                    let records = if rng.random_bool(0.3) { rng.random_range(0..3) } else { usize::MAX };
                    world.turn(i, records);
                }
            }
            94..=95 => frozen[rng.random_range(0..instances)] = step + rng.random_range(5..60),
            96 if rng.random_bool(0.5) => {
                let i = rng.random_range(0..instances);
                world.kill(i, rng.random_range(-1_500..1_500));
            }
            _ => world.compare_hashes(),
        }
        world.pass(match rng.random_range(0..1_000) {
            0..=9 => rng.random_range(1_000..40_000),
            10..=13 => rng.random_range(60_000..3_600_000),
            14 => rng.random_range(3_600_000..30_000_000),
            _ => rng.random_range(0..60),
        });
    }
    finish(world)
}

/// A run over one or two keys: the same request at several instances, its cancel, a rival for the last unit, and a
/// unit that comes back. It follows the small model of the design, with the product in the model's place.
pub fn keys(seed: u64, rules: Rules) -> Report {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let setup = Setup { seed, instances: 2, partitions: 1, faults: Faults::default(), rules, start: EVENING };
    let mut world = World::new(setup);
    let mut script = Script::prepare(&mut world, rng.random_bool(0.5));
    world.log.set_faults(Faults { delay: 0.5, duplicate: 0.2, drop_answer: 0.05, lose: 0.05, tear: 0.0, refuse: 0.05 });
    for _ in 0..rng.random_range(20..60) {
        match rng.random_range(0..20) {
            0..=5 => script.act(&mut world, &mut rng),
            6..=11 => {
                world.step_log();
            }
            12..=18 => world.turn(rng.random_range(0..2), rng.random_range(0..4)),
            _ if rng.random_bool(0.2) => world.kill(rng.random_range(0..2), 0),
            _ => world.pass(*pick(&mut rng, &[1, 900, 11_000])),
        }
        world.pass(rng.random_range(0..20));
    }
    world.quiesce();
    let (records, tally) = (world.judge.seen, std::mem::take(&mut world.judge.tally));
    Report { records, tally, violations: world.verdict() }
}

/// Brings a world to rest and looks at it.
pub fn finish(mut world: World) -> Report {
    world.quiesce();
    world.rebuild();
    world.stories();
    let (records, tally) = (world.judge.seen, std::mem::take(&mut world.judge.tally));
    Report { records, tally, violations: world.verdict() }
}
