//! The owner's protocol, without threads, clocks or I/O: submissions in, records out, folded records in, answers out.
//!
//! What it must never do: answer before the record, or the fence, of the request is folded from the log.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use coupon::command::Command;
use coupon::decide::{Proposal, Scene, decide};
use coupon::fold::{At, Outcome, fold};
use coupon::id::{MerchantId, Sequence, Shard};
use coupon::record::{Cancel, Entity, Entry, Fence, Fences, Guard, GuardKind, Origin, Record, Request, RequestKey};
use coupon::rejection::Refusal;
use coupon::state::{Done, RequestOutcome, live_request};
use coupon::terms::Millis;
use event_log::envelope::{Damage, Header, Realm};
use event_log::{Offset, Stored, Topic};
use rustc_hash::FxHashMap;

use crate::codec::{self, Control, Decoded};
use crate::disk::Reached;
use crate::ledger::{Due, Ledger, Newer};
use crate::overlay::{Overlay, Speculating, Speculative};

mod control;
mod settle;

/// What may be under way at once; more is refused as overload.
pub const MAX_PENDING: usize = 100_000;
/// Keys that are remembered at once, over all shards; more is refused as overload. About 120 bytes each.
pub const MAX_REQUESTS: usize = 40_000_000;

/// How long a record without a key may be under way.
const ATTEMPT_MS: Millis = 30_000;
/// How often a record that was made void is decided again.
const MAX_ATTEMPTS: u32 = 100;

/// What somebody asks for.
pub struct Submission {
    /// At which merchant.
    pub merchant: MerchantId,
    /// What.
    pub what: What,
    /// Under which key, and the request's fingerprint.
    pub request: Option<(RequestKey, [u8; 16])>,
    /// Void from here on, on the log's clock.
    pub deadline: Millis,
    /// Gets the answer, once.
    pub reply: Reply,
    /// The number of a refusal's error code, for the fence.
    pub code_of: fn(&Refusal) -> u16,
    /// How often it was decided already.
    pub attempts: u32,
}

/// Commands, and cancels of keys.
pub enum What {
    /// Something that is decided.
    Command(Command),
    /// The key is used up without effect, unless it was used.
    Cancel,
}

/// Gets the answer, once.
pub type Reply = Box<dyn FnOnce(Answer) + Send>;

/// What became of a submission.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It happened, by this record.
    Applied(Applied),
    /// It happened before, by the record that the key became.
    Replayed(Done),
    /// The key stands for another request.
    KeyReused,
    /// Refused, for good where a key was given; as of the shard's record with this sequence.
    Refused(Box<Refusal>, Sequence),
    /// An attempt elsewhere was refused; the number of its error code, or 0 where nothing stands against it any more and
    /// the key may be tried again.
    RefusedElsewhere(u16),
    /// The key is cancelled.
    Cancelled,
    /// It may have happened, or may yet.
    Unknown,
    /// Too much is under way; surely nothing happened.
    Overloaded,
    /// The partition is damaged; nothing happened.
    Stopped,
    /// The log takes nothing now; nothing happened.
    Away,
    /// There was nothing to do.
    Nothing,
}

/// A record that applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Where it stands.
    pub at: At,
    /// The running number that it was given, or 0.
    pub number: u64,
    /// The record.
    pub entry: Arc<Entry>,
}

/// A record under way.
struct Pending {
    shard: Shard,
    entry: Arc<Entry>,
    bytes: Bytes,
    /// What folding it onto the overlay gave.
    expected: (Sequence, Outcome),
    wrote: Vec<coupon::state::Key>,
    waits: Waits,
    /// From here on it can apply no more.
    deadline: Millis,
}

/// Who waits for a record.
enum Waits {
    Nobody,
    Tick(Due),
    Submission(Attempt),
    Refused(Vec<Attempt>),
}

/// A submission with the fences that stood for its key when it came, and its own since. Any other fence is that of
/// another attempt, whose caller may have been told that it is refused: a record decided with the old count is void
/// then, and counts as a fence itself.
struct Attempt {
    submission: Box<Submission>,
    fences: u32,
    /// The number that the next record had when it came.
    came: u64,
}

/// A shard's proposals.
#[derive(Default)]
struct Lane {
    overlay: Overlay,
    /// What is under way has to be folded onto the overlay anew before anything rests on it.
    stale: bool,
    pending: BTreeSet<u64>,
    /// Refusals whose fence goes out with the next batch.
    fences: Vec<(Fence, Attempt)>,
    /// Refusals whose fence is folded, behind proposals that are not: by the fence's number.
    held: VecDeque<(u64, Attempt)>,
    /// Attempts that rest on a proposal which is not folded, to be decided again after this one.
    blocked: VecDeque<(u64, Attempt)>,
}

