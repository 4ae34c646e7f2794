//! Whether the log can be reached: beats of this instance, which also tell others that it lives and what it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use event_log::EventLog;
use inline_risk::{Beat, beat_record};
use parking_lot::Mutex;
use prometheus::{Gauge, register_gauge};

/// How often an instance beats.
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// Without an answered beat for so long, what is known here may be out of date.
const STALE_AFTER: Duration = Duration::from_secs(5);
/// Beats until the log's machines are warm, and how long that may take.
const WARM_BEATS: u32 = 400;
const WARM_UP: Duration = Duration::from_secs(3);
const BEAT_PATIENCE: Duration = Duration::from_secs(10);

static AGE: LazyLock<Gauge> = LazyLock::new(|| {
    register_gauge!("counterfoil_log_contact_age_seconds", "Since the log last took a beat of this instance")
        .expect("each metric is defined once")
});

/// When the log was last heard of.
pub struct Contact {
    heard: Mutex<Instant>,
    under_way: AtomicBool,
}

impl Contact {
    /// Sends many beats, one after the other: the first thousand of a cold broker are slow, and nobody is served yet.
    /// Then one every two seconds, as long as anybody holds what is given back.
    pub fn start(log: Arc<dyn EventLog>, beat: Beat) -> std::io::Result<Arc<Self>> {
        let contact = Arc::new(Self { heard: Mutex::new(Instant::now()), under_way: AtomicBool::new(false) });
        let begun = Instant::now();
        for _ in 0..WARM_BEATS {
            let (sender, receiver) = crossbeam_channel::bounded(1);
            let ack = Box::new(move |result: Result<(), event_log::AppendError>| {
                let _ = sender.send(result.is_ok());
            });
            let sent = log.append(vec![beat_record(&beat)], ack).is_ok();
            if !sent || !receiver.recv_timeout(BEAT_PATIENCE).unwrap_or(false) || begun.elapsed() > WARM_UP {
                break;
            }
            *contact.heard.lock() = Instant::now();
        }
        let weak = Arc::downgrade(&contact);
        std::thread::Builder::new().name("beat".into()).spawn(move || {
            while let Some(contact) = weak.upgrade() {
                AGE.set(contact.heard.lock().elapsed().as_secs_f64());
                contact.beat(log.as_ref(), &beat);
                drop(contact);
                std::thread::sleep(BEAT_EVERY);
            }
        })?;
        Ok(contact)
    }

    fn beat(self: &Arc<Self>, log: &dyn EventLog, beat: &Beat) {
        if self.under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        let contact = self.clone();
        let sent = Instant::now();
        let ack = Box::new(move |result: Result<(), event_log::AppendError>| {
            if result.is_ok() {
                *contact.heard.lock() = sent;
            }
            contact.under_way.store(false, Ordering::Release);
        });
        if log.append(vec![beat_record(beat)], ack).is_err() {
            self.under_way.store(false, Ordering::Release);
        }
    }

    /// For how long nothing was heard of the log, where that is longer than it should be.
    pub fn stale(&self) -> Option<Duration> {
        let age = self.heard.lock().elapsed();
        (age > STALE_AFTER).then_some(age)
    }
}
