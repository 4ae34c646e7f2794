//! The settings on which the log's promises rest.

use std::fmt;
use std::time::{Duration, Instant};

use event_log::{Topic, envelope};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use crate::client::{self, Logged};
use crate::options::{OpenError, Options};
use crate::{Layout, Settings};

/// How long brokers may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a made topic may take until its leaders are known.
const SETTLING: Duration = Duration::from_secs(20);

/// A broker of 4.1 or later has it: with `KRaft`, versions cannot be asked for otherwise.
const SINCE_4_1: &str = "group.streams.session.timeout.ms";

/// Kafka counts the batch with its record.
const LARGEST_RECORD: usize = envelope::MAX_PAYLOAD + (64 << 10);

/// How topics are made.
#[derive(Clone, Copy, Debug)]
pub struct TopicSettings {
    /// Partitions of each topic; fixed from then on.
    pub partitions: u32,
    /// Copies of each record, this many machines may not all be lost.
    pub replicas: i32,
    /// Copies that must be there before a record is acknowledged.
    pub in_sync: i32,
}

/// A setting that could lose or reorder records, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The topic, or `broker N`.
    pub of: String,
    /// The setting.
    pub setting: String,
    /// Its value.
    pub found: String,
    /// What it should be.
    pub needed: String,
    /// What to do.
    pub mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, setting, found, needed, mend } = self;
        write!(formatter, "{of}: {setting} is {found}, needed is {needed}; {mend}")
    }
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Partitions per topic.
    pub partitions: u32,
    /// What is wrong; empty when all is well.
    pub findings: Vec<Finding>,
}

struct Asked {
    layout: Layout,
    admin: AdminClient<Logged>,
    metadata: Metadata,
}

fn unreachable(error: impl fmt::Display) -> OpenError {
    OpenError::Unreachable(error.to_string())
}

fn ask(options: &Options) -> Result<Asked, OpenError> {
    options.check()?;
    let admin: AdminClient<Logged> = client::config(options).create_with_context(Logged)?;
    let metadata = admin.inner().fetch_metadata(None, TIMEOUT).map_err(unreachable)?;
    Ok(Asked { layout: Layout::new(&options.topic_prefix, 0), admin, metadata })
}

impl Asked {
    /// The partitions of a topic and the copies of each; `None` when there is no such topic.
    fn copies(&self, topic: Topic) -> Option<Vec<usize>> {
        let name = self.layout.name(topic);
        let found = self.metadata.topics().iter().find(|found| found.name() == name)?;
        let copies: Vec<usize> = found.partitions().iter().map(|partition| partition.replicas().len()).collect();
        (!copies.is_empty()).then_some(copies)
    }

    fn settings(&self, of: &ResourceSpecifier<'_>) -> Result<Settings, OpenError> {
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        let asked = futures_executor::block_on(self.admin.describe_configs([of], &options)).map_err(unreachable)?;
        let mut settings = Settings::new();
        for resource in asked {
            let resource = resource.map_err(unreachable)?;
            settings.extend(resource.entries.into_iter().map(|entry| (entry.name, entry.value.unwrap_or_default())));
        }
        Ok(settings)
    }
}

/// Makes the topics that are not there. Those that are there are left as they are; see [`check`]. Gives the names of
/// those that were made.
pub fn create(options: &Options, settings: TopicSettings) -> Result<Vec<String>, OpenError> {
    let asked = ask(options)?;
    let in_sync = settings.in_sync.to_string();
    let largest = LARGEST_RECORD.to_string();
    let missing: Vec<Topic> = Topic::ALL.into_iter().filter(|topic| asked.copies(*topic).is_none()).collect();
    let wanted: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|topic| {
            let copies = TopicReplication::Fixed(settings.replicas);
            NewTopic::new(asked.layout.name(*topic), settings.partitions as i32, copies)
                .set("min.insync.replicas", &in_sync)
                .set("unclean.leader.election.enable", "false")
                .set("message.timestamp.type", "LogAppendTime")
                .set("cleanup.policy", "delete")
                .set("retention.ms", "-1")
                .set("retention.bytes", "-1")
                .set("max.message.bytes", &largest)
                .set("compression.type", "producer")
        })
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let admin_options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
    let made = futures_executor::block_on(asked.admin.create_topics(&wanted, &admin_options)).map_err(unreachable)?;
    let mut names = Vec::new();
    for result in made {
        match result {
            Ok(name) => names.push(name),
            // Somebody else made it in between.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, error)) => return Err(OpenError::Setting(format!("{name} cannot be made: {error}"))),
        }
    }
    settle(&asked, settings.partitions)?;
    Ok(names)
}