/// A partition that follows the log.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    /// The next offset to fold.
    pub next: Offset,
    /// Why it stopped.
    pub stopped: Option<String>,
    /// As it was when it began.
    begun: Reached,
    /// The last record that was folded since.
    last: Option<Stored>,
}

impl Follow {
    /// From where it was folded before.
    pub fn from(reached: Reached) -> Self {
        Self { next: reached.next, begun: reached, ..Self::default() }
    }

    /// How far it is folded.
    pub fn reached(&self) -> Reached {
        self.last.as_ref().map_or(self.begun, Reached::after)
    }
}

/// Somebody else's state had another hash than this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of which shard.
    pub shard: Shard,
    /// After which record.
    pub sequence: Sequence,
    /// The hash here.
    pub own: u128,
}

/// The owner of all shards, as a state machine.
pub struct Engine {
    /// What is folded.
    pub ledger: Ledger,
    instance: u64,
    next_number: u64,
    /// The wall clock as it was told last.
    wall: Millis,
    lanes: Vec<Lane>,
    pending: FxHashMap<u64, Pending>,
    /// Own records in the order in which they were proposed, by partition: read back, they need not be decoded.
    order: Vec<VecDeque<u64>>,
    /// Records whose append's answer was lost.
    doubtful: Vec<u64>,
    in_flight: FxHashMap<RequestKey, Vec<Attempt>>,
    /// Records of the next batch.
    out: Vec<event_log::Entry>,
    out_numbers: Vec<u64>,
    follow: Vec<Follow>,
    folded: Vec<crate::feed::Folded>,
    feed: bool,
    /// Whether hashes are told to others.
    checkpoints: bool,
    /// Whether what is due by the clock is proposed here.
    ticks: bool,
    differences: Vec<Difference>,
    outdated: Option<Newer>,
}

impl Engine {
    /// An engine over a ledger that is folded up to `follow`, one position per partition.
    pub fn new(ledger: Ledger, instance: u64, follow: Vec<Follow>, feed: bool) -> Self {
        Self {
            lanes: ledger.shards().map(|_| Lane::default()).collect(),
            ledger,
            instance,
            next_number: 1,
            wall: Millis::MIN,
            pending: FxHashMap::default(),
            order: follow.iter().map(|_| VecDeque::new()).collect(),
            doubtful: Vec::new(),
            in_flight: FxHashMap::default(),
            out: Vec::new(),
            out_numbers: Vec::new(),
            follow,
            folded: Vec::new(),
            feed,
            checkpoints: false,
            ticks: true,
            differences: Vec::new(),
            outdated: None,
        }
    }

    /// Proposes nothing of its own: others do what is due by the clock.
    pub fn only_follow(&mut self) {
        self.ticks = false;
    }

    /// Where each partition stands.
    pub fn follow(&self) -> &[Follow] {
        &self.follow
    }

    /// A partition cannot be read past here: its shards take nothing more.
    pub fn stop(&mut self, partition: usize, reason: String) {
        self.follow[partition].stopped = Some(reason);
    }

    /// How much is under way.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// A request is under way here.
    pub fn is_in_flight(&self, key: RequestKey) -> bool {
        self.in_flight.contains_key(&key)
    }

    /// Records that were folded since this was last called, if a feed is wanted.
    pub fn take_folded(&mut self) -> Vec<crate::feed::Folded> {
        std::mem::take(&mut self.folded)
    }

    fn partition(&self, shard: Shard) -> usize {
        usize::from(shard.0) % self.follow.len()
    }

    fn lane(&mut self, shard: Shard) -> &mut Lane {
        &mut self.lanes[usize::from(shard.0)]
    }

    /// The proposer's estimate of a shard's clock.
    fn now(&self, shard: Shard, wall: Millis) -> Millis {
        self.ledger.shard(shard).time.max(wall)
    }

    /// Takes a submission: answers what needs no record, proposes what does.
    pub fn submit(&mut self, submission: Box<Submission>, wall: Millis) {
        self.wall = wall;
        let shard = submission.merchant.shard();
        if self.follow[self.partition(shard)].stopped.is_some() {
            return (submission.reply)(Answer::Stopped);
        }
        let full = submission.request.is_some() && self.ledger.requests() >= MAX_REQUESTS;
        if self.pending.len() >= MAX_PENDING || full {
            return (submission.reply)(Answer::Overloaded);
        }
        let now = self.now(shard, wall);
        let fences = submission
            .request
            .and_then(|(key, _)| live_request(self.ledger.shard(shard), shard, key, now))
            .map_or(0, |row| row.fences);
        self.resume(Attempt { submission, fences, came: self.next_number }, wall);
    }

