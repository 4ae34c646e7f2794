//! Clusters of tests, and the tools over them.

use std::path::PathBuf;
use std::process::{Command, Output};

use cluster::{Cluster, Plan, Service};
use serde_json::Value;
use tempfile::TempDir;

/// Where the binaries of this build lie: beside the folder of its tests.
pub(crate) fn binaries() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    own.parent().and_then(|folder| folder.parent()).expect("a target folder").to_owned()
}

/// A cluster that ends with the test.
pub(crate) fn up(change: impl FnOnce(&mut Plan)) -> (Cluster, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plan = Plan::new(folder.path().join("cluster"), binaries());
    plan.partitions = 4;
    change(&mut plan);
    let cluster = Cluster::up(plan, |_| {});
    let cluster = cluster.unwrap_or_else(|error| panic!("{error}: {}", logs(folder.path())));
    (cluster, folder)
}

fn logs(folder: &std::path::Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder.join("cluster")).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            all.push_str(&std::fs::read_to_string(entry.path()).unwrap_or_default());
        }
    }
    all
}

/// The tool `counterfoil` over the log of a cluster.
pub(crate) fn tool(cluster: &Cluster, arguments: &[&str]) -> Output {
    tool_with(cluster, arguments, &[])
}

pub(crate) fn tool_with(cluster: &Cluster, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(binaries().join("counterfoil"))
        .args(arguments)
        .args(["--single-broker", "--brokers", &cluster.kafka.bootstrap(), "--data-dir"])
        .arg(cluster.folder())
        .envs(environment.iter().copied())
        .output()
        .expect("the binary runs")
}

/// The audit over the whole log; it must be sound.
pub(crate) fn sound_audit(cluster: &Cluster) -> Value {
    assert_eq!(cluster.panics(), Vec::<String>::new());
    let audit = tool(cluster, &["audit", "--json"]);
    let text = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(audit.status.success(), "{text}{}", String::from_utf8_lossy(&audit.stderr));
    serde_json::from_str(&text).expect("JSON")
}

/// The addresses of a service's instances.
pub(crate) fn addresses(cluster: &Cluster, service: Service) -> Vec<String> {
    cluster.members.iter().filter(|member| member.service == service).map(cluster::Member::address).collect()
}
