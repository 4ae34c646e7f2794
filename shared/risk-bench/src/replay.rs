//! Happenings of the past through the code of production: asked about, then counted; labels come when their delay is over.

use std::collections::VecDeque;

use risk::feature::{Asked, Field, Happening, LABEL_DELAY_SECONDS, Labelled, Observation, Plan, Subject, Table};
use risk::model::{InputValues, Inputs};
use risk::rules::Facts;
use xxhash_rust::xxh3::xxh3_128;

use crate::failure::Result;

/// Counts that are kept; neither dataset comes near.
const MOST_COUNTS: usize = 20_000_000;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub happening: Happening,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// With whom and what.
    pub subject: Subject,
    /// The order's amount, minor units; 0 of a claim.
    pub amount: i64,
}

/// One merchant's counts as they stand at a moment.
pub struct Replay {
    plan: Plan,
    inputs: Inputs,
    table: Table,
    /// Labels by when they are known.
    waiting: VecDeque<(i64, Labelled)>,
}

impl Replay {
    /// Before anything happened.
    pub fn new(inputs: &[String]) -> Result<Self> {
        let mut plan = Plan::default();
        let inputs = Inputs::compile(inputs, &mut plan)?;
        Ok(Self { plan, inputs, table: Table::new(MOST_COUNTS), waiting: VecDeque::new() })
    }

    /// What a model would see if it were asked about this now, before it is counted. Events come in their order.
    pub fn ask(&mut self, event: &Event) -> InputValues {
        self.learn(event.at_ms);
        let Event { happening, at_ms, subject, amount } = event;
        let asked = Asked { subject, at_ms: *at_ms, now_ms: *at_ms, place: None };
        let values = self.table.values(&self.plan, &asked);
        let days = at_ms.div_euclid(86_400_000);
        let facts = Facts {
            amount: *amount as f64,
            hour: (at_ms.rem_euclid(86_400_000) / 3_600_000) as f64,
            // 1970 began on a Thursday.
            weekday: ((days + 3).rem_euclid(7) + 1) as f64,
            ..Facts::new(&values, subject, happening.name())
        };
        self.inputs.values(&facts)
    }

    /// It happened. That it was fraud is known when the delay of labels is over.
    pub fn happened(&mut self, event: &Event, fraud: bool) {
        self.learn(event.at_ms);
        let Event { happening, at_ms, subject, amount } = event.clone();
        self.table.observe(&self.plan, &Observation { happening, at_ms, subject, amount, place: None });
        if fraud {
            let known_at_ms = at_ms + i64::from(LABEL_DELAY_SECONDS) * 1_000;
            self.waiting.push_back((known_at_ms, Labelled { subject, event_at_ms: at_ms, fraud: 1 }));
        }
    }

    fn learn(&mut self, at_ms: i64) {
        while let Some((_, labelled)) = self.waiting.pop_front_if(|(known_at_ms, _)| *known_at_ms <= at_ms) {
            self.table.label(&self.plan, &labelled);
        }
    }
}

/// Of the one merchant, with these fields.
pub fn subject<'a>(fields: impl IntoIterator<Item = (Field, &'a str)>) -> Subject {
    let merchant = Subject::default().with(Field::Merchant, Some([1; 16]));
    fields
        .into_iter()
        .fold(merchant, |subject, (field, value)| subject.with(field, Some(xxh3_128(value.as_bytes()).to_le_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn redemption(at_ms: i64) -> Event {
        let subject = subject([(Field::User, "7"), (Field::Store, "9")]);
        Event { happening: Happening::Redemption, at_ms, subject, amount: 500 }
    }

    #[test]
    fn nothing_of_its_own_future_is_seen() {
        let inputs = ["count(redemption by user, 24h)", "frauds(store, 28d)", "amount", "hour", "weekday"];
        let mut replay = Replay::new(&inputs.map(str::to_owned)).expect("inputs");
        // 2018-07-25 was a Wednesday.
        let start = 17_737 * DAY_MS + 5 * 3_600_000;
        assert_eq!(replay.ask(&redemption(start))[..], [0.0, 0.0, 500.0, 5.0, 3.0]);
        replay.happened(&redemption(start), true);
        assert_eq!(replay.ask(&redemption(start))[..2], [1.0, 0.0]);
        let before_the_label = start + 7 * DAY_MS - 1;
        assert_eq!(replay.ask(&redemption(before_the_label))[1].to_bits(), 0_f64.to_bits());
        assert_eq!(replay.ask(&redemption(start + 7 * DAY_MS))[1].to_bits(), 1_f64.to_bits());
    }
}
