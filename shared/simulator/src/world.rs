//! Proposers, their log and its clock, moved one step at a time.

use std::sync::{Arc, Mutex, PoisonError};

use coupon::command::Command;
use coupon::fold::Rules;
use coupon::history::Story;
use coupon::id::{MerchantId, Sequence};
use coupon::record::RequestKey;
use coupon::rejection::Refusal;
use coupon::terms::Millis;
use event_log::memory::{Faults, FaultyLog, Proposer};
use event_log::{AppendError, EventLog, Offset, Topic};
use projection::codec::{self, Decoded};
use projection::engine::{Answer, Engine, Follow, Submission, What};
use projection::ledger::Ledger;

use crate::judge::Judge;

/// What a world is made of.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Decides everything.
    pub seed: u64,
    /// How many proposers.
    pub instances: usize,
    /// Of the log.
    pub partitions: u32,
    /// Of the log.
    pub faults: Faults,
    /// Which guards every fold looks at.
    pub rules: Rules,
    /// The log's clock at the start.
    pub start: Millis,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub enum Wish {
    /// A command.
    Do(Box<Command>),
    /// A cancel of the key.
    Cancel,
}

/// One submission of a client, and its answer.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// At which merchant.
    pub merchant: MerchantId,
    /// Under which key.
    pub key: Option<RequestKey>,
    /// What.
    pub wish: Wish,
    /// Tells requests under one key apart.
    pub fingerprint: [u8; 16],
    /// The end of the shard when it was submitted.
    pub since: Sequence,
    /// When it was submitted.
    pub at: Millis,
    /// The answer, and how far its instance had folded the shard by then.
    pub answer: Option<(Answer, Sequence)>,
}

/// A proposer.
struct Instance {
    engine: Engine,
    proposer: Arc<Proposer>,
    /// Ends of appends, as the log told them.
    ends: Arc<Mutex<Vec<Ended>>>,
    appending: bool,
    /// How far its clock is ahead of the log's.
    skew: Millis,
}

type Ended = (Vec<u64>, Result<(), AppendError>);
type Mail = Arc<Mutex<Vec<(usize, Answer)>>>;

/// Everything.
pub struct World {
    setup: Setup,
    /// The log that all share.
    pub log: Arc<FaultyLog>,
    /// The log's clock.
    pub now: Millis,
    instances: Vec<Instance>,
    born: u64,
    mail: Mail,
    /// All that clients submitted, in order.
    pub attempts: Vec<Attempt>,
    /// A ledger that folds every record as soon as it lands.
    pub observer: Ledger,
    observed: Vec<Offset>,
    /// Who looks at what happened.
    pub judge: Judge,
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One number per kind of refusal is enough here.
fn code_of(refusal: &Refusal) -> u16 {
    u16::from(refusal.rejection.precedence()) + 1
}

impl World {
    /// A world with an empty log.
    pub fn new(setup: Setup) -> Self {
        let log = Arc::new(FaultyLog::new(setup.partitions, setup.seed, setup.faults));
        log.set_time_ms(setup.start);
        let mut world = Self {
            setup,
            log,
            now: setup.start,
            instances: Vec::new(),
            born: 0,
            mail: Mail::default(),
            attempts: Vec::new(),
            observer: Ledger::without(setup.rules),
            observed: vec![0; setup.partitions as usize],
            judge: Judge::default(),
        };
        for _ in 0..setup.instances {
            let instance = world.start_instance(0);
            world.instances.push(instance);
        }
        world
    }

    /// How many proposers there are.
    pub fn instances(&self) -> usize {
        self.instances.len()
    }

    fn start_instance(&mut self, skew: Millis) -> Instance {
        self.born += 1;
        let follow = (0..self.setup.partitions).map(|_| Follow::default()).collect();
        Instance {
            engine: Engine::new(Ledger::without(self.setup.rules), self.born, follow, false),
            proposer: self.log.proposer(),
            ends: Arc::default(),
            appending: false,
            skew,
        }
    }

    /// Ends an instance as a kill would, and starts another in its place, which folds the log from its beginning
    /// before it serves.
    pub fn kill(&mut self, i: usize, skew: Millis) {
        self.instances[i].proposer.crash();
        self.instances[i] = self.start_instance(skew);
        self.read(i, usize::MAX);
    }

