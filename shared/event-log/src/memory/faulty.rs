//! A log in memory whose faults follow a seed.

use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::store::Store;
use crate::{Ack, AppendError, Entry, EventLog, Offset, ReadError, Stored, Topic, Waker};

/// How often each fault happens: probabilities between 0 and 1. The default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// A batch is passed over in a step, so that younger ones land before it.
    pub delay: f64,
    /// A batch lands and stays in flight, so that it lands again.
    pub duplicate: f64,
    /// The answer is lost ([`AppendError::OutcomeUnknown`]): of a batch that lands in this step, or
    /// of one that is still in flight and lands later.
    pub drop_answer: f64,
    /// A batch never lands and its proposer is told that the outcome is unknown.
    pub lose: f64,
    /// Of a batch over several partitions, one partition's records land before the others.
    pub tear: f64,
    /// An append is refused with [`AppendError::Full`].
    pub refuse: f64,
}

/// A log in memory for the deterministic simulator.
///
/// Appended batches are in flight until [`step`](Self::step) decides what becomes of one of them.
/// The same seed and the same calls give the same history. It has no thread: acknowledgements and
/// wakers are called by the thread that calls `step`, with no lock held.
///
/// Through its own [`EventLog`] it is proposer 0; [`proposer`](Self::proposer) gives handles of
/// others, each of which can crash alone.
pub struct FaultyLog {
    state: Mutex<State>,
}

/// One instance's handle on a [`FaultyLog`].
pub struct Proposer {
    log: Arc<FaultyLog>,
    id: u32,
}

struct State {
    store: Store,
    rng: Xoshiro256PlusPlus,
    faults: Faults,
    time_ms: i64,
    /// Oldest first.
    flights: Vec<Flight>,
    wakers: Vec<(u32, Waker)>,
    /// By proposer.
    closed: Vec<bool>,
}

struct Flight {
    proposer: u32,
    entries: Vec<Entry>,
    /// None once answered, and for the second landing of a batch.
    ack: Option<Ack>,
}

/// What is to be done when the lock is released.
#[derive(Default)]
struct Effects {
    answer: Option<(Ack, Result<(), AppendError>)>,
    landed: bool,
}

impl FaultyLog {
    /// An empty log with `partitions` partitions per topic, at time 0.
    pub fn new(partitions: u32, seed: u64, faults: Faults) -> Self {
        let state = State {
            store: Store::new(partitions),
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            faults,
            time_ms: 0,
            flights: Vec::new(),
            wakers: Vec::new(),
            closed: vec![false],
        };
        Self { state: Mutex::new(state) }
    }

    /// A handle for one more proposer.
    pub fn proposer(self: &Arc<Self>) -> Arc<Proposer> {
        let mut state = self.state.lock();
        state.closed.push(false);
        Arc::new(Proposer { log: Arc::clone(self), id: (state.closed.len() - 1) as u32 })
    }

    /// Decides what becomes of one batch in flight; false when there was none. Under delays a step
    /// may pass over all of them.
    pub fn step(&self) -> bool {
        let mut state = self.state.lock();
        if state.flights.is_empty() {
            return false;
        }
        let effects = state.step();
        drop(state);
        self.perform(effects);
        true
    }

    /// Lands all that is in flight, in order and without faults. What it sets off is landed too.
    pub fn settle(&self) {
        loop {
            let mut state = self.state.lock();
            if state.flights.is_empty() {
                return;
            }
            let effects = state.land(0);
            drop(state);
            self.perform(effects);
        }
    }

    /// How many batches are in flight, second landings included.
    pub fn in_flight(&self) -> usize {
        self.state.lock().flights.len()
    }

    /// Sets the log's clock, in milliseconds since 1970. It may go backwards; append times do not.
    pub fn set_time_ms(&self, time_ms: i64) {
        self.state.lock().time_ms = time_ms;
    }

    /// Changes how often faults happen from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// Inverts byte number `byte` (modulo the record's length) of the record at `offset`; false
    /// when there is no such record.
    pub fn flip_byte(&self, topic: Topic, partition: u32, offset: Offset, byte: usize) -> bool {
        let mut state = self.state.lock();
        state.store.flip_byte(topic, partition, offset, byte)
    }

    fn perform(&self, effects: Effects) {
        if let Some((ack, result)) = effects.answer {
            ack(result);
        }
        if effects.landed {
            let wakers = self.state.lock().wakers.clone();
            for (_, waker) in wakers {
                waker();
            }
        }
    }

    fn append_as(&self, proposer: u32, entries: Vec<Entry>, ack: Ack) -> Result<(), AppendError> {
        let mut state = self.state.lock();
        if state.closed[proposer as usize] {
            return Err(AppendError::Closed);
        }
        state.store.check(&entries);
        let refuse = state.faults.refuse;
        if state.rng.random_bool(refuse) {
            return Err(AppendError::Full);
        }
        state.flights.push(Flight { proposer, entries, ack: Some(ack) });
        Ok(())
    }

