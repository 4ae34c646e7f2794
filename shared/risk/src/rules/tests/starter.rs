//! The rules to begin with: each catches what it is for, and leaves the honest twin alone.

use super::*;
use crate::feature::{Labelled, Place};

/// What happened in which second: by which device, user and cashier, and of what amount.
type Happened = (Happening, i64, u8, u8, Option<u8>, i64);

/// Which rules of the starter set hit, after what happened and at the last moment of it.
fn starter_hits(happened: &[Happened]) -> Vec<String> {
    let mut plan = Plan::default();
    let set = compile(STARTER, &mut plan).unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut table = Table::new(100_000);
    let of = |device: u8, user: u8, cashier: Option<u8>| {
        Subject::default()
            .with(Field::Merchant, Some([1; 16]))
            .with(Field::Device, Some([device; 16]))
            .with(Field::User, Some([user; 16]))
            .with(Field::Ip, Some([9; 16]))
            .with(Field::Stock, Some([3; 16]))
            .with(Field::Cashier, cashier.map(|cashier| [cashier; 16]))
    };
    for (happening, second, device, user, cashier, amount) in happened {
        let (at_ms, subject) = (1_764_000_000_000 + second * 1_000, of(*device, *user, *cashier));
        table.observe(&plan, &Observation { happening: *happening, at_ms, subject, amount: *amount, place: None });
    }
    let (happening, second, device, user, cashier, amount) = *happened.last().expect("something happened");
    let subject = of(device, user, cashier);
    let values = table.values(&plan, &asked(&subject, 1_764_000_000_000 + second * 1_000));
    let event = happening.name();
    let facts = Facts { event, amount: amount as f64, ..facts(&values, &subject) };
    let hit = |rule: &&Rule| rule.evaluate(&facts) == Outcome::Hit;
    set.rules.iter().filter(hit).map(|rule| rule.name.clone()).collect()
}

#[test]
fn the_starter_set_catches_farms_and_leaves_their_honest_twins_alone() {
    let claim = |second, device, user| (Happening::Claim, second, device, user, None, 0);
    // One device, a dozen users within an hour; and a family of three on one device.
    let farm: Vec<_> = (0..12).map(|n| claim(i64::from(n) * 250, 1, n)).collect();
    assert_eq!(starter_hits(&farm), ["device_many_users", "device_farm", "clockwork"]);
    let family: Vec<_> = (0..12).map(|n| claim(i64::from(n) * 7_000, 1, n % 3)).collect();
    assert_eq!(starter_hits(&family), [""; 0]);
    // Two thousand claims behind one address, each phone its own, is a campus; the same from four phones is not.
    let campus: Vec<_> = (0..200).map(|n| claim(i64::from(n) * 15, n, n)).collect();
    assert_eq!(starter_hits(&campus), [""; 0]);
    let bots: Vec<_> = (0..200_u8).map(|n| claim(i64::from(n) * 15, n % 4, n)).collect();
    assert!(starter_hits(&bots).contains(&"ip_few_devices".to_owned()), "{:?}", starter_hits(&bots));
    // Codes that nobody could have been given; and a shopper who mistypes now and then.
    let refused = |second, device| (Happening::Refused, second, device, 1, None, 0);
    let guesser: Vec<_> = (0..15).map(|n| refused(n * 20, 1)).collect();
    assert_eq!(starter_hits(&guesser), ["guessing", "guessing_script"]);
    let clumsy: Vec<_> = (0..3).map(|n| refused(n * 20, 1)).collect();
    assert_eq!(starter_hits(&clumsy), [""; 0]);
}

#[test]
fn the_starter_set_looks_at_tills_too() {
    let redeemed = |n: u8, user| (Happening::Redemption, i64::from(n) * 300, n, user, Some(7), 4_200);
    let colluding: Vec<_> = (0..60).map(|n| redeemed(n, n % 5)).collect();
    assert!(starter_hits(&colluding).contains(&"cashier_alone".to_owned()), "{:?}", starter_hits(&colluding));
    let busy: Vec<_> = (0..60).map(|n| redeemed(n, n)).collect();
    assert_eq!(starter_hits(&busy), [""; 0]);
}

/// A shop under the starter set: each request is looked at with what is counted before it, and counted then.
struct Shop {
    plan: Plan,
    set: RuleSet,
    table: Table,
}

/// A request and what is known beside the counts.
struct Request<'a> {
    happening: Happening,
    at_ms: i64,
    subject: Subject,
    place: Option<Place>,
    lists: &'a [&'a str],
}