    /// Moves the log's clock.
    pub fn pass(&mut self, by: Millis) {
        self.now += by;
        self.log.set_time_ms(self.now);
    }

    /// Hands a wish to an instance.
    pub fn submit(
        &mut self,
        i: usize,
        merchant: MerchantId,
        key: Option<RequestKey>,
        wish: Wish,
        fingerprint: [u8; 16],
    ) -> usize {
        let id = self.attempts.len();
        let mail = self.mail.clone();
        let what = match &wish {
            Wish::Do(command) => What::Command((**command).clone()),
            Wish::Cancel => What::Cancel,
        };
        let wall = self.now + self.instances[i].skew;
        let submission = Submission {
            merchant,
            what,
            request: key.map(|key| (key, fingerprint)),
            deadline: wall + 10_000,
            reply: Box::new(move |answer| lock(&mail).push((id, answer))),
            code_of,
            attempts: 0,
        };
        let since = self.observer.of(merchant).sequence;
        self.attempts.push(Attempt { merchant, key, wish, fingerprint, since, at: self.now, answer: None });
        self.instances[i].engine.submit(Box::new(submission), wall);
        self.collect(i);
        id
    }

    /// Answers that were given since this was last called, by instance `i`.
    fn collect(&mut self, i: usize) {
        for (id, answer) in std::mem::take(&mut *lock(&self.mail)) {
            let attempt = &mut self.attempts[id];
            let folded = self.instances[i].engine.ledger.of(attempt.merchant).sequence;
            if attempt.answer.replace((answer, folded)).is_some() {
                self.judge.violated("I2", format!("attempt {id} was answered twice"));
            }
        }
    }

    /// What an instance's owner does in a round of its loop: hears of its appends, folds at most `records` of each
    /// partition, appends one batch if none is under way.
    pub fn turn(&mut self, i: usize, records: usize) {
        let wall = self.now + self.instances[i].skew;
        let ends = std::mem::take(&mut *lock(&self.instances[i].ends));
        for (numbers, end) in ends {
            let instance = &mut self.instances[i];
            instance.appending = false;
            match end {
                Ok(()) => {}
                Err(AppendError::OutcomeUnknown(_)) => instance.engine.doubt(&numbers),
                Err(AppendError::Full | AppendError::Closed) => instance.engine.refused_by_log(&numbers, wall),
            }
            self.collect(i);
        }
        self.read(i, records);
        let instance = &mut self.instances[i];
        instance.engine.propose_due(wall);
        instance.engine.sweep(wall);
        if !instance.appending && instance.engine.has_batch() {
            let (entries, numbers) = instance.engine.take_batch(wall);
            let (ends, told) = (instance.ends.clone(), numbers.clone());
            instance.appending = true;
            let ack = Box::new(move |end| lock(&ends).push((told, end)));
            if instance.proposer.append(entries, ack).is_err() {
                instance.appending = false;
                instance.engine.refused_by_log(&numbers, wall);
            }
        }
        self.collect(i);
    }

    fn read(&mut self, i: usize, records: usize) {
        let wall = self.now + self.instances[i].skew;
        for partition in 0..self.setup.partitions {
            let next = self.instances[i].engine.follow()[partition as usize].next;
            let stored = self.log.read(Topic::Ledger, partition, next, records).expect("nothing damages this log");
            for stored in &stored {
                self.instances[i].engine.stored(stored, wall);
                self.collect(i);
            }
        }
    }

    /// Lets the log decide about one batch; false when there is none.
    pub fn step_log(&mut self) -> bool {
        let moved = self.log.step();
        self.observe();
        moved
    }

    fn observe(&mut self) {
        for partition in 0..self.setup.partitions {
            let next = &mut self.observed[partition as usize];
            let stored = self.log.read(Topic::Ledger, partition, *next, usize::MAX).expect("nothing damages this log");
            for stored in stored {
                *next = stored.offset + 1;
                let (header, decoded) = codec::decode(&stored.bytes).expect("nothing damages this log");
                let (at, outcome) = self.observer.take(&header, &decoded, &stored).expect("no newer rules");
                let Decoded::Entry(entry) = decoded else { continue };
                self.judge.record(at, &entry, outcome, &self.observer);
            }
        }
    }

