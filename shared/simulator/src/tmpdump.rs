use coupon::fold::{At, Outcome};
use coupon::record::Entry;
pub fn show(at: At, e: &Entry, o: Outcome) {
    if std::env::var("DUMP").is_ok() { match e { Entry::Guarded(r) => eprintln!("D m{} seq{} t{} {o:?} req{:?} pa{} G{:?} E{:?}", r.merchant.0, at.sequence, at.time, r.request, r.proposed_at, r.guards, r.events), e => eprintln!("D sh{:?} seq{} t{} {o:?} {e:?}", at.shard, at.sequence, at.time) } }
}