    /// Goes on with an attempt: one that has come, that waited for another, or that is decided again.
    fn resume(&mut self, mut attempt: Attempt, wall: Millis) {
        let shard = attempt.submission.merchant.shard();
        let now = self.now(shard, wall);
        if let Some((key, fingerprint)) = attempt.submission.request {
            if let Some(waiting) = self.in_flight.get_mut(&key) {
                waiting.push(attempt);
                return;
            }
            match live_request(self.ledger.shard(shard), shard, key, now) {
                None => attempt.fences = 0,
                Some(row) => match row.outcome {
                    RequestOutcome::Open => {}
                    RequestOutcome::Cancelled => return (attempt.submission.reply)(Answer::Cancelled),
                    RequestOutcome::Done(done) => {
                        return (attempt.submission.reply)(settle::replayed(
                            &attempt.submission.what,
                            done,
                            fingerprint,
                        ));
                    }
                },
            }
        }
        self.propose_due(wall);
        self.decide(attempt, shard, now);
    }

    fn decide(&mut self, attempt: Attempt, shard: Shard, now: Millis) {
        self.refresh(shard, now);
        let submission = &attempt.submission;
        if submission.request.is_some() && self.wall >= submission.deadline {
            // Whoever was told by when it is decided was told the truth: nothing is proposed any more.
            let wall = self.wall;
            return self.finish(attempt, Answer::Unknown, wall);
        }
        let command = match &submission.what {
            What::Cancel => return self.propose_cancel(attempt, shard, now),
            What::Command(command) => command,
        };
        let base = self.ledger.shard(shard);
        let view = Speculative { base, overlay: &self.lanes[usize::from(shard.0)].overlay };
        match decide(Scene { view: &view, merchant: submission.merchant, now }, command) {
            Ok(proposal) if proposal.events.is_empty() => (attempt.submission.reply)(Answer::Nothing),
            Ok(proposal) if self.rests_on_proposals(shard, &proposal) => self.block(attempt, shard),
            Ok(proposal) => {
                let request = submission.request.map(|(key, fingerprint)| Request {
                    key,
                    fingerprint,
                    fences: attempt.fences,
                    deadline: submission.deadline.max(now + 1),
                });
                let merchant = submission.merchant;
                self.propose_record(merchant, proposal, request, now, Waits::Submission(attempt));
            }
            Err(refusal) => self.refuse(attempt, shard, refusal),
        }
    }

    /// Whether a guard names a version that is only proposed. Its sequence is a guess: another record may come to
    /// stand there, change the same entity, and let a guard hold that was meant for something else.
    fn rests_on_proposals(&self, shard: Shard, proposal: &Proposal) -> bool {
        let folded = self.ledger.shard(shard).sequence;
        proposal.guards.iter().any(|guard| match guard {
            // Counted in chunks.
            Guard::Version(Entity::Operation(_), _) => false,
            Guard::Version(_, version) => *version > folded,
            _ => false,
        })
    }

    /// Waits for all that is proposed now.
    fn block(&mut self, attempt: Attempt, shard: Shard) {
        if let Some((key, _)) = attempt.submission.request {
            self.in_flight.entry(key).or_default();
        }
        let lane = self.lane(shard);
        let last = lane.pending.last().copied().unwrap_or(0);
        lane.blocked.push_back((last + 1, attempt));
    }

    /// A refusal with a key is answered once its fence is folded; one without, once what it rests on is.
    fn refuse(&mut self, attempt: Attempt, shard: Shard, refusal: Refusal) {
        let code = (attempt.submission.code_of)(&refusal);
        let request = attempt.submission.request;
        let lane = self.lane(shard);
        let Some((key, _)) = request else {
            if lane.pending.is_empty() {
                let as_of = self.ledger.shard(shard).sequence;
                return (attempt.submission.reply)(Answer::Refused(Box::new(refusal), as_of));
            }
            let last = lane.pending.last().copied().unwrap_or(0);
            lane.held.push_back((last + 1, attempt));
            return;
        };
        let decision = match refusal.rejection {
            coupon::rejection::Rejection::Risk(decision) => Some(decision),
            _ => None,
        };
        lane.fences.push((Fence { key, refusal: code, decision }, attempt));
        self.in_flight.entry(key).or_default();
    }

