//! Three brokers, load that does not wait, and one fault at a time; after each, the audit. `make faults` runs it, one
//! test after the other, and prints what happened.

mod load;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cluster::{Cluster, Disturbance, Plan, Service};
use event_log_kafka::{Options, all_in_sync};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Caller, claim, merchant, runtime, stock};
use tokio::runtime::Runtime;

use load::{Done, Load, recovery};

/// Before a fault, and after its end.
const QUIET: Duration = Duration::from_secs(8);
const AFTER: Duration = Duration::from_secs(20);
/// Seconds after the end of a fault in which service must be back.
const BACK_WITHIN: u64 = 10;

fn binaries() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    own.parent().and_then(|folder| folder.parent()).expect("a target folder").to_owned()
}

struct Scene {
    runtime: Runtime,
    cluster: Cluster,
    /// The load's merchant, and the stock that it claims from.
    caller: Caller,
    stock: String,
    /// Claims beside the load's.
    claims: u64,
    /// While it is set, every third request of the load loses its first answer after it was appended.
    losing: Arc<AtomicBool>,
    _folder: TempDir,
}

impl Scene {
    fn new(change: impl FnOnce(&mut Plan)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut plan = Plan::new(folder.path().join("cluster"), binaries());
        plan.brokers = 3;
        plan.redeemers = 2;
        plan.issuers = 2;
        change(&mut plan);
        let cluster = Cluster::up(plan, |_| {}).expect("a cluster");
        let runtime = runtime();
        let (caller, stock) = runtime.block_on(async {
            let (_, caller) = merchant(cluster.address(), cluster.folder()).await;
            let stock = stock(&caller, json!({"total": 1_000_000})).await;
            (caller, stock)
        });
        Self { runtime, cluster, caller, stock, claims: 0, losing: Arc::default(), _folder: folder }
    }

    fn options(&self) -> Options {
        Options { brokers: self.cluster.kafka.bootstrap(), ..Options::default() }
    }