const NOW_MS: i64 = 1_764_000_000_000;

fn subject(fields: &[(Field, u64)]) -> Subject {
    let merchant = Subject::default().with(Field::Merchant, Some([1; 16]));
    fields.iter().fold(merchant, |subject, (field, n)| subject.with(*field, Some(u128::from(*n).to_le_bytes())))
}

fn request(happening: Happening, second: i64, fields: &[(Field, u64)]) -> Request<'static> {
    Request { happening, at_ms: NOW_MS + second * 1_000, subject: subject(fields), place: None, lists: &[] }
}

impl Shop {
    fn open() -> Self {
        let mut plan = Plan::default();
        let set = compile(STARTER, &mut plan).unwrap_or_else(|problems| panic!("{problems:?}"));
        Self { plan, set, table: Table::new(1_000_000) }
    }

    /// What hits, each with its action.
    fn ask(&self, request: &Request<'_>) -> Vec<(&str, Action)> {
        let Request { happening, at_ms, subject, place, lists } = request;
        let asked = Asked { subject, at_ms: *at_ms, now_ms: *at_ms, place: *place };
        let values = self.table.values(&self.plan, &asked);
        let facts = Facts { lists, ..Facts::new(&values, subject, happening.name()) };
        let hit = |rule: &&Rule| rule.evaluate(&facts) == Outcome::Hit;
        self.set.rules.iter().filter(hit).map(|rule| (rule.name.as_str(), rule.action)).collect()
    }

    fn count(&mut self, request: &Request<'_>) {
        let Request { happening, at_ms, subject, place, .. } = *request;
        self.table.observe(&self.plan, &Observation { happening, at_ms, subject, amount: 0, place });
    }

    /// Looks and then counts; whether a rule of this name hit.
    fn next(&mut self, request: &Request<'_>, rule: &str) -> bool {
        let hit = self.ask(request).iter().any(|(name, _)| *name == rule);
        self.count(request);
        hit
    }
}

#[test]
fn a_campus_behind_one_address_is_not_stopped() {
    let mut shop = Shop::open();
    for user in 0..2_000_u64 {
        let who = [(Field::User, user), (Field::Device, user), (Field::Ip, 9), (Field::Ip24, 9), (Field::Stock, 1)];
        // An afternoon's release: a claim every second or so, at uneven moments.
        let claim = request(Happening::Claim, user as i64 + (user % 7) as i64, &who);
        assert_eq!(shop.ask(&claim), [], "user {user}");
        shop.count(&claim);
    }
}

#[test]
fn a_farm_in_one_network_is_stopped_before_a_fifth_of_it_is_through() {
    let mut shop = Shop::open();
    let mut first = None;
    let mut through = 0;
    for user in 0..1_000_u64 {
        let device = user % 50;
        let who = [
            (Field::User, user),
            (Field::Device, device),
            (Field::Ip, 100 + device),
            (Field::Ip24, 9),
            (Field::Coupon, user),
            (Field::Stock, 1),
        ];
        let claim = request(Happening::Claim, user as i64 * 3, &who);
        if shop.ask(&claim).iter().any(|(_, action)| *action >= Action::Challenge) {
            first = first.or(Some(user));
            // What is stopped is no claim, and is not counted.
            continue;
        }
        shop.count(&claim);
        through += 1;
    }
    assert!(first.is_some_and(|first| first < 200), "{first:?}");
    assert!(through < 200, "{through}");
}

#[test]
fn a_user_in_two_cities_at_once_is_asked_unless_the_address_is_a_proxy() {
    let mut shop = Shop::open();
    let place = |degrees: i32| Some(Place { latitude_microdegrees: degrees * 1_000_000, longitude_microdegrees: 0 });
    let from = |second, degrees| Request {
        place: place(degrees),
        ..request(Happening::Redemption, second, &[(Field::User, 1), (Field::Store, 1)])
    };
    shop.count(&from(0, 10));
    let flight = shop.ask(&from(3 * 3_600, 20));
    assert_eq!(flight, [], "1,100 km in three hours is a flight");
    let jump = from(1_800, 20);
    assert_eq!(shop.ask(&jump), [("impossible_travel", Action::Challenge)]);
    assert_eq!(shop.ask(&Request { lists: &["vpn"], ..jump }), []);
    assert_eq!(shop.ask(&Request { place: None, ..from(1_800, 20) }), []);
}

