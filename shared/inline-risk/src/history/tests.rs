use coupon::decision::{Action, Asked, Basis, Value, Who};
use coupon::id::MerchantId;

use super::*;
use crate::past::{Decided, What};

fn past(n: u64) -> Past {
    let basis = Basis { number: n, features: vec![(3, Value::of(0.25)), (4, Value::Unknown)], ..Basis::default() };
    let decision = Decision { action: Action::Review, basis: Some(Box::new(basis)), ..Decision::default() };
    let decided = Decided {
        sequence: n,
        number: n,
        asked: Asked::Redemption,
        done: true,
        who: Who::default(),
        amount: 5,
        discount: 1,
        decision,
    };
    Past { merchant: MerchantId(2), time_ms: 1_000 + n as i64, what: What::Decided(Box::new(decided)) }
}

fn borrowed(past: &Past) -> Past<&Decision> {
    let What::Decided(it) = &past.what else { unreachable!("only decisions are made here") };
    let decided = Decided {
        sequence: it.sequence,
        number: it.number,
        asked: it.asked,
        done: it.done,
        who: it.who,
        amount: it.amount,
        discount: it.discount,
        decision: &it.decision,
    };
    Past { merchant: past.merchant, time_ms: past.time_ms, what: What::Decided(Box::new(decided)) }
}

fn add(history: &History, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let past = past(n);
        history.append(&[borrowed(&past)]).expect("appends");
    }
}

fn all(history: &History) -> Vec<Past> {
    let mut found = Vec::new();
    let visit = |_, past| {
        found.push(past);
        ControlFlow::Continue(())
    };
    history.forward(Spot::default(), visit).expect("reads");
    found
}

#[test]
fn what_happened_is_read_both_ways_and_from_any_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::anew(folder.path()).expect("opens");
    add(&history, 0..50);
    assert_eq!(all(&history), (0..50).map(past).collect::<Vec<_>>());
    let (mut back, mut spots) = (Vec::new(), Vec::new());
    let visit = |spot, past| {
        back.push(past);
        spots.push(spot);
        if back.len() == 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    history.backward(None, visit).expect("reads");
    assert_eq!(back, (30..50).rev().map(past).collect::<Vec<_>>());
    let mut before = Vec::new();
    let visit = |_, past| {
        before.push(past);
        ControlFlow::Continue(())
    };
    history.backward(spots.last().copied(), visit).expect("reads");
    assert_eq!(before, (0..30).rev().map(past).collect::<Vec<_>>());
    let mut first = None;
    let visit = |_, past| {
        first = Some(past);
        ControlFlow::Break(())
    };
    let reached = history.forward(spots[4], visit).expect("reads");
    assert_eq!((first, reached), (Some(past(45)), spots[3]), "the place behind the one that was visited");
}

#[test]
fn it_holds_up_to_where_the_projection_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let end = {
        let history = History::anew(folder.path()).expect("opens");
        add(&history, 0..10);
        let end = history.write().expect("writes");
        add(&history, 10..20);
        history.write().expect("writes");
        end
    };
    let history = History::open(folder.path(), end).expect("reads").expect("is there");
    assert_eq!(all(&history).len(), 10, "what was not counted is cut off");
    add(&history, 10..12);
    assert_eq!(all(&history), (0..12).map(past).collect::<Vec<_>>());
    let end = history.write().expect("writes");
    drop(history);
    let beyond = Spot { offset: end.offset + 1, ..end };
    assert!(History::open(folder.path(), beyond).expect("reads").is_none(), "what should be there is not");
    assert!(History::open(folder.path(), Spot { segment: 7, offset: 1 }).expect("reads").is_none());
}

#[test]
fn damage_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::anew(folder.path()).expect("opens");
    add(&history, 0..10);
    let end = history.write().expect("writes");
    drop(history);
    let file = found(folder.path()).expect("reads")[0].path.clone();
    let mut bytes = std::fs::read(&file).expect("reads");
    bytes[40] ^= 1;
    std::fs::write(&file, bytes).expect("writes");
    assert!(History::open(folder.path(), end).expect("reads").is_none());
}

#[test]
fn old_files_go_and_the_last_one_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::anew(folder.path()).expect("opens");
    // Some of them are filled by one large happening each.
    for n in 0..3 {
        let mut large = past(n * 1_000);
        let What::Decided(decided) = &mut large.what else { unreachable!("only decisions are made here") };
        decided.decision.missing = vec!["x".repeat(SEGMENT_BYTES)];
        history.append(&[borrowed(&large)]).expect("appends");
    }
    assert_eq!(history.begins_ms(), Some(1_000));
    history.forget_before(2_500).expect("deletes");
    assert_eq!(history.begins_ms(), Some(2_000), "what follows it begins later");
    history.forget_before(i64::MAX).expect("deletes");
    assert_eq!((history.begins_ms(), history.end().segment), (Some(3_000), 2));
    assert_eq!(history.spot_at(0), Spot { segment: 2, offset: 0 });
}
