//! What runs in a folder, written down, so that a later command can end it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use kafka_broker::process::Id;
use serde::{Deserialize, Serialize};

use crate::ClusterError;

const FILE: &str = "cluster.json";

/// Longer than an instance's own drain.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) address: String,
    pub(crate) brokers: String,
    /// In the order in which they are ended.
    pub(crate) processes: Vec<(String, Id)>,
}

impl Record {
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join(FILE), serde_json::to_string_pretty(self).map_err(io::Error::other)?)
    }

    fn read(folder: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(folder.join(FILE)).ok()?).ok()
    }
}

pub(crate) fn not_running(folder: &Path) -> Result<(), ClusterError> {
    let lives = Record::read(folder).is_some_and(|record| record.processes.iter().any(|(_, id)| id.lives()));
    if lives { Err(ClusterError::Runs(folder.to_owned())) } else { Ok(()) }
}

pub(crate) fn remove(folder: &Path) {
    let _ = fs::remove_file(folder.join(FILE));
    let _ = fs::remove_file(folder.join("address"));
}

/// Ends, in good order, what an earlier command started in a folder. Who had to be killed.
pub fn down(folder: &Path) -> Vec<String> {
    let Some(record) = Record::read(folder) else { return Vec::new() };
    let (brokers, others): (Vec<_>, Vec<_>) =
        record.processes.into_iter().partition(|(name, _)| name.starts_with("broker-"));
    let mut killed = Vec::new();
    for group in [others, brokers] {
        for (_, id) in &group {
            id.signal("TERM");
        }
        killed.extend(group.into_iter().filter(|(_, id)| !id.end(PATIENCE)).map(|(name, _)| name));
    }
    remove(folder);
    killed
}

/// Each process of a folder: its name and number, whether it lives, what it holds in memory.
pub fn status(folder: &Path) -> Vec<String> {
    let Some(record) = Record::read(folder) else { return vec!["no cluster runs here".to_owned()] };
    let mut lines = vec![format!("{}   brokers {}", record.address, record.brokers)];
    for (name, id) in record.processes {
        let how = match id.memory().filter(|_| id.lives()) {
            Some((now, most)) => format!("{:>5} MB now, {:>5} MB at most", now >> 20, most >> 20),
            None => "ended".to_owned(),
        };
        lines.push(format!("{name:<14} {:>8}  {how}", id.pid));
    }
    lines
}