    fn propose_cancel(&mut self, attempt: Attempt, shard: Shard, now: Millis) {
        let Some((key, _)) = attempt.submission.request else {
            return (attempt.submission.reply)(Answer::Nothing);
        };
        let entry = Entry::Cancel(Cancel { origin: self.origin(), proposed_at: self.wall, key });
        self.in_flight.entry(key).or_default();
        self.propose(entry, shard, now, now + ATTEMPT_MS, Waits::Submission(attempt));
    }

    fn propose_record(
        &mut self,
        merchant: MerchantId,
        proposal: Proposal,
        request: Option<Request>,
        now: Millis,
        waits: Waits,
    ) {
        let mut guards = proposal.guards;
        let deadline = request.map_or(now + ATTEMPT_MS, |request| request.deadline);
        if request.is_none() {
            guards.push(Guard::TimeIn(Millis::MIN, deadline));
        }
        if let Some(request) = &request {
            self.in_flight.entry(request.key).or_default();
        }
        let record = Record {
            merchant,
            origin: self.origin(),
            proposed_at: self.wall,
            request,
            guards,
            events: proposal.events,
        };
        self.propose(Entry::Guarded(record), merchant.shard(), now, deadline, waits);
    }

    fn origin(&mut self) -> Origin {
        let number = self.next_number;
        self.next_number += 1;
        Origin { instance: self.instance, number }
    }

    fn propose(&mut self, entry: Entry, shard: Shard, now: Millis, deadline: Millis, waits: Waits) {
        self.refresh(shard, now);
        let number = entry.origin().number;
        let semantics = self.ledger.shard(shard).semantics;
        let bytes = codec::encode(&entry, shard, semantics, realm(&entry), None);
        let entry = Arc::new(entry);
        let (expected, wrote) = self.speculate(&entry, shard, now, number);
        let partition = self.partition(shard);
        self.lane(shard).pending.insert(number);
        self.order[partition].push_back(number);
        self.out.push(event_log::Entry { topic: Topic::Ledger, partition: partition as u32, bytes: bytes.clone() });
        self.out_numbers.push(number);
        let pending = Pending { shard, entry, bytes, expected, wrote, waits, deadline };
        self.pending.insert(number, pending);
    }

    fn speculate(
        &mut self,
        entry: &Entry,
        shard: Shard,
        now: Millis,
        proposal: u64,
    ) -> ((Sequence, Outcome), Vec<coupon::state::Key>) {
        let rules = self.ledger.rules_of(shard);
        let overlay = &mut self.lanes[usize::from(shard.0)].overlay;
        overlay.depth += 1;
        let base = self.ledger.shard(shard);
        let at = At { shard, sequence: base.sequence + overlay.depth, time: base.time.max(now) };
        let mut rows = Speculating { base, overlay, proposal, wrote: Vec::new() };
        let outcome = fold(&mut rows, entry, at, rules);
        ((at.sequence, outcome), rows.wrote)
    }

    /// What is due by the clock is proposed before anything is decided, so that no decision sees a lock whose time
    /// is up as alive, or a budget as held by it.
    pub fn propose_due(&mut self, wall: Millis) {
        self.wall = wall;
        // What is due beyond that has its turn when these are folded, and leaves room for what callers ask for.
        while self.ticks && self.pending.len() < MAX_PENDING / 2 {
            let Some(due) = self.ledger.take_due(wall) else { return };
            let (merchant, command) = match due {
                Due::Lock(merchant, lock) => (merchant, Command::ExpireLock(lock)),
                Due::Coupons(merchant, stock, until) => (merchant, Command::ExpireCoupons(stock, until)),
                Due::Rehearsal(merchant, stock) => (merchant, Command::ForgetRehearsal(stock)),
            };
            let shard = merchant.shard();
            if self.follow[self.partition(shard)].stopped.is_some() {
                continue;
            }
            let now = self.now(shard, wall);
            self.refresh(shard, now);
            let view =
                Speculative { base: self.ledger.shard(shard), overlay: &self.lanes[usize::from(shard.0)].overlay };
            match decide(Scene { view: &view, merchant, now }, &command) {
                Ok(proposal) if !proposal.events.is_empty() && !self.rests_on_proposals(shard, &proposal) => {
                    self.propose_record(merchant, proposal, None, now, Waits::Tick(due));
                }
                // What makes it needless is only proposed, and may come to nothing.
                _ if view.overlay.depth > 0 => self.ledger.due_again(wall + 1_000, due),
                _ => {}
            }
        }
    }