#[test]
fn a_coupon_sold_within_a_minute_is_looked_at_and_an_own_one_is_not() {
    let mut shop = Shop::open();
    let of = |happening, second, user| request(happening, second, &[(Field::User, user), (Field::Coupon, 5)]);
    let old = of(Happening::Redemption, 0, 2);
    assert_eq!(shop.ask(&old), [], "claimed before anything was counted");
    shop.count(&of(Happening::Claim, 0, 1));
    assert_eq!(shop.ask(&of(Happening::Redemption, 40, 2)), [("instant_resale", Action::Review)]);
    assert_eq!(shop.ask(&of(Happening::Redemption, 40, 1)), []);
    assert_eq!(shop.ask(&of(Happening::Redemption, 90, 2)), [], "a present to a friend");
    let nobody = request(Happening::Redemption, 40, &[(Field::Coupon, 5)]);
    assert_eq!(shop.ask(&nobody), [], "who it is was not told");
}

#[test]
fn a_cashier_whose_orders_all_lie_on_the_threshold_is_looked_at() {
    let run = |every: u64| {
        let (mut shop, mut hit) = (Shop::open(), false);
        for n in 0..90_u64 {
            let who = [(Field::User, n), (Field::Cashier, 7), (Field::Store, 3)];
            hit |= shop.next(&request(Happening::Redemption, n as i64 * 600, &who), "cashier_on_threshold");
            if n % every == 0 {
                shop.count(&request(Happening::OnThreshold, n as i64 * 600, &who));
            }
        }
        hit
    };
    assert!(run(2), "every other order");
    assert!(!run(10), "one in ten is chance");
}

#[test]
fn one_till_with_few_customers_is_told_from_a_busy_one() {
    let run = |users: u64, cashiers: u64| {
        let (mut shop, mut hit) = (Shop::open(), false);
        for n in 0..300_u64 {
            let who = [(Field::User, n % users), (Field::Cashier, n % cashiers), (Field::Store, 3)];
            hit |= shop.next(&request(Happening::Redemption, n as i64 * 120, &who), "cashier_share");
        }
        hit
    };
    assert!(run(40, 1));
    assert!(!run(300, 1), "a shop with one till");
    assert!(!run(40, 4), "regulars of a shop with four");
}

#[test]
fn codes_tried_from_a_whole_network_are_noticed_and_typing_errors_of_a_campus_are_not() {
    let run = |claims: u64| {
        let (mut shop, mut hit) = (Shop::open(), false);
        for n in 0..100_u64 {
            let refused = [(Field::Device, n), (Field::Ip24, 9)];
            for claim in 0..claims {
                let id = 1_000 + n * claims + claim;
                let who = [(Field::User, id), (Field::Device, id), (Field::Ip24, 9)];
                shop.count(&request(Happening::Claim, n as i64 * 30, &who));
            }
            hit |= shop.next(&request(Happening::Refused, n as i64 * 30, &refused), "guessing_net");
        }
        hit
    };
    assert!(run(0));
    assert!(!run(5));
}