    /// Ends all faults and lets everything that is under way come to its end, which takes at most a few rounds of
    /// the longest deadline.
    pub fn quiesce(&mut self) {
        self.log.set_faults(Faults::default());
        for round in 0..400 {
            self.log.settle();
            self.observe();
            for i in 0..self.instances.len() {
                self.turn(i, usize::MAX);
            }
            let idle = self.instances.iter().all(|i| i.engine.pending() == 0 && !i.engine.has_batch());
            if idle && self.log.in_flight() == 0 {
                self.compare_hashes();
                return;
            }
            // What was lost is given up once its deadline is over.
            self.pass(if round % 4 == 3 { 5_000 } else { 100 });
        }
        let left: Vec<(usize, bool)> =
            self.instances.iter().map(|i| (i.engine.pending(), i.engine.has_batch())).collect();
        let ends: Vec<_> = self.observer.shards().filter(|s| s.sequence > 0).map(|s| (s.shard(), s.sequence)).collect();
        let what = format!("the proposers never came to rest: {left:?}, {} in flight, {ends:?}", self.log.in_flight());
        self.judge.violated("I7", what);
    }

    /// I4: every instance that has folded a shard as far as the observer has the same state.
    pub fn compare_hashes(&mut self) {
        let mut wrong = Vec::new();
        for (i, instance) in self.instances.iter().enumerate() {
            for (live, again) in instance.engine.ledger.shards().zip(self.observer.shards()) {
                if live.sequence == again.sequence && live.state_hash() != again.state_hash() {
                    wrong.push(format!("shard {:?} of instance {i} differs at {}", live.shard(), live.sequence));
                }
            }
        }
        for what in wrong {
            self.judge.violated("I4", what);
        }
    }

    /// I4 again: the whole log folded from its beginning gives what the observer has.
    pub fn rebuild(&mut self) {
        let mut ledger = Ledger::without(self.setup.rules);
        for partition in 0..self.setup.partitions {
            for stored in self.log.read(Topic::Ledger, partition, 0, usize::MAX).expect("nothing damages this log") {
                let (header, decoded) = codec::decode(&stored.bytes).expect("nothing damages this log");
                ledger.take(&header, &decoded, &stored).expect("no newer rules");
            }
        }
        let same = ledger.shards().zip(self.observer.shards()).all(|(a, b)| a.state_hash() == b.state_hash());
        if !same {
            self.judge.violated("I4", "the log folded anew gives another state".to_owned());
        }
    }

    /// A coupon's story, followed back from its last record and told again, ends in what the coupon is.
    pub fn stories(&mut self) {
        let mut wrong = Vec::new();
        for (key, row) in self.observer.shards().flat_map(projection::shard::ShardState::rows) {
            let (coupon::state::Key::Coupon(merchant, number), coupon::state::Row::Coupon(coupon)) = (key, row) else {
                continue;
            };
            let story = Story::of(self.observer.of(*merchant), *merchant, *number);
            let told = story.as_ref().and_then(|story| self.tell(*merchant, story));
            let coupon = story.as_ref().map_or(&**coupon, Story::now);
            if told.as_ref() != Some(coupon) {
                wrong.push(format!("coupon {number} of {merchant} is {coupon:?}, its story ends in {told:?}"));
            }
        }
        for what in wrong {
            self.judge.violated("history", what);
        }
    }

    fn tell(&self, merchant: MerchantId, story: &Story) -> Option<coupon::state::Coupon> {
        let shard = merchant.shard();
        let partition = u32::from(shard.0) % self.setup.partitions;
        let mut records = Vec::new();
        let mut next = Some(story.last());
        while let Some(sequence) = next {
            let (offset, time) = self.observer.shard(shard).positions().get(sequence)?;
            let stored = self.log.read(Topic::Ledger, partition, offset, 1).ok()?;
            let (_, Decoded::Entry(entry)) = codec::decode(&stored.first()?.bytes).ok()? else { return None };
            let coupon::record::Entry::Guarded(record) = *entry else { return None };
            next = story.previous(&record);
            records.push((coupon::fold::At { shard, sequence, time }, record));
        }
        story.tell(records.iter().rev().map(|(at, record)| (*at, record)))
    }

    /// All violations, those of the answers included.
    pub fn verdict(mut self) -> Vec<crate::judge::Violation> {
        self.judge.answers(&self.attempts);
        self.judge.violations
    }
}
