use coupon::command::Command;
use coupon::rejection::Rejection;
use coupon::ruleset::{RuleState, RuleStep, RulesMoved, RulesPushed};
use coupon::state::Read;

use crate::shop::{MERCHANT, Shop, cash};

fn push(ruleset: Option<u64>) -> Command {
    Command::PushRules(Box::new(RulesPushed {
        ruleset,
        name: "starter".to_owned(),
        text: "rule a { when hour > 3 then block }".to_owned(),
        comment: String::new(),
        by: "an".to_owned(),
    }))
}

fn step(ruleset: u64, version: u32, step: RuleStep, by: &str) -> Command {
    Command::MoveRules(Box::new(RulesMoved { ruleset, version, step, comment: String::new(), by: by.to_owned() }))
}

/// The rules are the same wherever a set lies; this shop has one shard only, its merchant's.
fn with_a_set() -> (Shop, u64) {
    let (mut shop, _) = Shop::with(cash());
    shop.does(&push(None));
    let ruleset = shop.sequence;
    (shop, ruleset)
}

#[test]
fn versions_of_a_set_are_counted_and_each_has_its_life() {
    let (mut shop, ruleset) = with_a_set();
    shop.does(&push(Some(ruleset)));
    shop.does(&step(ruleset, 2, RuleStep::Submit(RuleState::Shadow), "an"));
    shop.does(&step(ruleset, 2, RuleStep::Submit(RuleState::Live), "an"));
    let refused = shop.refuses(&step(ruleset, 2, RuleStep::Approve, "an"));
    assert_eq!(refused, Rejection::SelfApproval);
    shop.does(&step(ruleset, 2, RuleStep::Approve, "bo"));
    let row = shop.rows.ruleset(MERCHANT, ruleset).expect("a set");
    let states: Vec<_> = row.versions.iter().map(|version| version.state).collect();
    assert_eq!(states, [RuleState::Draft, RuleState::Live]);
}

#[test]
fn what_is_not_there_or_not_possible_is_refused() {
    let (shop, ruleset) = with_a_set();
    assert_eq!(shop.refuses(&push(Some(ruleset + 1))), Rejection::RuleSetNotFound);
    assert_eq!(shop.refuses(&step(ruleset, 2, RuleStep::Approve, "bo")), Rejection::RuleSetNotFound);
    let not_pending = Rejection::RuleSetNotPending(RuleState::Draft);
    assert_eq!(shop.refuses(&step(ruleset, 1, RuleStep::Approve, "bo")), not_pending);
    assert_eq!(shop.refuses(&step(ruleset, 1, RuleStep::RollBack(1), "bo")), not_pending);
}
