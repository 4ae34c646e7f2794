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
use event_log::envelope::Header;
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
/// So many times as many are read ahead of those that are folded.
const PIECES: usize = 4;

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

/// Folds the whole log; damage of a partition is given back, the others are folded. One thread reads and decodes, this
/// one folds.
pub(crate) fn fold_all(
    log: &dyn EventLog,
    ledger: &mut Ledger,
    mut each: impl FnMut(At, Option<&Entry>, Outcome),
) -> Folded {
    let mut folded = Folded::default();
    std::thread::scope(|scope| {
        let (sender, pieces) = crossbeam_channel::bounded(PIECES);
        scope.spawn(move || read_all(log, &sender));
        let mut last = None;
        for piece in pieces {
            match piece {
                Piece::Records(records) => {
                    for (stored, opened) in &records {
                        folded.records += 1;
                        if let Some((at, outcome)) = opened.as_ref().and_then(|opened| opened.fold(ledger, stored)) {
                            each(at, opened.as_ref().and_then(Opened::entry), outcome);
                        } else {
                            let Stored { partition, offset, .. } = stored;
                            folded.damaged.push(format!("partition {partition}: offset {offset} does not open"));
                        }
                    }
                    last = records.into_iter().next_back().map(|(stored, _)| stored);
                }
                Piece::End(outcome) => {
                    folded.damaged.extend(outcome.err().map(|error| error.to_string()));
                    folded.reached.push(last.take().as_ref().map_or_else(Reached::default, Reached::after));
                }
            }
        }
    });
    folded
}

/// What is read ahead.
enum Piece {
    /// Records of one partition that follow each other; `None` for one that does not open.
    Records(Vec<(Stored, Option<Opened>)>),
    /// The end of a partition, or why it cannot be read on.
    End(Result<(), ReadError>),
}

/// Reads each partition from its beginning to its end.
fn read_all(log: &dyn EventLog, pieces: &crossbeam_channel::Sender<Piece>) {
    let opened = |stored: Stored| {
        let opened = Opened::of(&stored);
        (stored, opened)
    };
    for partition in 0..log.partitions(Topic::Ledger) {
        let mut next = 0;
        let outcome = loop {
            match log.read(Topic::Ledger, partition, next, AT_ONCE) {
                Err(error) => break Err(error),
                Ok(records) => {
                    let Some(last) = records.last() else { break Ok(()) };
                    next = last.offset + 1;
                    // Who folds may have ended.
                    if pieces.send(Piece::Records(records.into_iter().map(opened).collect())).is_err() {
                        return;
                    }
                }
            }
        };
        if pieces.send(Piece::End(outcome)).is_err() {
            return;
        }
    }
}

/// A record, decoded.
struct Opened {
    header: Header,
    decoded: Decoded,
}

impl Opened {
    fn of(stored: &Stored) -> Option<Self> {
        decode(&stored.bytes).ok().map(|(header, decoded)| Self { header, decoded })
    }

    fn fold(&self, ledger: &mut Ledger, stored: &Stored) -> Option<(At, Outcome)> {
        ledger.take(&self.header, &self.decoded, stored).ok()
    }

    fn entry(&self) -> Option<&Entry> {
        match &self.decoded {
            Decoded::Entry(entry) => Some(entry),
            Decoded::Foreign | Decoded::Control(_) => None,
        }
    }
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
    let opened = Opened::of(stored)?;
    let (at, outcome) = opened.fold(ledger, stored)?;
    let entry = match opened.decoded {
        Decoded::Entry(entry) => Some(*entry),
        Decoded::Foreign | Decoded::Control(_) => None,
    };
    Some((at, entry, outcome))
}
