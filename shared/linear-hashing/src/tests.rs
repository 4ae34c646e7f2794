use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u32),
    Add(u64),
    Remove(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0_u64..4_000;
    prop_oneof![
        (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        key.clone().prop_map(Step::Add),
        key.prop_map(Step::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn it_is_a_map(before in 0_u64..6_000, steps in prop::collection::vec(step(), 1..4_000)) {
        let mut map = LinearHashMap::default();
        let mut model = HashMap::new();
        for key in 0..before {
            prop_assert_eq!(map.insert(key, 7), model.insert(key, 7));
        }
        for step in steps {
            match step {
                Step::Insert(key, value) => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                Step::Add(key) => {
                    let value = map.get_or_default(key);
                    *value = value.wrapping_add(1);
                    let known = model.entry(key).or_default();
                    *known = known.wrapping_add(1);
                }
                Step::Remove(key) => prop_assert_eq!(map.remove(&key), model.remove(&key)),
            }
            prop_assert_eq!(map.len(), model.len());
        }
        for key in 0..12_000 {
            prop_assert_eq!(map.get(&key), model.get(&key));
        }
        let all: HashMap<u64, u32> = map.iter().map(|(key, value)| (*key, *value)).collect();
        prop_assert_eq!(all, model);
    }
}

#[test]
fn it_grows_table_by_table_and_fills_them_evenly() {
    let mut map = LinearHashMap::default();
    for key in 0..300_000_u64 {
        let before = map.tables.len();
        map.insert(key, [0_u8; 16]);
        assert!(map.tables.len() <= before + 1);
    }
    assert_eq!(map.tables.len(), 300_000_usize.div_ceil(LOAD));
    let most = map.tables.iter().map(HashTable::len).max();
    assert!(most.is_some_and(|most| most < 2 * LOAD + LOAD / 2), "{most:?}");
}

/// A hash that is always the same: nothing can be split, and everything is found all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Alike(u32);

impl Hash for Alike {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(0);
    }
}

#[test]
fn keys_with_one_hash_are_kept_apart() {
    let mut map = LinearHashMap::default();
    for key in 0..2_000 {
        assert_eq!(map.insert(Alike(key), key), None);
    }
    assert!((0..2_000).all(|key| map.get(&Alike(key)) == Some(&key)));
}
