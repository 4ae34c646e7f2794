//! What clients hear who are in each other's way.

use coupon::command::Command;
use coupon::fold::Rules;
use coupon::rejection::Rejection;
use coupon::terms::Validity;
use event_log::memory::Faults;
use projection::engine::Answer;
use simulator::clients::script::{MERCHANT, STOCK, claim, done, open, usage};
use simulator::clients::{cash, key};
use simulator::run::EVENING;
use simulator::world::{Setup, Wish, World};

const VALID: Validity = Validity::Fixed { from: EVENING - 1, until: EVENING + 86_400_000 };

fn world(instances: usize) -> World {
    let rules = Rules::default();
    let mut world =
        World::new(Setup { seed: 1, instances, partitions: 2, faults: Faults::default(), rules, start: EVENING });
    open(&mut world, cash(10, 500, VALID));
    world
}

/// Lands what is under way and folds it, until nothing moves any more.
fn settle(world: &mut World) {
    for _ in 0..20 {
        for i in 0..world.instances() {
            world.turn(i, usize::MAX);
        }
        while world.step_log() {}
    }
}

fn send(world: &mut World, i: usize, number: u64, command: Command) -> usize {
    world.submit(i, MERCHANT, Some(key(MERCHANT, number)), Wish::Do(Box::new(command)), [number as u8; 16])
}

fn answer(world: &World, id: usize) -> Answer {
    world.attempts[id].answer.clone().expect("an answer").0
}

/// The record that an attempt was told of.
fn record(world: &World, id: usize) -> Option<(u64, u64)> {
    match answer(world, id) {
        Answer::Applied(applied) => Some((applied.at.sequence, applied.number)),
        Answer::Replayed(done) => Some((done.sequence, done.number)),
        _ => None,
    }
}

#[test]
fn the_same_key_sixteen_times_at_once_is_one_effect_and_one_answer() {
    for instances in [1, 3] {
        let mut world = world(instances);
        let ids: Vec<usize> = (0..16).map(|n| send(&mut world, n % instances, 50, claim(STOCK, 0))).collect();
        settle(&mut world);
        let first = record(&world, ids[0]).expect("it happened");
        assert!(ids.iter().all(|id| record(&world, *id) == Some(first)), "{instances} instances");
        assert_eq!(world.judge.effects_of(key(MERCHANT, 50)).len(), 1);
        assert!(world.verdict().is_empty());
    }
}

#[test]
fn a_refusal_is_the_same_for_all_who_asked_at_once() {
    let mut world = world(1);
    done(&mut world, 4, claim(STOCK, 0));
    done(&mut world, 5, Command::Redeem(Box::new(usage(&[1], 1))));
    let before = world.judge.seen.0;
    let redeem = || Command::Redeem(Box::new(usage(&[1], 2)));
    let ids: Vec<usize> = (0..16).map(|_| send(&mut world, 0, 50, redeem())).collect();
    settle(&mut world);
    for id in ids {
        let Answer::Refused(refusal, _) = answer(&world, id) else { panic!("{:?}", answer(&world, id)) };
        assert!(matches!(refusal.rejection, Rejection::AlreadyRedeemed { redemption: 5, same_order: false, .. }));
    }
    assert_eq!(world.judge.seen.0 - before, 1, "one fence is enough for all");
}

#[test]
fn of_sixty_four_redemptions_of_a_coupon_one_applies_and_the_others_learn_of_it() {
    let mut world = world(1);
    done(&mut world, 4, claim(STOCK, 0));
    let (records, void) = world.judge.seen;
    let redeem = |n| Command::Redeem(Box::new(usage(&[1], n)));
    let ids: Vec<usize> = (0..64).map(|n| send(&mut world, 0, 100 + n, redeem(n))).collect();
    settle(&mut world);
    let applied: Vec<usize> = ids.iter().copied().filter(|id| record(&world, *id).is_some()).collect();
    assert_eq!(applied.len(), 1);
    let (sequence, _) = record(&world, applied[0]).expect("it happened");
    for id in ids.into_iter().filter(|id| *id != applied[0]) {
        let Answer::Refused(refusal, _) = answer(&world, id) else { panic!("{:?}", answer(&world, id)) };
        let Rejection::AlreadyRedeemed { redemption, order_id, .. } = refusal.rejection else { panic!("{refusal:?}") };
        assert_eq!((redemption, &*order_id), (sequence, "order-0"));
    }
    assert!(world.judge.seen.1 - void < 3, "{} void records", world.judge.seen.1 - void);
    assert!(world.judge.seen.0 - records < 5, "{} records", world.judge.seen.0 - records);
    assert!(world.verdict().is_empty());
}

/// Each instance's refusal is folded between the other's decision and its fence, for ever, unless a refusal that
/// still stands is given as it is.
#[test]
fn instances_that_refuse_at_the_same_time_come_to_an_end() {
    let mut world = world(2);
    done(&mut world, 4, claim(STOCK, 0));
    done(&mut world, 5, Command::Redeem(Box::new(usage(&[1], 1))));
    let before = world.judge.seen.0;
    let redeem = || Command::Redeem(Box::new(usage(&[1], 2)));
    let ids = [send(&mut world, 0, 50, redeem()), send(&mut world, 1, 51, redeem())];
    settle(&mut world);
    for id in ids {
        assert!(matches!(answer(&world, id), Answer::Refused(..)));
    }
    assert!(world.judge.seen.0 - before <= 2, "a fence each");
}

/// The proposer guesses that its claim will stand at a sequence; another's claim comes to stand there and takes the
/// number. A use of that number must not pass for a use of the coupon that it was decided on.
#[test]
fn a_guessed_sequence_is_no_version() {
    let mut world = world(2);
    send(&mut world, 1, 60, claim(STOCK, 1));
    world.turn(1, usize::MAX);
    // The first instance has not folded the other's claim, and takes coupon 1 for its own.
    send(&mut world, 0, 61, claim(STOCK, 0));
    let mut mine = usage(&[1], 1);
    mine.actor.user = Some(simulator::clients::user(0));
    let id = send(&mut world, 0, 62, Command::Redeem(Box::new(mine)));
    settle(&mut world);
    let Answer::Refused(refusal, _) = answer(&world, id) else { panic!("{:?}", answer(&world, id)) };
    assert_eq!(refusal.rejection, Rejection::UserMismatch);
    assert!(world.verdict().is_empty());
}

#[test]
fn an_attempt_past_its_deadline_is_not_tried_again_and_again() {
    let mut world = world(2);
    let before = world.judge.seen.0;
    let id = send(&mut world, 0, 50, claim(STOCK, 0));
    world.pass(11_000);
    // Another's cancel moves the shard's time past the deadline before the claim is appended.
    world.submit(1, MERCHANT, Some(key(MERCHANT, 51)), Wish::Cancel, [0; 16]);
    world.turn(1, usize::MAX);
    world.step_log();
    settle(&mut world);
    assert!(matches!(answer(&world, id), Answer::Unknown));
    assert_eq!(world.judge.seen.0 - before, 2, "the cancel and one attempt");
}