    /// A fault of brokers has ended when all copies are in sync again.
    fn in_sync(&self) {
        let deadline = Instant::now() + Duration::from_mins(2);
        while !all_in_sync(&self.options()).unwrap_or(false) {
            assert!(Instant::now() < deadline, "the brokers do not get in sync");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The tool `counterfoil` over the log.
    fn tool(&self, arguments: &[&str]) -> Output {
        Command::new(binaries().join("counterfoil"))
            .args(arguments)
            .args(["--brokers", &self.cluster.kafka.bootstrap()])
            .output()
            .expect("the binary runs")
    }

    fn ready(&self, at: usize) {
        if let Err(error) = self.cluster.wait_ready(at, Duration::from_mins(1)) {
            let log = std::fs::read_to_string(self.cluster.members[at].log()).unwrap_or_default();
            panic!("{error}: {log}");
        }
    }
}

/// Runs load, lets the fault happen and end, and looks at everything afterwards.
fn under_load(name: &str, fault: impl FnOnce(&mut Scene)) -> Vec<Done> {
    under_load_of(name, |_| {}, fault)
}

/// The same on a cluster of another plan.
fn under_load_of(name: &str, change: impl FnOnce(&mut Plan), fault: impl FnOnce(&mut Scene)) -> Vec<Done> {
    let mut scene = Scene::new(change);
    let load = scene.runtime.block_on(async {
        let mut codes = Vec::new();
        for n in 0..50 {
            codes.push(claim(&scene.caller, &scene.stock, &format!("before-{n}")).await["code"].clone());
        }
        Load::start(&scene.caller, &scene.stock, codes, scene.losing.clone())
    });
    scene.claims += 50;
    std::thread::sleep(QUIET);
    let begun = load.now();
    fault(&mut scene);
    let ended = load.now();
    std::thread::sleep(AFTER);
    let done = scene.runtime.block_on(load.end());
    report(name, &scene, &done, begun, ended);
    check(&scene, &done, ended);
    done
}

fn report(name: &str, scene: &Scene, done: &[Done], begun: Duration, ended: Duration) {
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for code in done.iter().flat_map(|one| &one.refused) {
        *refused.entry(code).or_default() += 1;
    }
    let longest = done.iter().map(|one| one.took).max().unwrap_or_default();
    println!("\n{name}");
    println!("  fault from {:.1} s to {:.1} s of the load", begun.as_secs_f64(), ended.as_secs_f64());
    println!("  {} requests, longest {:.1} s until answered", done.len(), longest.as_secs_f64());
    println!("  refused on the way: {refused:?}");
    println!("  back to 95 % within {:?} s of the fault's end", recovery(done, ended));
    let peaks: Vec<String> = scene
        .cluster
        .members
        .iter()
        .filter_map(|member| Some(format!("{} {} MB", member.name(), member.id()?.memory()?.1 >> 20)))
        .chain(
            (1..=3)
                .filter_map(|n| Some(format!("broker-{n} {} MB", scene.cluster.kafka.process(n)?.memory()?.1 >> 20))),
        )
        .collect();
    println!("  peak memory: {}", peaks.join(", "));
}

fn check(scene: &Scene, done: &[Done], ended: Duration) {
    let without = done.iter().flat_map(|one| &one.refused).find(|code| code.contains("WITHOUT"));
    assert_eq!(without, None, "every 503 says when to come again");
    let wrong: Vec<_> = done.iter().map(|one| one.status).filter(|status| *status != Some(201)).collect();
    assert!(wrong.is_empty(), "unresolved or refused for good: {wrong:?}");
    assert_eq!(scene.cluster.panics(), Vec::<String>::new());
    let audit = scene.tool(&["audit", "--json"]);
    let result: Value = serde_json::from_slice(&audit.stdout).expect("JSON");
    println!("  audit: {result}");
    assert_eq!(result["sound"], true);
    let redeemed = done.iter().filter(|one| one.redeems).count() as u64;
    assert_eq!(result["redemptions"].as_u64(), Some(redeemed), "every answer is in the log, and nothing else");
    assert_eq!(result["claims"].as_u64(), Some(done.len() as u64 - redeemed + scene.claims));
    let back = recovery(done, ended);
    assert!(back.is_some_and(|seconds| seconds <= BACK_WITHIN), "service was not back: {back:?}");
}

#[test]
fn a_broker_is_killed() {
    under_load("kill -9 of a broker that leads partitions", |scene| {
        scene.cluster.kafka.kill(1);
        std::thread::sleep(Duration::from_secs(10));
        scene.cluster.kafka.restart(1).expect("starts again");
        scene.in_sync();
    });
}

#[test]
fn a_broker_stands_still() {
    under_load("SIGSTOP of a broker for 30 s", |scene| {
        let broker = scene.cluster.kafka.process(2).expect("it runs").clone();
        assert!(broker.signal("STOP"));
        std::thread::sleep(Duration::from_secs(30));
        assert!(broker.signal("CONT"));
        scene.in_sync();
    });
}

#[test]
fn two_of_three_brokers_are_gone() {
    under_load("two of three brokers gone for 20 s", |scene| {
        scene.cluster.kafka.kill(2);
        scene.cluster.kafka.kill(3);
        std::thread::sleep(Duration::from_secs(20));
        scene.cluster.kafka.restart(2).expect("starts again");
        scene.cluster.kafka.restart(3).expect("starts again");
        scene.in_sync();
    });
}

#[test]
fn each_service_dies_at_each_point() {
    under_load("each service dies before its append, after it, and before its reply", |scene| {
        for (service, number) in [(Service::Issuer, 1), (Service::Redeemer, 1)] {
            let at = scene.cluster.find(service, number);
            for point in ["before_append:200", "after_append:200", "before_reply:200"] {
                assert!(scene.cluster.members[at].end());
                scene.cluster.start_with(at, &[("COUNTERFOIL_FAIL", point)]).expect("starts");
                let id = scene.cluster.members[at].id().expect("a process").clone();
                assert!(id.ends_within(Duration::from_mins(1)), "{service} never came to {point}");
                scene.cluster.start(at).expect("starts");
                scene.ready(at);
            }
        }
        // A scorer answers nobody's writes; what it appends are verdicts.
        let at = scene.cluster.find(Service::RiskScorer, 1);
        for point in ["before_append:1", "after_append:1"] {
            assert!(scene.cluster.members[at].end());
            scene.cluster.start_with(at, &[("COUNTERFOIL_FAIL", point)]).expect("starts");
            scene.ready(at);
            let id = scene.cluster.members[at].id().expect("a process").clone();
            scene.claims += scene.runtime.block_on(greedy(&scene.caller, &scene.stock, point));
            assert!(id.ends_within(Duration::from_mins(1)), "the scorer never came to {point}");
            scene.cluster.start(at).expect("starts");
            scene.ready(at);
        }
        scene.cluster.members[at].kill();
        scene.cluster.start(at).expect("starts");
        scene.ready(at);
    });
}

/// One device claims more than its rule allows; how many it got.
async fn greedy(caller: &Caller, stock: &str, device: &str) -> u64 {
    let mut claims = 0;
    for n in 0..40 {
        let user = format!("{device}-{n}");
        let body = json!({"stock_id": stock, "user_id": user, "context": {"device_id": device}});
        claims += u64::from(caller.post("/v1/claims", body).await.status.as_u16() == 201);
    }
    claims
}

#[test]
fn answers_are_lost() {
    let done = under_load("every third answer is lost after its append, for 15 s", |scene| {
        scene.losing.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(15));
        scene.losing.store(false, Ordering::Relaxed);
    });
    let lost = done.iter().filter(|one| one.refused.iter().any(|code| code == "connection")).count();
    assert!(lost > 1_000, "{lost} answers were lost");
}

/// All connections of clients are disturbed for 15 s.
fn disturbed(name: &str, disturbance: Disturbance) {
    under_load_of(
        name,
        |plan| plan.proxied = true,
        |scene| {
            let proxies = || scene.cluster.kafka.proxies().expect("proxies");
            proxies().disturb(disturbance).expect("a toxic");
            std::thread::sleep(Duration::from_secs(15));
            proxies().heal().expect("no toxic");
            scene.in_sync();
        },
    );
}

#[test]
fn brokers_are_far_away() {
    disturbed("200 ms of latency between services and brokers", Disturbance::Latency(Duration::from_millis(200)));
}

#[test]
fn connections_are_reset() {
    disturbed("each connection to a broker is reset after 500 ms", Disturbance::Reset(Duration::from_millis(500)));
}

#[test]
fn connections_are_cut() {
    disturbed("nothing passes between services and brokers", Disturbance::Silence);
}

#[test]
fn a_release_is_rolled_out() {
    const OLD: (&str, &str) = ("COUNTERFOIL_TEST_SEMANTICS", "1");
    const NEW: (&str, &str) = ("COUNTERFOIL_TEST_SEMANTICS", "2");
    let old = |plan: &mut Plan| plan.environment = vec![(OLD.0.to_owned(), OLD.1.to_owned())];
    under_load_of("all services are upgraded one by one, and the rules switched", old, |scene| {
        for at in 0..scene.cluster.members.len() {
            assert!(scene.cluster.members[at].end(), "ends in good order");
            scene.cluster.start_with(at, &[NEW]).expect("starts");
            scene.ready(at);
        }
        // The beats of the old ones are remembered for a while.
        let deadline = Instant::now() + Duration::from_mins(1);
        while !scene.tool(&["upgrade", "finish"]).status.success() {
            assert!(Instant::now() < deadline, "the old instances are not forgotten");
            std::thread::sleep(Duration::from_secs(2));
        }
        let at = scene.cluster.find(Service::Redeemer, 1);
        assert!(scene.cluster.members[at].end());
        scene.cluster.start_with(at, &[OLD]).expect("starts");
        let id = scene.cluster.members[at].id().expect("a process").clone();
        assert!(id.ends_within(Duration::from_mins(1)), "an old release must not go on");
        let log = std::fs::read_to_string(scene.cluster.members[at].log()).expect("a log");
        assert!(log.contains("this release knows them up to 1 only"), "{log}");
        scene.cluster.start_with(at, &[NEW]).expect("starts");
        scene.ready(at);
    });
}

#[test]
fn a_redeemer_sleeps_and_wakes() {
    under_load("a redeemer stands still for 60 s and wakes as a zombie", |scene| {
        let at = scene.cluster.find(Service::Redeemer, 2);
        let id = scene.cluster.members[at].id().expect("a process").clone();
        assert!(id.signal("STOP"));
        std::thread::sleep(Duration::from_mins(1));
        assert!(id.signal("CONT"));
        scene.ready(at);
    });
}
