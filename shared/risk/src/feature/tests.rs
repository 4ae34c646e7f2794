use super::*;

const NOW_MS: i64 = 1_764_000_000_000;

fn subject(user: u64) -> Subject {
    let number = u128::from(user).to_le_bytes();
    Subject::default().with(Field::Merchant, Some([1; 16])).with(Field::User, Some(number))
}

fn claim(user: u64, at_ms: i64) -> Observation {
    Observation { happening: Happening::Claim, at_ms, subject: subject(user), amount: 0, place: None }
}

fn plan(measures: &[(Measure, u32)]) -> Plan {
    let (mut plan, key) = (Plan::default(), Key::new(&[Field::User]).expect("a key"));
    for (measure, window_seconds) in measures {
        plan.add(Feature { measure: *measure, key, window_seconds: *window_seconds }).expect("a window");
    }
    plan
}

fn values(table: &Table, plan: &Plan, user: u64, at_ms: i64) -> Vec<Known> {
    table.values(plan, &Asked { subject: &subject(user), at_ms, now_ms: at_ms, place: None })
}

fn same(value: f64, wanted: f64) -> bool {
    value.to_bits() == wanted.to_bits()
}

#[test]
fn counts_are_bounded_and_it_is_said_how_many_went() {
    let plan = plan(&[(Measure::Count(Happening::Claim), 3_600)]);
    let mut table = Table::new(64);
    for n in 0..200 {
        table.observe(&plan, &claim(n, NOW_MS + n as i64 * 1_000));
    }
    let (len, evicted) = (table.len(), table.evicted());
    assert!(len <= 64 && evicted == 200 - len as u64, "{len} {evicted}");
    let value = |user| values(&table, &plan, user, NOW_MS + 200_000)[0];
    assert!(same(value(199), 1.0) && same(value(0), 0.0));
    let nobody = Asked { subject: &Subject::default(), at_ms: 0, now_ms: 0, place: None };
    assert!(table.values(&plan, &nobody)[0].is_nan(), "nobody told of a user");
}

#[test]
fn a_plan_of_more_counters_than_there_is_room_is_bounded_too() {
    let measures = [Measure::Count(Happening::Claim), Measure::Sum(Happening::Claim), Measure::Distinct(Field::User)];
    let windows = [600, 5_400, 2 * 86_400, 28 * 86_400];
    let counters: Vec<_> = measures.into_iter().flat_map(|measure| windows.map(|window| (measure, window))).collect();
    let others = [Measure::Distinct(Field::Merchant), Measure::Burst(Happening::Claim)].map(|measure| (measure, 3_600));
    let ages = [Measure::Age, Measure::Speed].map(|measure| (measure, 0));
    let rates = [(Measure::FraudRate, 86_400), (Measure::GapVariation(Happening::Claim), 600)];
    let plan = plan(&[counters, others.to_vec(), ages.to_vec(), rates.to_vec()].concat());
    let mut table = Table::new(1);
    for n in 0..100 {
        table.observe(&plan, &claim(n, NOW_MS));
        assert_eq!(table.len(), 17, "those of one happening, of which none had a place");
        assert!(same(values(&table, &plan, n, NOW_MS)[0], 1.0));
    }
}

#[test]
fn a_flood_of_new_keys_does_not_drive_out_who_comes_again() {
    let plan = plan(&[(Measure::Count(Happening::Claim), 3_600)]);
    let mut table = Table::new(10_000);
    let at_ms = |n: u64| NOW_MS + n as i64 / 1_000;
    // Five thousand honest users who came twice, and then devices without end that come once.
    for n in 0..10_000 {
        table.observe(&plan, &claim(n % 5_000, NOW_MS));
    }
    for n in 0..1_000_000 {
        table.observe(&plan, &claim(1_000_000 + n, at_ms(n)));
        assert!(table.len() <= 10_000);
        if n % 10_000 == 0 {
            table.take_changed();
        }
    }
    let kept = (0..5_000).filter(|user| same(values(&table, &plan, *user, at_ms(1_000_000))[0], 2.0)).count();
    assert_eq!(kept, 5_000, "{} went", table.evicted());
    table.observe(&plan, &claim(7, at_ms(1_000_000)));
    assert!(same(values(&table, &plan, 7, at_ms(1_000_000))[0], 3.0));
}

#[test]
fn those_who_came_twice_make_room_in_the_end() {
    let plan = plan(&[(Measure::Idle, 0)]);
    let mut table = Table::new(1_000);
    for n in 0..20_000_u64 {
        table.observe(&plan, &claim(n / 2, NOW_MS + n as i64));
    }
    let is_known = |user: u64| !values(&table, &plan, user, NOW_MS + 20_000)[0].is_nan();
    assert!((9_500..10_000).all(is_known), "the newest are there");
    assert!(!(0..1_000).any(is_known), "the oldest are not");
}

