//! What was: told again from the records of a story, which stand in the log.

use coupon::fold::At;
use coupon::history;
use coupon::id::{LedgerRef, MerchantId, Sequence, StockId};
use coupon::record::{Entry, Record};
use coupon::state::{Read, Stock};
use coupon::terms::Millis;
use http_api::problem::{Code, Problem};
use http_api::time::parse_ms;

use crate::backend::Backend;

/// Up to where a past state is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// The record with this reference is the last that counts.
    Reference(LedgerRef),
    /// The last moment that counts.
    Time(Millis),
}

impl AsOf {
    /// Reads `?as_of=`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if let Ok(reference) = text.parse() {
            return Ok(Self::Reference(reference));
        }
        parse_ms(text).map(Self::Time).ok_or_else(|| {
            let detail = "/query/as_of must be a ledger_ref or a time as RFC 3339 has it.";
            Problem::new(Code::InvalidField, detail).pointer("/query/as_of")
        })
    }

    /// Whether a record counts.
    pub fn reaches(self, at: At) -> bool {
        match self {
            Self::Reference(reference) => at.sequence <= reference.0,
            Self::Time(time) => at.time <= time,
        }
    }
}

impl Backend {
    /// The records of a story, newest first, from its last on; each says which was before it.
    pub async fn story(
        &self,
        merchant: MerchantId,
        last: Sequence,
        previous: impl Fn(&Record) -> Option<Sequence>,
    ) -> Result<Vec<(At, Record)>, Problem> {
        let mut story = Vec::new();
        let mut next = Some(last);
        while let Some(sequence) = next {
            let found = self.ledger.record(merchant.shard(), sequence).await.map_err(Problem::internal)?;
            let Some((at, Entry::Guarded(record))) = found else {
                return Err(Problem::new(Code::LogUnavailable, "The story cannot be read from the log now."));
            };
            next = previous(&record);
            story.push((at, record));
        }
        Ok(story)
    }

    /// When it was, on the log's clock, as of then; never later than now.
    pub async fn moment(&self, merchant: MerchantId, as_of: AsOf) -> Result<Millis, Problem> {
        self.look(merchant, move |shard, _, now| match as_of {
            AsOf::Time(time) => time.min(now),
            AsOf::Reference(reference) => shard.positions().get(reference.0).map_or(now, |(_, time)| time),
        })
        .await
    }

    /// A stock as it is.
    pub async fn stock(&self, id: StockId) -> Result<std::sync::Arc<Stock>, Problem> {
        let row = self.look(id.merchant, move |shard, _, _| shard.stock(id.merchant, id.number).cloned()).await?;
        row.ok_or_else(|| Problem::of(Code::StockNotFound))
    }

    /// A stock as it was; `None` before it was made.
    pub async fn stock_as_of(&self, id: StockId, as_of: AsOf) -> Result<Option<Stock>, Problem> {
        let last = self.stock(id).await?.version;
        let story = self.story(id.merchant, last, |record| history::previous_of_stock(record, id.number)).await?;
        let reached = story.iter().rev().filter(|(at, _)| as_of.reaches(*at));
        Ok(reached.fold(None, |stock, (at, record)| history::stock_after(stock, record, *at)))
    }
}