/// Waits until every partition of the topics has a leader that knows it is one.
fn settle(asked: &Asked, partitions: u32) -> Result<(), OpenError> {
    let deadline = Instant::now() + SETTLING;
    for topic in Topic::ALL {
        for partition in 0..partitions {
            let name = asked.layout.name(topic);
            while let Err(error) = asked.admin.inner().fetch_watermarks(name, partition as i32, TIMEOUT) {
                if Instant::now() > deadline {
                    let text = format!("the topics were made, but {name}/{partition} has no leader yet: {error}");
                    return Err(OpenError::Unreachable(text));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    Ok(())
}

/// Whether every copy of every partition is in sync: nothing that is acknowledged now depends on fewer machines than it
/// should.
pub fn all_in_sync(options: &Options) -> Result<bool, OpenError> {
    let asked = ask(options)?;
    let topics = asked.metadata.topics().iter();
    let of_ours = topics.filter(|found| Topic::ALL.iter().any(|topic| asked.layout.name(*topic) == found.name()));
    let mut partitions = of_ours.flat_map(rdkafka::metadata::MetadataTopic::partitions);
    Ok(partitions.all(|partition| partition.leader() >= 0 && partition.isr().len() == partition.replicas().len()))
}

/// Looks at all that matters.
pub fn check(options: &Options) -> Result<Report, OpenError> {
    let asked = ask(options)?;
    let mut findings = Vec::new();
    let mut partitions = None;
    for topic in Topic::ALL {
        let name = asked.layout.name(topic).to_owned();
        let Some(copies) = asked.copies(topic) else { return Err(OpenError::NoTopic(name)) };
        let found = copies.len() as u32;
        let wanted = partitions.or(options.partitions).unwrap_or(found);
        if found != wanted {
            return Err(OpenError::Partitions { topic: name, found, asked: wanted });
        }
        partitions = Some(found);
        let settings = asked.settings(&ResourceSpecifier::Topic(&name))?;
        let fewest = copies.into_iter().min().unwrap_or(0);
        findings.extend(of_topic(topic, &name, fewest, &settings, options.single_broker));
    }
    for broker in asked.metadata.brokers() {
        let settings = asked.settings(&ResourceSpecifier::Broker(broker.id()))?;
        if !settings.contains_key(SINCE_4_1) {
            findings.push(Finding {
                of: format!("broker {}", broker.id()),
                setting: "version".to_owned(),
                found: "older than 4.1".to_owned(),
                needed: "4.1 or later".to_owned(),
                mend: "eligible leader replicas, which keep acknowledged records when brokers fail one after the \
                       other, come with 4.1: upgrade the broker"
                    .to_owned(),
            });
        }
    }
    Ok(Report { partitions: partitions.unwrap_or(0), findings })
}

/// The same as a condition: the number of partitions, or why not.
pub(crate) fn verify(options: &Options) -> Result<u32, OpenError> {
    let report = check(options)?;
    if report.findings.is_empty() { Ok(report.partitions) } else { Err(OpenError::Unsafe(report.findings)) }
}

fn of_topic(topic: Topic, name: &str, copies: usize, settings: &Settings, single_broker: bool) -> Vec<Finding> {
    let value = |setting: &str| settings.get(setting).cloned().unwrap_or_default();
    let number = |setting: &str| value(setting).parse::<i64>().unwrap_or(0);
    let mut findings = Vec::new();
    let mut needs = |holds: bool, setting: &str, found: String, needed: &str, mend: String| {
        if !holds {
            let (of, setting, needed) = (name.to_owned(), setting.to_owned(), needed.to_owned());
            findings.push(Finding { of, setting, found, needed, mend });
        }
    };
    let alter =
        |setting: &str, value: &str| format!("kafka-configs.sh --alter --topic {name} --add-config {setting}={value}");
    let one = "one copy is allowed with --single-broker only";
    let reassign = format!("raise it with kafka-reassign-partitions.sh; {one}");
    needs(single_broker || copies >= 3, "replication factor", copies.to_string(), "3 or more", reassign);
    let setting = "min.insync.replicas";
    let mend = format!("{}; {one}", alter(setting, "2"));
    needs(single_broker || number(setting) >= 2, setting, value(setting), "2 or more", mend);
    let fixed = [
        ("unclean.leader.election.enable", "false"),
        ("message.timestamp.type", "LogAppendTime"),
        ("cleanup.policy", "delete"),
    ];
    for (setting, needed) in fixed {
        needs(value(setting) == needed, setting, value(setting), needed, alter(setting, needed));
    }
    if topic == Topic::Ledger {
        for setting in ["retention.ms", "retention.bytes"] {
            needs(number(setting) == -1, setting, value(setting), "-1 (for ever)", alter(setting, "-1"));
        }
    }
    let (setting, largest) = ("max.message.bytes", LARGEST_RECORD.to_string());
    let holds = number(setting) >= LARGEST_RECORD as i64;
    needs(holds, setting, value(setting), &format!("{largest} or more"), alter(setting, &largest));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Settings {
        let pairs = [
            ("min.insync.replicas", "2"),
            ("unclean.leader.election.enable", "false"),
            ("message.timestamp.type", "LogAppendTime"),
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
            ("max.message.bytes", "2000000"),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn each_unsafe_setting_is_found_and_said_how_to_mend() {
        assert_eq!(of_topic(Topic::Ledger, "l", 3, &sound(), false), Vec::new());
        let spoilt = [
            ("min.insync.replicas", "1"),
            ("unclean.leader.election.enable", "true"),
            ("message.timestamp.type", "CreateTime"),
            ("cleanup.policy", "compact"),
            ("retention.ms", "604800000"),
            ("retention.bytes", "1000"),
            ("max.message.bytes", "1048588"),
        ];
        for (setting, value) in spoilt {
            let mut settings = sound();
            settings.insert(setting.to_owned(), value.to_owned());
            let findings = of_topic(Topic::Ledger, "l", 3, &settings, false);
            let [finding] = &findings[..] else { panic!("{setting}: {findings:?}") };
            assert_eq!((finding.setting.as_str(), finding.found.as_str()), (setting, value));
            assert!(finding.mend.contains(setting), "{finding}");
        }
    }

    #[test]
    fn one_copy_is_for_a_single_broker_that_was_asked_for() {
        let mut settings = sound();
        settings.insert("min.insync.replicas".to_owned(), "1".to_owned());
        assert_eq!(of_topic(Topic::Ledger, "l", 1, &settings, true), Vec::new());
        assert_eq!(of_topic(Topic::Ledger, "l", 1, &settings, false).len(), 2);
    }

    #[test]
    fn only_the_ledger_is_kept_for_ever() {
        let mut settings = sound();
        settings.insert("retention.ms".to_owned(), "604800000".to_owned());
        assert_eq!(of_topic(Topic::Signals, "s", 3, &settings, false), Vec::new());
    }
}
