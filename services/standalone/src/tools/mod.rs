//! Tools over the log of a data directory.

pub(crate) mod audit;
pub(crate) mod beats;
pub(crate) mod call;
pub(crate) mod caller;
pub(crate) mod copy;
pub(crate) mod explain;
pub(crate) mod log;
pub(crate) mod rebuild;
pub(crate) mod topics;
pub(crate) mod upgrade;
pub(crate) mod users;

use std::path::PathBuf;
use std::sync::Arc;

use coupon::fold::{At, Outcome};
use coupon::record::Entry;
use event_log::{EventLog, ReadError, Stored, Topic};
use event_log_kafka::KafkaLog;
use event_log_sqlite::SqliteLog;
pub(crate) use host::print::line as print;
use projection::codec::{Decoded, decode};
use projection::disk::Reached;
use projection::ledger::Ledger;

use host::Failure;
use host::config::Config;
use standalone::LOG_FILE;

/// Records read at once.
const AT_ONCE: usize = 4_096;

/// Where the log of a command is: on Kafka where brokers are configured, otherwise in the data directory.
pub(crate) struct Source {
    /// For keys, and for the embedded log.
    pub(crate) data_dir: PathBuf,
    /// Everything that is configured.
    pub(crate) config: Config,
}

impl Source {
    pub(crate) fn is_kafka(&self) -> bool {
        !self.config.kafka.brokers.is_empty()
    }

    /// To be read only; also while others write it.
    pub(crate) fn open(&self) -> Result<Arc<dyn EventLog>, Failure> {
        if self.is_kafka() {
            return Ok(KafkaLog::open_read_only(&host::kafka_options(&self.config.kafka))?);
        }
        Ok(SqliteLog::open_read_only(self.file()?)?)
    }

    /// To be written too. The embedded log has one writer: no server may run.
    pub(crate) fn open_for_writing(&self) -> Result<Arc<dyn EventLog>, Failure> {
        if self.is_kafka() {
            return Ok(KafkaLog::open(&host::kafka_options(&self.config.kafka))?);
        }
        let partitions = SqliteLog::open_read_only(self.file()?)?.partitions(Topic::Ledger);
        let options = event_log_sqlite::Options { partitions, ..event_log_sqlite::Options::default() };
        Ok(SqliteLog::open(self.file()?, options)?)
    }

    fn file(&self) -> Result<PathBuf, Failure> {
        let file = self.data_dir.join(LOG_FILE);
        if file.is_file() {
            return Ok(file);
        }
        let folder = self.data_dir.display();
        Err(format!("there is no log in {folder}; --data-dir says where to look, or --brokers which Kafka to ask")
            .into())
    }
}

/// Appends and waits until it is durable.
pub(crate) fn append(log: &dyn EventLog, entries: Vec<event_log::Entry>) -> Result<(), Failure> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let ack = Box::new(move |result| {
        let _ = sender.send(result);
    });
    log.append(entries, ack)?;
    Ok(receiver.recv()??)
}

/// Records of one partition, from an offset on, up to where it ends or is damaged.
pub(crate) fn records(
    log: &dyn EventLog,
    partition: u32,
    from: u64,
    mut each: impl FnMut(&Stored),
) -> Result<(), ReadError> {
    let mut next = from;
    loop {
        let records = log.read(Topic::Ledger, partition, next, AT_ONCE)?;
        let Some(last) = records.last() else { return Ok(()) };
        next = last.offset + 1;
        records.iter().for_each(&mut each);
    }
}

/// Folds the whole log; damage of a partition is given back, the others are folded.
pub(crate) fn fold_all(
    log: &dyn EventLog,
    ledger: &mut Ledger,
    mut each: impl FnMut(At, Option<&Entry>, Outcome),
) -> Folded {
    let mut folded = Folded::default();
    for partition in 0..log.partitions(Topic::Ledger) {
        let mut reached = Reached::default();
        let read = records(log, partition, 0, |stored| {
            reached = Reached::after(stored);
            folded.records += 1;
            if let Some((at, entry, outcome)) = fold_one(ledger, stored) {
                each(at, entry.as_ref(), outcome);
            } else {
                folded.damaged.push(format!("partition {partition}: offset {} does not open", stored.offset));
            }
        });
        if let Err(error) = read {
            folded.damaged.push(error.to_string());
        }
        folded.reached.push(reached);
    }
    folded
}

/// How a fold of the whole log went.
#[derive(Default)]
pub(crate) struct Folded {
    /// Records that were read.
    pub(crate) records: u64,
    /// How far each partition is folded.
    pub(crate) reached: Vec<Reached>,
    /// What could not be read.
    pub(crate) damaged: Vec<String>,
}

/// Folds one record; `None` for one that does not open.
pub(crate) fn fold_one(ledger: &mut Ledger, stored: &Stored) -> Option<(At, Option<Entry>, Outcome)> {
    let (header, decoded) = decode(&stored.bytes).ok()?;
    let (at, outcome) = ledger.take(&header, &decoded, stored).ok()?;
    let entry = match decoded {
        Decoded::Entry(entry) => Some(*entry),
        Decoded::Foreign | Decoded::Control(_) => None,
    };
    Some((at, entry, outcome))
}