    fn watch_as(&self, proposer: u32, waker: Waker) {
        self.state.lock().wakers.push((proposer, waker));
    }

    fn close_as(&self, proposer: u32) {
        loop {
            let mut state = self.state.lock();
            state.closed[proposer as usize] = true;
            let own = |flight: &Flight| flight.proposer == proposer;
            let Some(at) = state.flights.iter().position(own) else {
                return;
            };
            let effects = state.land(at);
            drop(state);
            self.perform(effects);
        }
    }
}

impl Proposer {
    /// Ends this proposer as a kill would: nobody is told anything any more. Its batches stay in
    /// flight, since they may have left it.
    pub fn crash(&self) {
        let mut state = self.log.state.lock();
        state.closed[self.id as usize] = true;
        let flights = state.flights.iter_mut();
        let own = flights.filter(|flight| flight.proposer == self.id);
        let acks: Vec<Ack> = own.filter_map(|flight| flight.ack.take()).collect();
        let wakers = mem::take(&mut state.wakers);
        let (dead, alive): (Vec<_>, Vec<_>) = wakers.into_iter().partition(|(id, _)| *id == self.id);
        state.wakers = alive;
        // What they own is dropped after the lock, as it may use the log.
        drop(state);
        drop((acks, dead));
    }
}

impl State {
    fn step(&mut self) -> Effects {
        let Some(at) = self.choose() else {
            return Effects::default();
        };
        if self.chance(self.faults.lose) {
            let flight = self.flights.remove(at);
            return Effects::unknown(flight.ack, "the batch was lost", false);
        }
        if self.flights[at].ack.is_some() && self.chance(self.faults.drop_answer) {
            let ack = self.flights[at].ack.take();
            let landed = self.chance(0.5);
            if landed {
                self.land(at);
            }
            return Effects::unknown(ack, "the answer was lost", landed);
        }
        if self.chance(self.faults.tear) && self.tear(at) {
            return Effects { answer: None, landed: true };
        }
        if self.chance(self.faults.duplicate) {
            let original = &self.flights[at];
            let again = Flight { proposer: original.proposer, entries: original.entries.clone(), ack: None };
            self.flights.push(again);
        }
        self.land(at)
    }

    /// The oldest batch that is not passed over.
    fn choose(&mut self) -> Option<usize> {
        (0..self.flights.len()).find(|_| !self.chance(self.faults.delay))
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    fn land(&mut self, at: usize) -> Effects {
        let flight = self.flights.remove(at);
        self.store.push(flight.entries, self.time_ms);
        Effects { answer: flight.ack.map(|ack| (ack, Ok(()))), landed: true }
    }

    /// Lands the records of the batch's first partition; false when it has no other.
    fn tear(&mut self, at: usize) -> bool {
        let entries = &mut self.flights[at].entries;
        let Some(first) = entries.first() else {
            return false;
        };
        let place = (first.topic, first.partition);
        let whole = mem::take(entries);
        let (now, later): (Vec<_>, Vec<_>) =
            whole.into_iter().partition(|entry| (entry.topic, entry.partition) == place);
        if later.is_empty() {
            *entries = now;
            return false;
        }
        *entries = later;
        self.store.push(now, self.time_ms);
        true
    }
}

impl Effects {
    fn unknown(ack: Option<Ack>, reason: &str, landed: bool) -> Self {
        let result = Err(AppendError::OutcomeUnknown(reason.to_owned()));
        Self { answer: ack.map(|ack| (ack, result)), landed }
    }
}

impl EventLog for FaultyLog {
    fn partitions(&self, _topic: Topic) -> u32 {
        self.state.lock().store.partitions()
    }

    fn append(&self, entries: Vec<Entry>, ack: Ack) -> Result<(), AppendError> {
        self.append_as(0, entries, ack)
    }

    fn read(&self, topic: Topic, partition: u32, from: Offset, max: usize) -> Result<Vec<Stored>, ReadError> {
        self.state.lock().store.read(topic, partition, from, max)
    }

    fn end(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError> {
        self.state.lock().store.end(topic, partition)
    }

    fn watch(&self, waker: Waker) {
        self.watch_as(0, waker);
    }

    fn close(&self) {
        self.close_as(0);
    }
}

impl EventLog for Proposer {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    fn append(&self, entries: Vec<Entry>, ack: Ack) -> Result<(), AppendError> {
        self.log.append_as(self.id, entries, ack)
    }

    fn read(&self, topic: Topic, partition: u32, from: Offset, max: usize) -> Result<Vec<Stored>, ReadError> {
        self.log.read(topic, partition, from, max)
    }

    fn end(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError> {
        self.log.end(topic, partition)
    }

    fn watch(&self, waker: Waker) {
        self.log.watch_as(self.id, waker);
    }

    fn close(&self) {
        self.log.close_as(self.id);
    }
}
