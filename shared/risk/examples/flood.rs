//! Ten million devices that come once, at a table with room for a hundred thousand counts: the table stays bounded, and who
//! comes again is still counted rightly. `cargo run --release -p risk --example flood`

use std::error::Error;
use std::io::Write;

use risk::feature::{Asked, Feature, Field, Happening, Key, Measure, Observation, Plan, Subject, Table};

const ROOM: usize = 100_000;
const DEVICES: u64 = 10_000_000;
const HONEST: u64 = 10_000;
const NOW_MS: i64 = 1_764_000_000_000;

fn claim(device: u64, at_ms: i64) -> Observation {
    let subject = Subject::default()
        .with(Field::Merchant, Some([1; 16]))
        .with(Field::Device, Some(u128::from(device).to_le_bytes()));
    Observation { happening: Happening::Claim, at_ms, subject, amount: 0, place: None }
}

fn main() -> Result<(), Box<dyn Error>> {
    let key = Key::new(&[Field::Device]).ok_or("a key")?;
    let mut plan = Plan::default();
    let claims = Feature { measure: Measure::Count(Happening::Claim), key, window_seconds: 86_400 };
    plan.add(claims).ok_or("a window")?;
    let mut table = Table::new(ROOM);
    // Honest devices came twice; a flood follows over an hour, in which each comes a third time.
    for n in 0..2 * HONEST {
        table.observe(&plan, &claim(n % HONEST, NOW_MS));
    }
    let (mut most, mut wrong) = (0, 0);
    for n in 0..DEVICES {
        let at_ms = NOW_MS + (n * 3_600_000 / DEVICES) as i64;
        table.observe(&plan, &claim(HONEST + n, at_ms));
        most = most.max(table.len());
        if n % (DEVICES / HONEST) == 0 {
            let back = claim(n / (DEVICES / HONEST), at_ms);
            let asked = Asked { subject: &back.subject, at_ms, now_ms: at_ms, place: None };
            wrong += u64::from(table.values(&plan, &asked).first().is_none_or(|count| (count - 2.0).abs() > 0.0));
            table.observe(&plan, &back);
            // As the writer does once a second.
            table.take_changed();
        }
    }
    let evicted = table.evicted();
    let said = format!("counts at most {most} of {ROOM}, let go {evicted}, honest ones counted wrongly {wrong}");
    writeln!(std::io::stdout(), "{said}")?;
    if most > ROOM || wrong > 0 { Err("the flood drove somebody out".into()) } else { Ok(()) }
}
