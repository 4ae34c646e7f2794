//! Two releases at once: a rolling upgrade, the switch, and a roll-back before it.
//!
//! This build knows the fold's rules up to number 2. Told to know number 1 only, it is the release before.

use std::time::Duration;

use cluster::Cluster;
use serde_json::json;
use testkit::{Caller, claim, merchant, redemption, runtime, stock};

use crate::support::{sound_audit, tool, tool_with, up};

const OLD: [(&str, &str); 1] = [("COUNTERFOIL_TEST_SEMANTICS", "1")];

/// Restarts every instance, one after the other, as another release, and redeems something after each.
fn roll(cluster: &mut Cluster, release: &[(&str, &str)], caller: &Caller, stock: &str, name: &str) {
    let runtime = runtime();
    for at in 0..cluster.members.len() {
        assert!(cluster.members[at].end(), "ends in good order");
        cluster.start_with(at, release).expect("starts");
        cluster.wait_ready(at, Duration::from_mins(1)).expect("ready");
        runtime.block_on(async {
            let coupon = claim(caller, stock, &format!("{name}-{at}")).await;
            caller.ok("/v1/redemptions", redemption(&coupon["code"], &format!("{name}-{at}"))).await;
        });
    }
}

#[test]
fn releases_roll_forth_and_back_until_the_switch() {
    let (mut cluster, _folder) = up(|plan| {
        plan.environment = OLD.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    });
    let runtime = runtime();
    let (caller, stock) = runtime.block_on(async {
        let (_, caller) = merchant(cluster.address(), cluster.folder()).await;
        let stock = stock(&caller, json!({})).await;
        (caller, stock)
    });
    let refused = tool(&cluster, &["upgrade", "finish"]);
    assert!(!refused.status.success(), "old instances run");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("too old for the rules number 2"));

    let new = [("COUNTERFOIL_TEST_SEMANTICS", "2")];
    roll(&mut cluster, &new, &caller, &stock, "forth");
    roll(&mut cluster, &OLD, &caller, &stock, "back");
    roll(&mut cluster, &new, &caller, &stock, "forth again");
    // Beats of the old ones are remembered for a while.
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    loop {
        let finished = tool(&cluster, &["upgrade", "finish"]);
        if finished.status.success() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{}", String::from_utf8_lossy(&finished.stderr));
        std::thread::sleep(Duration::from_secs(2));
    }
    let status = String::from_utf8_lossy(&tool(&cluster, &["upgrade", "status"]).stdout).into_owned();
    assert!(status.contains("folded by the rules number 2"), "{status}");

    // The new rules: the first refusal of a key stands, not the last.
    runtime.block_on(async {
        let first = claim(&caller, &stock, "first").await;
        caller.ok("/v1/redemptions", redemption(&first["code"], "o1")).await;
        let body = redemption(&first["code"], "o2");
        let reply = caller.send("POST", "/v1/redemptions", Some("refused"), Some(&body)).await;
        assert_eq!(reply.status.as_u16(), 409);
    });

    // A release that does not know them ends with a line that says so.
    cluster.members[0].end();
    cluster.start_with(0, &OLD).expect("starts");
    let id = cluster.members[0].id().expect("a process").clone();
    assert!(id.ends_within(Duration::from_mins(1)), "an old release must not go on");
    let log = std::fs::read_to_string(cluster.members[0].log()).expect("a log");
    assert!(log.contains("this release knows them up to 1 only"), "{log}");
    cluster.start_with(0, &new).expect("starts");
    cluster.wait_ready(0, Duration::from_mins(1)).expect("ready");
    let old_tool = tool_with(&cluster, &["upgrade", "status"], &OLD);
    assert!(!old_tool.status.success() || String::from_utf8_lossy(&old_tool.stdout).contains("damaged"));
    sound_audit(&cluster);
}
