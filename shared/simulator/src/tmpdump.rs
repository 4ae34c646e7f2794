use projection::codec::{self, Decoded};
use event_log::{EventLog, Topic};
pub fn dump(w: &crate::world::World, n: usize) {
    for p in 0..2 {
        let all = w.log.read(Topic::Ledger, p, 0, usize::MAX).unwrap();
        for s in all.iter().rev().take(n) {
            if let Ok((h, Decoded::Entry(e))) = codec::decode(&s.bytes) { eprintln!("p{p} sh{} t{} {e:?}", h.shard, s.append_time_ms); }
        }
    }
}
