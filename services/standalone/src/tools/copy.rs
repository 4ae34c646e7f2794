//! `counterfoil copy`: a ledger into another log: from the embedded one to Kafka, or to more partitions.
//!
//! Records are copied shard by shard in their order, each with the time at which the first log took it, so the copy
//! folds to the same state; the hashes of all shards prove it. At the end the copy is sealed: from there on records have
//! the times at which the new log takes them. Until then no service starts on it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use coupon::id::{SHARDS, Shard};
use event_log::envelope::{self, Header};
use event_log::{Entry, EventLog, Stored, Topic};
use event_log_kafka::KafkaLog;
use event_log_sqlite::SqliteLog;
use host::{Failure, StateFolder};
use projection::codec::{Control, decode, encode_control};
use projection::ledger::Ledger;

use super::{Source, append, beats, fold_all, print, records};
use standalone::LOG_FILE;

/// Records appended in one go.
const AT_ONCE: usize = 2_000;
/// How often progress is said.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// A source on Kafka is at rest when no instance has beaten for so long.
const REST_MS: i64 = 8_000;

/// Where to.
#[derive(Args)]
pub(crate) struct Target {
    /// Kafka, `host:port`, separated by commas; `counterfoil topics create` makes its topics
    #[arg(long = "to-brokers", value_name = "LIST", conflicts_with = "folder", required_unless_present = "folder")]
    brokers_there: Option<String>,
    /// Stands before the names of its topics
    #[arg(long = "to-prefix", value_name = "TEXT", default_value = "", requires = "brokers_there")]
    prefix: String,
    /// An embedded log in another data directory
    #[arg(long = "to-data-dir", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Partitions of a new embedded log
    #[arg(long = "to-partitions", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    partitions: u32,
}

impl Target {
    fn open(&self, source: &Source) -> Result<Arc<dyn EventLog>, Failure> {
        if let Some(brokers) = &self.brokers_there {
            let options = event_log_kafka::Options {
                brokers: brokers.clone(),
                topic_prefix: self.prefix.clone(),
                partitions: None,
                delivery_timeout: Duration::from_mins(1),
                ..host::kafka_options(&source.config.kafka)
            };
            return Ok(KafkaLog::open(&options)?);
        }
        let folder = self.folder.clone().unwrap_or_default();
        drop(StateFolder::take(&folder)?);
        let options = event_log_sqlite::Options { partitions: self.partitions, ..event_log_sqlite::Options::default() };
        Ok(SqliteLog::open(folder.join(LOG_FILE), options)?)
    }
}

pub(crate) fn run(source: &Source, target: &Target) -> Result<ExitCode, Failure> {
    let (from, at_rest) = open_source(source)?;
    let to = target.open(source)?;
    let mut there = Ledger::new();
    let folded = fold_all(to.as_ref(), &mut there, |_, _, _| {});
    if let Some(damage) = folded.damaged.first() {
        return Err(format!("the target: {damage}").into());
    }
    if there.shards().any(|shard| shard.sealed) {
        return Err("the target is in use already, or a copy that is finished; make new topics or a new folder".into());
    }
    if folded.records > 0 {
        print(&format!("going on behind {} records that are there already", folded.records));
    }
    let mut copy = Copy { from: from.as_ref(), to: to.as_ref(), there, source: Ledger::new(), batch: Vec::new() };
    copy.ledger()?;
    if !at_rest {
        print("a server still writes the source: stop it and run this again, to copy the rest and finish");
        return Ok(ExitCode::from(3));
    }
    copy.others()?;
    copy.prove()?;
    copy.seal()?;
    to.close();
    print("sealed: services may start on the copy, with the same master key");
    Ok(ExitCode::SUCCESS)
}

/// The source, and whether nobody can write to it any more.
fn open_source(source: &Source) -> Result<(Arc<dyn EventLog>, bool), Failure> {
    if source.is_kafka() {
        let log = source.open()?;
        let alive = beats::alive(log.as_ref(), http_api::time::system_clock_ms())?;
        return Ok((log, alive.iter().all(|(_, age)| *age > REST_MS)));
    }
    match source.open_for_writing() {
        Ok(log) => Ok((log, true)),
        Err(_) => Ok((source.open()?, false)),
    }
}

struct Copy<'a> {
    from: &'a dyn EventLog,
    to: &'a dyn EventLog,
    /// What the target held at the beginning.
    there: Ledger,
    /// The source, folded as far as it is copied.
    source: Ledger,
    batch: Vec<Entry>,
}