#[test]
fn lists_and_clusters_decide_with_what_is_known_of_them() {
    let shop = Shop::open();
    let claim = |lists| Request { lists, ..request(Happening::Claim, 0, &[(Field::User, 1)]) };
    assert_eq!(shop.ask(&claim(&["block"])), [("on_block_list", Action::Block)]);
    assert_eq!(shop.ask(&claim(&["watch", "vpn"])), [("on_watch_list", Action::Review)]);
    let (who, values) = (subject(&[(Field::User, 1)]), vec![f64::NAN; shop.plan.features().len()]);
    let hits = |size: f64, devices: f64, spread: f64| {
        let facts = Facts {
            cluster_size: size,
            cluster_devices: devices,
            cluster_age_spread: spread,
            ..Facts::new(&values, &who, "claim")
        };
        let hit = |rule: &&Rule| rule.evaluate(&facts) == Outcome::Hit;
        shop.set.rules.iter().filter(hit).map(|rule| rule.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(hits(60.0, 4.0, 9e6), ["cluster_farm"]);
    assert_eq!(hits(60.0, 4.0, 600.0), ["cluster_farm", "cluster_new"]);
    assert_eq!(hits(60.0, 29.0, 600.0), [""; 0], "as many phones as people");
    assert_eq!(hits(6.0, 1.0, 9e6), [""; 0], "a family");
}

#[test]
fn a_store_with_labelled_fraud_is_looked_at_once_labels_had_time() {
    let mut shop = Shop::open();
    let who = [(Field::User, 1), (Field::Store, 3)];
    for n in 0..100 {
        shop.count(&request(Happening::Redemption, n * 60, &who));
    }
    for n in 0..10 {
        let labelled = Labelled { subject: subject(&who), event_at_ms: NOW_MS + n * 60_000, fraud: 1 };
        shop.table.label(&shop.plan, &labelled);
    }
    let later = |days: i64| request(Happening::Redemption, days * 86_400, &[(Field::User, 2), (Field::Store, 3)]);
    assert_eq!(shop.ask(&later(2)), []);
    assert_eq!(shop.ask(&later(10)), [("store_fraud", Action::Review)]);
    assert_eq!(shop.ask(&later(60)), []);
}

#[test]
fn a_store_where_few_come_far_more_often_than_usual_is_looked_at_and_a_full_one_is_not() {
    let run = |users: u64, weeks: i64| {
        let (mut shop, mut hit) = (Shop::open(), false);
        for week in 0..weeks {
            hit = false;
            for n in 0..120 {
                let who = [(Field::User, n % users), (Field::Store, 3)];
                let at = week * 7 * 86_400 + n as i64 * 20;
                hit |= shop.next(&request(Happening::Redemption, at, &who), "store_burst");
            }
        }
        hit
    };
    assert!(run(30, 1), "thirty users, four times each within an hour");
    assert!(!run(120, 1), "an opening day");
    assert!(!run(30, 12), "the club that meets there every week at this hour");
}

#[test]
fn a_device_whose_uses_turned_out_to_be_fraud_is_asked_and_one_with_one_mistake_is_not() {
    let run = |uses: i64, frauds: i64| {
        let mut shop = Shop::open();
        let who = [(Field::User, 1), (Field::Device, 4)];
        for n in 0..uses {
            shop.count(&request(Happening::Redemption, n * 600, &who));
        }
        for n in 0..frauds {
            let labelled = Labelled { subject: subject(&who), event_at_ms: NOW_MS + n * 600_000, fraud: 1 };
            shop.table.label(&shop.plan, &labelled);
        }
        let later = |days: i64| request(Happening::Redemption, days * 86_400, &[(Field::User, 2), (Field::Device, 4)]);
        let names = |request| shop.ask(&request).iter().map(|(rule, _)| (*rule).to_owned()).collect::<Vec<_>>();
        (names(later(2)), names(later(10)))
    };
    let none = Vec::<String>::new;
    assert_eq!(run(10, 3), (none(), vec!["device_known_bad".to_owned()]), "once labels had time");
    assert_eq!(run(10, 1), (none(), none()), "anybody may be taken for another once");
    assert_eq!(run(200, 2), (none(), none()), "a kiosk that many use");
}

#[test]
fn what_the_model_is_sure_of_is_looked_at_and_a_doubt_is_not() {
    let shop = Shop::open();
    let (who, values) = (subject(&[(Field::User, 1)]), vec![f64::NAN; shop.plan.features().len()]);
    let hits = |score: f64| {
        let facts = Facts { score, ..Facts::new(&values, &who, "claim") };
        let hit = |rule: &&Rule| rule.evaluate(&facts) == Outcome::Hit;
        shop.set.rules.iter().filter(hit).map(|rule| (rule.name.as_str(), rule.action)).collect::<Vec<_>>()
    };
    assert_eq!(hits(901.0), [("model_high", Action::Review)]);
    assert_eq!(hits(900.0), []);
    assert_eq!(hits(f64::NAN), [], "there is no model");
}

#[test]
fn a_network_of_very_few_devices_is_blocked_and_a_computer_room_is_not() {
    let run = |devices: u64| {
        let mut shop = Shop::open();
        let claim = |user: u64| {
            let who =
                [(Field::User, user), (Field::Device, user % devices), (Field::Ip24, 9), (Field::Stock, user % 40)];
            request(Happening::Claim, user as i64 * 200, &who)
        };
        // All of it came before the rules were live.
        (0..120).for_each(|user| shop.count(&claim(user)));
        let hits = shop.ask(&claim(121));
        hits.into_iter().find(|(rule, _)| *rule == "net_farm").map(|(_, action)| action)
    };
    assert_eq!(run(20), Some(Action::Block), "six users on each of twenty phones");
    assert_eq!(run(40), None, "three students at each of forty computers: asked for proof, not blocked");
    assert_eq!(run(120), None, "a phone each");
}
