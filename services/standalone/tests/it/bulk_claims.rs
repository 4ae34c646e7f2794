//! Bulk claims against the starter rules as they ship: each farm is stopped in time and the rule is named; beside it its
//! honest twin, who is not.

use std::collections::BTreeMap;

use serde_json::json;

use crate::scene::{Person, Scene, Told};
use crate::support::{Server, at_once, runtime};

/// Claims of a farm until the first is stopped: which one that was, counted from 0, and what was told. What was let
/// through is counted before the next comes, as when minutes lie between.
async fn until_stopped(scene: &Scene, people: impl IntoIterator<Item = (Person, u64)>) -> (usize, Told) {
    for (n, (person, of_device)) in people.into_iter().enumerate() {
        let told = scene.claim(&person).await;
        if told.is_stopped() {
            return (n, told);
        }
        scene.counted(&person.device, "device_claims_24h", of_device).await;
    }
    panic!("nobody was stopped");
}

#[test]
fn a_thousand_users_on_one_device_are_stopped_before_the_second_per_cent_and_a_family_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        let farm = (0..1_000).map(|n| (Person::new(n, "farm", "203.0.113.9"), n + 1));
        let (first, told) = until_stopped(&scene, farm).await;
        assert!(first < 20, "{first}");
        assert!(told.names("device_many_users"), "{told:?}");
        // Nor does it help to go on: nothing more gets through.
        for n in 0..20 {
            let told = scene.claim(&Person::new(format!("more-{n}"), "farm", "203.0.113.9")).await;
            assert!(told.is_stopped(), "{told:?}");
        }
        // A family of three with one tablet.
        for n in 0..5 {
            let told = scene.claim(&Person::new(format!("family-{}", n % 3), "tablet", "198.51.100.4")).await;
            assert_eq!(told.action, "allow", "{told:?}");
            scene.counted("device-tablet", "device_claims_24h", n + 1).await;
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_farm_of_fifty_devices_in_one_network_is_stopped_before_a_fifth_and_an_office_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        let farm = (0..1_000).map(|n| (Person::new(n, n % 50, &format!("203.0.113.{}", n % 50 + 1)), n / 50 + 1));
        let (first, told) = until_stopped(&scene, farm).await;
        assert!(first < 200, "{first}");
        assert!(told.names("net_few_devices"), "{told:?}");
        // An office: a network of as many users, each with a phone.
        for n in 0..250 {
            let person = Person::new(format!("clerk-{n}"), format!("phone-{n}"), &format!("198.51.100.{}", n % 50 + 1));
            let told = scene.claim(&person).await;
            assert_eq!((told.action.as_str(), told.rules.len()), ("allow", 0), "{n}: {told:?}");
            scene.counted(&person.device, "device_claims_24h", 1).await;
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_farm_over_a_graph_of_shared_devices_is_stopped_before_a_tenth_and_families_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        // Ten phones that go from hand to hand: each user claims on one, and the first ten on the next one too, which makes
        // one graph of all. No network has two of them.
        let at = |claim: u64, user: u64, phone: u64| {
            Person::new(user, format!("shared-{phone}"), &format!("203.{}.{}.7", claim / 250, claim % 250))
        };
        let bridges = (0..10).flat_map(|n| [at(n, n, n), at(500 + n, n, (n + 1) % 10)]);
        let farm: Vec<_> = bridges.chain((10..1_000).map(|n| at(n, n, n % 10))).collect();
        let (mut of_phone, mut stopped) = (BTreeMap::<&str, u64>::new(), None);
        for (n, person) in farm.iter().enumerate() {
            let told = scene.claim(person).await;
            if told.is_stopped() {
                stopped = Some((n, told));
                break;
            }
            let claims = of_phone.entry(&person.device).or_default();
            *claims += 1;
            scene.counted(&person.device, "device_claims_24h", *claims).await;
            let path = format!("/v1/risk/subjects/user/{}/cluster?merchant_id={}&depth=1", person.user, scene.id);
            scene.soon(&path, |found| found["nodes"].as_array().is_some_and(|nodes| nodes.len() >= 3)).await;
        }
        let (n, told) = stopped.expect("it was stopped");
        assert!(n < 100, "{n}");
        assert!(told.names("cluster_new"), "{n}: {told:?}");
        // Fifty families: three users, two phones, one address each.
        for n in 0..150_u64 {
            let (home, member) = (n / 3, n % 3);
            let phone = format!("home-{home}-{}", member.min(1));
            let person = Person::new(format!("at-home-{n}"), phone, &format!("198.51.{home}.7"));
            let told = scene.claim(&person).await;
            assert_eq!((told.action.as_str(), told.rules.len()), ("allow", 0), "{n}: {told:?}");
            scene.counted(&person.device, "device_claims_24h", member.max(1)).await;
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

/// An hour of a campus is played within seconds, so the limit per minute and address is raised by as much; all rules of
/// the hour and the day are as they ship.
#[test]
fn two_thousand_honest_users_behind_one_address_are_not_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let hour = [("COUNTERFOIL__RISK__IP_CLAIMS_PER_MINUTE", "36000")];
    let server = Server::start(folder.path(), &hour);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        for hundred in 0..20_usize {
            let told = at_once(100, |n| {
                let (admin, stock, who) = (scene.admin.clone(), scene.stock.clone(), hundred * 100 + n);
                async move {
                    let context = json!({"device_id": format!("phone-{who}"), "ip": "203.0.113.7"});
                    let body = json!({"stock_id": stock, "user_id": format!("student-{who}"), "context": context});
                    Told::of(&admin.post("/v1/claims", body).await)
                }
            })
            .await;
            for told in told {
                assert_eq!((told.action.as_str(), told.rules.len()), ("allow", 0), "{told:?}");
            }
        }
        // All of it was counted, and the next student is still welcome; who has many users on one phone is not.
        let path = format!("/v1/risk/subjects/ip/203.0.113.7?merchant_id={}", scene.id);
        scene
            .soon(&path, |found| {
                let features = found["features"].as_array().expect("features");
                features.iter().any(|one| one["name"] == "ip_claims_24h" && one["value"] == 2_000)
            })
            .await;
        let late = scene.claim(&Person::new("late", "late", "203.0.113.7")).await;
        assert_eq!((late.action.as_str(), late.rules.len()), ("allow", 0), "{late:?}");
        let farm = (0..40).map(|n| (Person::new(format!("farm-{n}"), "farm", "203.0.113.7"), n + 1));
        let (first, told) = until_stopped(&scene, farm).await;
        assert!(first < 20 && told.names("device_many_users"), "{first}: {told:?}");
    });
    assert_eq!(server.terminate(), Some(0));
}
