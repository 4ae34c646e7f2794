//! What happens at tills, against the starter rules as they ship: each abuse is caught and the rule is named; beside it
//! its honest twin, who is not.

use serde_json::json;

use crate::scene::{Person, Scene, Till, Told, coupon};
use crate::support::{Server, runtime};

const SHANGHAI: (f64, f64) = (31.2380, 121.4840);
const PUDONG: (f64, f64) = (31.2450, 121.5060);
const CHENGDU: (f64, f64) = (30.6570, 104.0780);

/// Somebody with a phone and an address of their own.
fn own(name: &str, n: u64) -> Person {
    Person::new(format!("{name}-{n}"), format!("{name}-{n}"), &format!("198.{}.{}.7", 18 + n / 250, n % 250))
}

/// Claims and uses a coupon, and waits until the use is counted; `nth` of the device.
async fn use_one(scene: &Scene, person: &Person, nth: u64, till: &Till<'_>) -> Told {
    let claimed = scene.claimed(person, nth).await;
    let told = scene.redeem(person, &coupon(&claimed), till).await;
    if told.body["state"] == "redeemed" {
        scene.counted(&person.device, "device_redemptions_24h", nth).await;
    }
    told
}

fn allowed(told: &Told) {
    assert_eq!((told.action.as_str(), told.rules.len()), ("allow", 0), "{told:?}");
}

#[test]
fn one_user_in_two_cities_is_asked_for_proof_and_one_in_two_districts_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        let (shanghai, pudong, chengdu) =
            (scene.store("上海").await, scene.store("浦东").await, scene.store("成都").await);
        let at = |store, place| Till { store, cashier: "c", amount: 2_000, place: Some(place) };
        let traveller = own("traveller", 1);
        allowed(&use_one(&scene, &traveller, 1, &at(&shanghai, SHANGHAI)).await);
        let told = use_one(&scene, &traveller, 2, &at(&chengdu, CHENGDU)).await;
        assert_eq!(told.action, "challenge", "{told:?}");
        assert_eq!(told.rules, ["impossible_travel"]);

        let commuter = own("commuter", 2);
        allowed(&use_one(&scene, &commuter, 1, &at(&shanghai, SHANGHAI)).await);
        allowed(&use_one(&scene, &commuter, 2, &at(&pudong, PUDONG)).await);
        let elsewhere = own("elsewhere", 3);
        allowed(&use_one(&scene, &elsewhere, 1, &at(&chengdu, CHENGDU)).await);
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_cashier_who_redeems_for_a_few_friends_is_looked_at_and_a_busy_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        let (loose, busy) = (scene.store("松").await, scene.store("忙").await);
        let till = |store, cashier, n: u64| Till { store, cashier, amount: 1_500 + n as i64 * 37 % 4_000, place: None };
        let mut caught = None;
        // Twelve phones of nine friends, so that no phone claims as often as a machine.
        for n in 0..60_u64 {
            let friend = Person { device: format!("friend-phone-{}", n % 12), ..own("friend", n % 9) };
            let told = use_one(&scene, &friend, n / 12 + 1, &till(&loose, "loose", n)).await;
            if told.action == "review" {
                caught = Some((n, told));
                break;
            }
            allowed(&told);
        }
        let (n, told) = caught.expect("somebody looks");
        assert!(n < 55 && told.names("cashier_alone"), "{n}: {told:?}");
        for n in 0..60 {
            allowed(&use_one(&scene, &own("customer", n), 1, &till(&busy, "busy", n)).await);
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_cashier_whose_orders_hug_the_threshold_is_looked_at_and_one_with_other_orders_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        let store = scene.store("门店").await;
        let till = |cashier, amount| Till { store: &store, cashier, amount, place: None };
        let mut caught = None;
        for n in 0..40_u64 {
            // Of three orders two come to just what the coupon asks for.
            let amount = if n % 3 == 2 { 2_700 } else { 1_000 + n as i64 % 9 };
            let told = use_one(&scene, &own("made-up", n), 1, &till("hugger", amount)).await;
            if told.action == "review" {
                caught = Some((n, told));
                break;
            }
            allowed(&told);
        }
        let (n, told) = caught.expect("somebody looks");
        assert!(told.names("cashier_on_threshold"), "{n}: {told:?}");
        for n in 0..40_u64 {
            let amount = 1_000 + n as i64 * 83;
            allowed(&use_one(&scene, &own("honest", 100 + n), 1, &till("honest", amount)).await);
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

/// Tries codes that nobody was given, one after the other, and waits until all are counted.
async fn tries(scene: &Scene, person: &Person, codes: std::ops::Range<u64>, till: &Till<'_>) {
    let many = codes.end - codes.start;
    for n in codes {
        let code = json!({"code": format!("7K00-{n:04}-0QXM-4TZR")});
        assert_eq!(scene.redeem(person, &code, till).await.action, "coupon_not_found");
    }
    scene.counted(&person.device, "device_refused_1h", many).await;
}

/// Wrong codes are refused whoever tries them, and nothing is said of risk: it is the code that is right in the end that
/// is of no use to who guessed it.
#[test]
fn a_code_that_was_guessed_is_blocked_and_that_of_a_shopper_who_mistyped_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        let store = scene.store("门店").await;
        let till = Till { store: &store, cashier: "self-service", amount: 2_000, place: None };
        let (victim, guesser, clumsy) = (own("victim", 1), own("guesser", 2), own("clumsy", 3));
        let of_victim = scene.claimed(&victim, 1).await;
        tries(&scene, &guesser, 0..11, &till).await;
        let hit = json!({"code": of_victim["code"]});
        let told = scene.redeem(&guesser, &hit, &till).await;
        assert!(told.action == "block" && told.names("guessing"), "{told:?}");
        allowed(&scene.redeem(&victim, &hit, &till).await);

        let claimed = scene.claimed(&clumsy, 1).await;
        tries(&scene, &clumsy, 500..503, &till).await;
        allowed(&scene.redeem(&clumsy, &json!({"code": claimed["code"]}), &till).await);
    });
    assert_eq!(server.terminate(), Some(0));
}

/// Whoever says that they are another user than the one who claimed is refused in any case. Where reviews are held it is
/// kept as what it is, and somebody looks at it.
#[test]
fn a_coupon_that_is_used_by_another_at_once_is_held_and_an_own_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        let store = scene.store("门店").await;
        let till = Till { store: &store, cashier: "c", amount: 2_000, place: None };
        let (seller, buyer, owner) = (own("seller", 1), own("buyer", 2), own("owner", 3));
        let claimed = scene.claimed(&seller, 1).await;
        assert_eq!(scene.redeem(&buyer, &coupon(&claimed), &till).await.action, "user_mismatch");
        scene.hold_reviews().await;
        let told = scene.redeem(&buyer, &coupon(&claimed), &till).await;
        assert!(told.action == "risk_review" && told.rules == ["instant_resale"], "{told:?}");
        let path = format!("/v1/risk/cases?state=open&merchant_id={}", scene.id);
        let cases = scene.soon(&path, |found| found["data"][0].is_object()).await;
        let case = &cases["data"][0];
        assert_eq!((&case["decision_count"], &case["reasons"]), (&json!(1), &json!(["instant_resale"])), "{case}");
        allowed(&use_one(&scene, &owner, 1, &till).await);
    });
    assert_eq!(server.terminate(), Some(0));
}