    /// The records to append next, as one batch, with their numbers.
    pub fn take_batch(&mut self, wall: Millis) -> (Vec<event_log::Entry>, Vec<u64>) {
        self.wall = wall;
        for n in 0..self.lanes.len() {
            if self.lanes[n].fences.is_empty() {
                continue;
            }
            let shard = Shard(n as u8);
            let (fences, refused) = std::mem::take(&mut self.lanes[n].fences).into_iter().unzip();
            let entry = Entry::Fences(Fences { origin: self.origin(), proposed_at: wall, fences });
            let now = self.now(shard, wall);
            self.propose(entry, shard, now, now + ATTEMPT_MS, Waits::Refused(refused));
        }
        (std::mem::take(&mut self.out), std::mem::take(&mut self.out_numbers))
    }

    /// Something waits to be appended.
    pub fn has_batch(&self) -> bool {
        !self.out.is_empty() || self.lanes.iter().any(|lane| !lane.fences.is_empty())
    }

    /// Folds what the log holds next; gives the answers that were waiting for it.
    pub fn stored(&mut self, stored: &Stored, wall: Millis) {
        let partition = stored.partition as usize;
        let own = self.order[partition]
            .front()
            .copied()
            .filter(|number| self.pending.get(number).is_some_and(|pending| pending.bytes == stored.bytes));
        let read = match own {
            Some(number) => {
                self.order[partition].pop_front();
                let pending = &self.pending[&number];
                Ok(Opened { header: header_of(pending.shard), entry: Some(pending.entry.clone()), control: None })
            }
            None => Opened::new(&stored.bytes),
        };
        self.opened(stored, read, wall);
    }

    /// The same of a record that was opened elsewhere.
    pub fn opened(&mut self, stored: &Stored, read: Result<Opened, Damage>, wall: Millis) {
        self.wall = wall;
        let partition = stored.partition as usize;
        if stored.offset != self.follow[partition].next {
            let reason = format!("expected offset {}, read {}", self.follow[partition].next, stored.offset);
            return self.stop(partition, reason);
        }
        let Opened { header, entry, control } = match read {
            Ok(read) => read,
            Err(damage) => return self.stop(partition, format!("offset {}: {damage}", stored.offset)),
        };
        let shard = Shard(header.shard);
        let (at, outcome) = match self.ledger.take_entry(&header, entry.as_deref(), control, stored) {
            Ok(folded) => folded,
            Err(newer) => {
                self.outdated.get_or_insert(newer);
                return self.stop(partition, newer.to_string());
            }
        };
        let follow = &mut self.follow[partition];
        follow.next = stored.offset + 1;
        follow.last = Some(stored.clone());
        crate::metrics::folded(outcome);
        if let Some(Control::HashCheckpoint(sequence, hash)) = control {
            self.compare(shard, sequence, hash);
        }
        let number = entry.as_ref().map(|entry| entry.origin()).filter(|o| o.instance == self.instance);
        if self.feed {
            self.folded.push(crate::feed::Folded { at, entry: entry.clone(), outcome });
        }
        if number.is_some() {
            self.tell_hash(at);
        }
        self.settle(shard, number.map(|origin| origin.number), at, outcome, wall);
    }
}

/// A record, taken out of its bytes.
pub struct Opened {
    header: Header,
    entry: Option<Arc<Entry>>,
    control: Option<Control>,
}

impl Opened {
    /// Out of these bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, Damage> {
        let (header, decoded) = codec::decode(bytes)?;
        Ok(match decoded {
            Decoded::Entry(entry) => Self { header, entry: Some(Arc::new(*entry)), control: None },
            Decoded::Control(control) => Self { header, entry: None, control: Some(control) },
            Decoded::Foreign => Self { header, entry: None, control: None },
        })
    }
}

/// Of an own record, as far as the fold looks at it.
fn header_of(shard: Shard) -> Header {
    Header { realm: Realm::Live, record_type: 0, semantics: 0, shard: shard.0, original_time_ms: None }
}

/// Whether a void record's request is decided again: a fenced one is not, its caller has that refusal.
fn decides_again(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Void(kind) if kind != GuardKind::Fences)
}

/// Fences and cancels name keys only, which are a merchant's or its rehearsals'.
fn realm(entry: &Entry) -> Realm {
    match entry {
        Entry::Guarded(record) if record.merchant.is_rehearsals() => Realm::Rehearsal,
        Entry::Guarded(_) | Entry::Fences(_) | Entry::Cancel(_) => Realm::Live,
    }
}
