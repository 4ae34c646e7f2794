use std::collections::HashMap;

use proptest::prelude::*;
use risk::feature::{Asked, Feature, Field, Happening, Key, Measure, Observation, Plan, Subject as Shopper, Table};
use risk::{Counted, SubjectKind};

use super::*;

fn subject(n: u16) -> Subject {
    let mut pseudonym = [0; 16];
    pseudonym[..2].copy_from_slice(&n.to_le_bytes());
    Subject { kind: SubjectKind::Device, merchant: 1, pseudonym }
}

fn counts(seconds: &[u32]) -> SubjectCounts {
    let mut counts = SubjectCounts::default();
    for second in seconds {
        counts.add(Counted::Claims, i64::from(*second) * 1_000);
    }
    counts
}

fn positions(n: u64) -> Positions {
    Positions { ledger: vec![n; 256], signals: vec![n, n], watermark_ms: n as i64, ..Positions::beginning(2) }
}

fn all(counts: &Counts) -> HashMap<Subject, SubjectCounts> {
    counts.subjects.iter().map(|(subject, counts)| (*subject, counts.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_was_written_last_holds(
        writes in prop::collection::vec(
            prop::collection::btree_map(0_u16..400, prop::option::of(prop::collection::vec(0_u32..9_000, 0..90)), 0..120),
            1..12,
        ),
        anew in 0_usize..12,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, file) = (folder.path().join("risk"), folder.path().join("file"));
        let mut model = HashMap::new();
        {
            let (mut store, found) = Store::open(&path, 2).expect("opens");
            prop_assert!(found.is_empty());
            for (n, write) in writes.iter().enumerate() {
                let rows: Rows = write.iter().map(|(n, row)| Row::Subject(subject(*n), row.as_deref().map(counts))).collect();
                for row in &rows {
                    let Row::Subject(subject, row) = row else { unreachable!("only subjects were written") };
                    match row {
                        Some(row) => model.insert(*subject, row.clone()),
                        None => model.remove(subject),
                    };
                }
                store.write(&rows, positions(n as u64)).expect("writes");
                if n == anew {
                    store.compact().expect("writes anew");
                }
            }
        }
        let (mut store, found) = Store::open(&path, 2).expect("opens");
        prop_assert_eq!(all(&found), model.clone());
        prop_assert_eq!(store.positions(), &positions(writes.len() as u64 - 1));
        store.compact().expect("writes anew");
        store.write_to(&file).expect("exports");

        let (mut other, _) = Store::open(&folder.path().join("other"), 2).expect("opens");
        let found = other.import(&file, 2).expect("imports");
        prop_assert_eq!(all(&found), model.clone());
        drop(other);
        let (other, found) = Store::open(&folder.path().join("other"), 2).expect("opens");
        prop_assert_eq!(all(&found), model);
        prop_assert_eq!(other.positions(), store.positions());
    }
}

#[test]
fn half_an_export_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut store, _) = Store::open(&folder.path().join("risk"), 2).expect("opens");
    let rows: Rows = (0..3_000).map(|n| Row::Subject(subject(n), Some(counts(&[1, 2, 70])))).collect();
    store.write(&rows, positions(7)).expect("writes");
    let file = store.export().expect("exports");
    let whole = std::fs::read(&file).expect("reads");
    std::fs::write(&file, &whole[..whole.len() - 5]).expect("writes");
    let path = folder.path().join("other");
    let (mut other, _) = Store::open(&path, 2).expect("opens");
    assert!(other.import(&file, 2).is_err());
    let mut flipped = whole;
    flipped[1_000] ^= 1;
    std::fs::write(&file, flipped).expect("writes");
    assert!(other.import(&file, 2).is_err());
    assert_eq!(other.positions(), &Positions::beginning(2));
    assert_eq!(other.database.len(), 0);
}

#[test]
fn what_is_out_of_date_is_taken_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut store, _) = Store::open(&folder.path().join("risk"), 2).expect("opens");
    // Crumbs: one subject at a time.
    for n in 0..MANY_PAGES + 10 {
        let row = Row::Subject(subject(n as u16 % 50), Some(counts(&[n as u32])));
        store.write(&vec![row], positions(n)).expect("writes");
    }
    assert!(store.meta.pages.1 - store.meta.pages.0 < 20, "{:?}", store.meta.pages);
    assert!(store.database.len() < 20 + 1);
}

#[test]
fn what_rules_count_is_there_again_and_goes_when_it_is_let_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("risk");
    let key = Key::new(&[Field::User]).expect("a key");
    let mut plan = Plan::default();
    for measure in [Measure::Count(Happening::Claim), Measure::Distinct(Field::Device)] {
        plan.add(Feature { measure, key, window_seconds: 3_600 }).expect("a window");
    }
    let mut table = Table::new(1_000);
    let shopper = Shopper::default().with(Field::Merchant, Some([1; 16])).with(Field::User, Some([2; 16]));
    for n in 0..100_u8 {
        let subject = shopper.with(Field::Device, Some([n; 16]));
        table.observe(
            &plan,
            &Observation { happening: Happening::Claim, at_ms: 1_000, subject, amount: 0, place: None },
        );
    }
    let changed = table.take_changed();
    let rows: Rows = changed.iter().map(|key| Row::Cell(*key, table.row(key))).collect();
    {
        let (mut store, _) = Store::open(&path, 2).expect("opens");
        store.write(&rows, positions(1)).expect("writes");
        store.compact().expect("writes anew");
    }
    let (mut store, found) = Store::open(&path, 2).expect("opens");
    let mut restored = Table::new(1_000);
    restored.restore(found.cells.iter().map(|(key, cell)| (*key, cell.clone())));
    let asked = Asked { subject: &shopper, at_ms: 2_000, now_ms: 2_000, place: None };
    let values = |table: &Table| table.values(&plan, &asked).iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(values(&restored), values(&table));
    let gone: Rows = changed.iter().map(|key| Row::Cell(*key, None)).collect();
    store.write(&gone, positions(2)).expect("writes");
    drop(store);
    assert!(Store::open(&path, 2).expect("opens").1.is_empty());
}