#[test]
fn what_goes_is_the_same_after_a_restart() {
    let plan = plan(&[(Measure::Count(Happening::Claim), 3_600), (Measure::Age, 0)]);
    // All in one part, and in many.
    for (most, scale) in [(500, 1), (10_000, 20)] {
        let mut table = Table::new(most);
        (0..480 * scale).for_each(|n| table.observe(&plan, &claim(n % (200 * scale), NOW_MS + n as i64)));
        let mut restored = Table::new(most);
        restored.restore(table.take_changed().into_iter().filter_map(|key| Some((key, table.row(&key)?))));
        assert_eq!(restored.len(), table.len());
        let before = table.evicted();
        let strangers = 100_000..100_000 + 400 * scale;
        for table in [&mut table, &mut restored] {
            strangers.clone().for_each(|n| table.observe(&plan, &claim(n, NOW_MS + n as i64)));
            assert!(table.len() <= most && table.evicted() > 0);
        }
        let all = |table: &Table| {
            let users = (0..200 * scale).chain(strangers.clone());
            users.flat_map(|user| values(table, &plan, user, NOW_MS + 900_000)).map(f64::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(all(&table), all(&restored));
        assert_eq!(table.evicted() - before, restored.evicted());
        assert_eq!(table.rows(&plan).count(), table.len());
    }
}

#[test]
fn labels_count_at_the_time_of_what_they_label() {
    const DAY_MS: i64 = 86_400_000;
    let plan =
        plan(&[(Measure::FraudRate, 28 * 86_400), (Measure::Frauds, 7 * 86_400), (Measure::Settled, 7 * 86_400)]);
    let mut table = Table::new(100);
    let label = |fraud, user| Labelled { subject: subject(user), event_at_ms: NOW_MS, fraud };
    // The label is read before what it labels, as shards may be.
    table.label(&plan, &label(1, 1));
    (0..4).for_each(|_| table.observe(&plan, &claim(1, NOW_MS)));
    table.observe(&plan, &Observation { happening: Happening::Lock, ..claim(1, NOW_MS) });
    assert!(same(values(&table, &plan, 1, NOW_MS + DAY_MS)[1], 0.0), "labels had no time yet");
    let later = values(&table, &plan, 1, NOW_MS + 8 * DAY_MS);
    assert!(same(later[1], 1.0) && same(later[0], 1.1 / 24.0) && same(later[2], 4.0), "{later:?}");
    assert!(same(values(&table, &plan, 1, NOW_MS + 15 * DAY_MS)[1], 0.0), "it lies behind the window of a week");
    table.label(&plan, &label(-1, 1));
    assert!(same(values(&table, &plan, 1, NOW_MS + 8 * DAY_MS)[1], 0.0), "it was taken back");
    let unseen = values(&table, &plan, 2, NOW_MS);
    assert!(same(unseen[0], 0.1 / 20.0), "of a stranger the prior is known: {unseen:?}");
}

#[test]
fn bursts_gaps_and_speed_are_read_from_the_table() {
    let happening = Happening::Claim;
    let plan =
        plan(&[(Measure::Burst(happening), 3_600), (Measure::GapVariation(happening), 3_600), (Measure::Speed, 0)]);
    let mut table = Table::new(100);
    let place = |degrees: i32| Place { latitude_microdegrees: degrees * 1_000_000, longitude_microdegrees: 0 };
    for n in 0..8 {
        let there = Observation { place: Some(place(10)), ..claim(1, NOW_MS + n * 60_000) };
        table.observe(&plan, &there);
    }
    let (at_ms, who) = (NOW_MS + 7 * 60_000, subject(1));
    let asked = Asked { subject: &who, at_ms, now_ms: at_ms + 3_600_000, place: Some(place(20)) };
    let found = table.values(&plan, &asked);
    assert!(same(found[0], 8.0) && same(found[1], 0.0), "{found:?}");
    assert!((found[2] - 1_111.9).abs() < 0.5, "ten degrees in an hour: {found:?}");
    assert!(table.values(&plan, &Asked { place: None, ..asked })[2].is_nan());
    let stranger = values(&table, &plan, 2, at_ms);
    assert!(same(stranger[0], 0.0) && stranger[1].is_nan() && stranger[2].is_nan(), "{stranger:?}");
}

#[test]
fn many_plain_numbers_are_told_apart() {
    let plan = plan(&[(Measure::Distinct(Field::Store), 86_400)]);
    let mut table = Table::new(100);
    for store in 0..1_000_u128 {
        let subject = subject(1).with(Field::Store, Some(store.to_le_bytes()));
        table.observe(&plan, &Observation { subject, ..claim(1, NOW_MS) });
    }
    let found = values(&table, &plan, 1, NOW_MS)[0];
    assert!((found - 1_000.0).abs() < 100.0, "{found}");
}
