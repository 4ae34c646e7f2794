use coupon::command::Command;
use coupon::fold::Outcome;
use coupon::id::MerchantId;
use coupon::penalty::Ladder;
use coupon::record::GuardKind;
use coupon::rejection::Rejection;
use coupon::risk_settings::{RiskSettings, Set};
use coupon::state::Read;

use crate::shop::{MERCHANT, Shop};

fn holds(review_holds: bool, current: Option<u64>) -> Command {
    let value = RiskSettings { review_holds, ..RiskSettings::default() };
    Command::SetRiskSettings(Set { value, by: "bo".to_owned() }, current)
}

#[test]
fn settings_are_replaced_whole_and_say_who_set_them() {
    let mut shop = Shop::open();
    shop.does(&holds(true, None));
    let row = shop.rows.risk_settings(MERCHANT).expect("settings");
    assert_eq!((row.version, row.at, row.set.by.as_str()), (shop.sequence, shop.now, "bo"));
    assert!(row.set.value.review_holds);
    shop.does(&holds(false, None));
    assert!(!shop.rows.risk_settings(MERCHANT).expect("settings").set.value.review_holds);
    shop.at = MerchantId(8);
    assert_eq!(shop.refuses(&holds(true, None)), Rejection::MerchantNotFound);
}

#[test]
fn whoever_names_a_version_replaces_that_one_only() {
    let mut shop = Shop::open();
    assert_eq!(shop.refuses(&holds(true, Some(5))), Rejection::VersionConflict { current: Some(0) });
    let rival = shop.decides(&holds(false, Some(0))).expect("nothing was set");
    shop.does(&holds(true, Some(0)));
    let version = shop.sequence;
    assert_eq!(shop.fold(rival, None), Outcome::Void(GuardKind::Version));
    let current = Rejection::VersionConflict { current: Some(version as i64) };
    assert_eq!(shop.refuses(&holds(false, Some(0))), current);
    shop.does(&holds(false, Some(version)));
}

#[test]
fn the_ladder_is_replaced_in_the_same_way() {
    let mut shop = Shop::open();
    let set = |appeal_days, current| {
        let value = Ladder { appeal_days, ..Ladder::default() };
        Command::SetPenaltyLadder(Set { value, by: "bo".to_owned() }, current)
    };
    shop.does(&set(3, Some(0)));
    assert_eq!(shop.rows.penalty_ladder(MERCHANT).expect("a ladder").set.value.appeal_days, 3);
    let current = Rejection::VersionConflict { current: Some(shop.sequence as i64) };
    assert_eq!(shop.refuses(&set(4, Some(0))), current);
}
