//! Penalties, appeals and settings of risk.

use coupon::appeal::{About, AppealMade, AppealResolved, AppealRow, AppealStep, Resolution};
use coupon::breaker::BreakerReset;
use coupon::event::Event;
use coupon::penalty::{Act, Imposed, Ladder, Moved, PenaltyRow, PenaltyStep, Rung, Said, Sanction};
use coupon::risk_settings::{RiskSettings, Set};

use super::NOON;

pub(super) fn samples() -> Vec<Event> {
    let (an, bo) = ("cfk_live_an".to_owned(), "cfk_live_bo".to_owned());
    let imposed = Imposed {
        violation: "false_advertising".to_owned(),
        offence: 2,
        sanction: Sanction::Ban,
        duration_seconds: Some(2_592_000),
        evidence: vec!["\"截图\"".to_owned()],
        by: an.clone(),
    };
    let penalty = PenaltyRow {
        version: 601,
        imposed: imposed.clone(),
        created_at: NOON,
        active_since: Some(NOON + 1),
        approved: Some(Said { at: NOON + 1, by: bo.clone(), reason: "seen".to_owned() }),
        ends_at: Some(NOON + 2_592_000_001),
        lifted: Some(Said { at: NOON + 2, by: bo.clone(), reason: "corrected".to_owned() }),
    };
    let act = Act::Lift("corrected".to_owned());
    let moved = Moved { penalty: 600, was: penalty.clone(), act, by: bo.clone() };
    let made = AppealMade {
        about: About::Penalty(600),
        violation: Some("false_advertising".to_owned()),
        statement: "我们已改正".to_owned(),
        evidence: vec!["\"https://example.com\"".to_owned()],
        due_days: 7,
        by: "cfk_live_admin".to_owned(),
    };
    let resolution = Resolution { granted: true, reason: "corrected".to_owned(), by: bo };
    let resolved = AppealResolved {
        appeal: 610,
        was: AppealRow {
            version: 610,
            number: 610,
            made: made.clone(),
            created_at: NOON,
            resolved: Some((resolution.clone(), NOON + 3)),
        },
        penalty: Some(penalty),
        resolution,
    };
    vec![
        Event::Penalty(Box::new(PenaltyStep::Imposed(imposed))),
        Event::Penalty(Box::new(PenaltyStep::Moved(Box::new(moved)))),
        Event::Appeal(Box::new(AppealStep::Made(made))),
        Event::Appeal(Box::new(AppealStep::Resolved(Box::new(resolved)))),
    ]
}

pub(super) fn settings() -> Vec<Event> {
    let settings = RiskSettings {
        abnormal_share_bp: 500,
        minimum_volume: 1_000,
        degraded_value_limit: 10_000,
        device_per_second: Some(1),
        device_burst: Some(5),
        ip_per_second: Some(20),
        ip_burst: Some(100),
        review_holds: true,
    };
    let rung =
        Rung { violation: "cash_out".to_owned(), offence: 2, sanction: Sanction::Permanent, duration_seconds: Some(1) };
    let ladder = Ladder { rungs: vec![rung], appeal_days: 7 };
    let by = "cfk_live_an".to_owned();
    vec![
        Event::RiskSettingsSet(Box::new(Set { value: settings, by: by.clone() })),
        Event::PenaltyLadderSet(Box::new(Set { value: ladder, by: by.clone() })),
        Event::BreakerReset(Box::new(BreakerReset { by, reason: "演练".to_owned() })),
    ]
}
