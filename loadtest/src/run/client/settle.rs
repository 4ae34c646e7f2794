//! Sends a request until its outcome is known: what is not is repeated under the same key.

use std::time::Duration;

use super::super::action::Trouble;
use super::{Client, Out};
use crate::wire::{Request, Wire};

/// Pauses between repeats: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How an attempt ended.
enum Attempt {
    Answered(u16),
    /// It may have happened. The code names why; empty where the client wanted it so.
    Unknown(&'static str),
}

impl Client {
    /// Opens the connection if it is not.
    pub(in crate::run) async fn connect(&mut self) {
        if !self.wire.as_ref().is_some_and(Wire::is_open) {
            self.wire = Wire::connect(self.run.load.address).await.ok();
        }
    }

    /// Repeats it until the answer is definite; gives back the status and how long it took since it was due.
    pub(super) async fn settle(&mut self, out: &Out) -> Option<(u16, Duration)> {
        self.run.record.borrow_mut().sent(out.warm_up);
        let settled = self.attempts(out).await;
        self.run.record.borrow_mut().over();
        settled
    }

    async fn attempts(&mut self, out: &Out) -> Option<(u16, Duration)> {
        let why = match self.attempt(out, out.trouble).await {
            Attempt::Answered(status) => return Some((status, self.run.now().saturating_sub(out.due))),
            Attempt::Unknown(why) => why,
        };
        {
            let mut book = self.run.book.borrow_mut();
            book.was_unknown += 1;
            if !out.key.is_empty() {
                book.unknown.insert(out.key.clone(), out.open);
            }
        }
        if !why.is_empty() {
            let took = self.run.now().saturating_sub(out.due);
            self.seen(out, 0, why, false, Some(took));
        }
        if out.key.is_empty() {
            return None;
        }
        let (begun, mut pause) = (self.run.now(), FIRST_PAUSE);
        let patience = Duration::from_millis(self.run.load.workload.patience_ms);
        while self.run.now().saturating_sub(begun) < patience {
            let due = self.run.now();
            if let Attempt::Answered(status) = self.attempt(out, Trouble::None).await
                && !matches!(status, 429 | 500 | 502 | 503 | 504)
            {
                self.run.book.borrow_mut().unknown.remove(&out.key);
                return Some((status, self.run.now().saturating_sub(due)));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        None
    }

    async fn attempt(&mut self, out: &Out, trouble: Trouble) -> Attempt {
        self.connect().await;
        let Some(mut wire) = self.wire.take() else { return Attempt::Unknown("connection_refused") };
        let workload = &self.run.load.workload;
        let limit = match trouble {
            Trouble::TimeOut => workload.behaviour.time_out_after_ms.max(1),
            _ => workload.timeout_ms,
        };
        let request = Request { method: out.method, path: &out.path, key: &out.key, body: out.body.as_bytes() };
        let credentials = &self.run.load.shop.credentials;
        if trouble == Trouble::LostAnswer {
            let sent = wire.send(credentials, request).await;
            return Attempt::Unknown(if sent.is_ok() { "" } else { "connection_lost" });
        }
        let exchange = async {
            wire.send(credentials, request).await?;
            let answer = wire.receive().await?;
            Ok::<_, std::io::Error>((answer.status, answer.replayed, answer.body))
        };
        match tokio::time::timeout(Duration::from_millis(limit), exchange).await {
            Ok(Ok((status, replayed, body))) => {
                self.replayed = replayed;
                self.body.clear();
                self.body.extend_from_slice(body);
                self.wire = Some(wire);
                match status {
                    503 if self.code() == "outcome_unknown" => Attempt::Unknown("outcome_unknown"),
                    500 | 502 | 504 => Attempt::Unknown("server_error"),
                    status => Attempt::Answered(status),
                }
            }
            Ok(Err(_)) => Attempt::Unknown("connection_lost"),
            Err(_) if trouble == Trouble::TimeOut => Attempt::Unknown(""),
            Err(_) => Attempt::Unknown("timed_out"),
        }
    }
}