impl Copy<'_> {
    fn ledger(&mut self) -> Result<(), Failure> {
        let partitions = 0..self.from.partitions(Topic::Ledger);
        let ends = partitions.clone().map(|partition| self.from.end(Topic::Ledger, partition));
        let total: u64 = ends.sum::<Result<u64, _>>()?;
        let (begun, mut said, mut done) = (Instant::now(), Instant::now(), 0_u64);
        let mut failure: Option<Failure> = None;
        for partition in partitions {
            records(self.from, partition, 0, |stored| {
                if failure.is_some() {
                    return;
                }
                done += 1;
                failure = self.record(stored).err();
                if said.elapsed() >= SAY_EVERY {
                    said = Instant::now();
                    let rate = done as f64 / begun.elapsed().as_secs_f64();
                    print(&format!("{done} of {total} records ({} %), {rate:.0}/s", done * 100 / total.max(1)));
                }
            })?;
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        self.send()?;
        print(&format!("{done} records of the ledger are copied, {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(())
    }

    fn record(&mut self, stored: &Stored) -> Result<(), Failure> {
        let place = format!("partition {} offset {}", stored.partition, stored.offset);
        let (header, decoded) = decode(&stored.bytes).map_err(|damage| format!("{place}: {damage}"))?;
        let shard = Shard(header.shard);
        let original = header.original_time_ms.filter(|_| !self.source.shard(shard).sealed);
        self.source.take(&header, &decoded, stored)?;
        let (now, there) = (self.source.shard(shard), self.there.shard(shard));
        if now.sequence <= there.sequence {
            if now.sequence == there.sequence && now.state_hash() != there.state_hash() {
                return Err(format!("the target holds another ledger: shard {} differs", shard.0).into());
            }
            return Ok(());
        }
        let time = original.unwrap_or(stored.append_time_ms);
        self.push(Topic::Ledger, &Header { original_time_ms: Some(time), ..header }, stored)
    }

    fn push(&mut self, topic: Topic, header: &Header, stored: &Stored) -> Result<(), Failure> {
        let opened = envelope::open(&stored.bytes)?;
        let mut bytes = Vec::with_capacity(stored.bytes.len());
        envelope::seal(&mut bytes, header, |out| out.extend_from_slice(opened.payload));
        let partition = u32::from(header.shard) % self.to.partitions(topic);
        self.batch.push(Entry { topic, partition, bytes: bytes.into() });
        if self.batch.len() >= AT_ONCE { self.send() } else { Ok(()) }
    }

    /// One batch at a time: what comes after a batch that failed must not be there without it.
    fn send(&mut self) -> Result<(), Failure> {
        append(self.to, std::mem::take(&mut self.batch))
            .map_err(|error| format!("{error}; run this again, it goes on where it stopped").into())
    }

    /// Signals and verdicts, which are counted and followed by their own positions.
    fn others(&mut self) -> Result<(), Failure> {
        for topic in [Topic::Signals, Topic::Verdicts] {
            let ends = (0..self.to.partitions(topic)).map(|partition| self.to.end(topic, partition));
            let mut skip: u64 = ends.sum::<Result<u64, _>>()?;
            let mut copied = 0_u64;
            for partition in 0..self.from.partitions(topic) {
                let mut next = 0;
                loop {
                    let read = self.from.read(topic, partition, next, AT_ONCE)?;
                    let Some(last) = read.last() else { break };
                    next = last.offset + 1;
                    for stored in &read {
                        if skip > 0 {
                            skip -= 1;
                            continue;
                        }
                        let header = envelope::open(&stored.bytes)?.header;
                        self.push(topic, &header, stored)?;
                        copied += 1;
                    }
                }
            }
            self.send()?;
            print(&format!("{copied} records of {topic} are copied"));
        }
        Ok(())
    }

    /// Folds the copy from its beginning and compares.
    fn prove(&mut self) -> Result<(), Failure> {
        let mut copy = Ledger::new();
        let folded = fold_all(self.to, &mut copy, |_, _, _| {});
        if let Some(damage) = folded.damaged.first() {
            return Err(format!("the copy: {damage}").into());
        }
        let differ: BTreeMap<u8, (u64, u64)> = copy
            .shards()
            .zip(self.source.shards())
            .filter(|(copy, source)| copy.state_hash() != source.state_hash())
            .map(|(copy, source)| (copy.shard().0, (copy.sequence, source.sequence)))
            .collect();
        if !differ.is_empty() {
            return Err(format!("the copy folds to another state; shards and their records: {differ:?}").into());
        }
        print(&format!("hashes of all {SHARDS} shards are equal ({} records)", folded.records));
        Ok(())
    }

    /// The platform's shard last: it says that all are sealed.
    fn seal(&mut self) -> Result<(), Failure> {
        let partitions = self.to.partitions(Topic::Ledger);
        for shards in [(1..SHARDS).collect::<Vec<_>>(), vec![0]] {
            let seal = |shard: u16| {
                let semantics = self.source.shard(Shard(shard as u8)).semantics;
                let bytes = encode_control(Control::CopySealed, Shard(shard as u8), semantics);
                Entry { topic: Topic::Ledger, partition: u32::from(shard) % partitions, bytes }
            };
            append(self.to, shards.into_iter().map(seal).collect())?;
        }
        Ok(())
    }
}
