//! The rules of coupons, pure: what may happen (`decide`), and what a record of the ledger does (`fold`).
//!
//! Architecture invariant: nothing here does I/O, reads a clock or draws a random number. Time, randomness and
//! state are passed in; effects are returned. `fold` is total and means the same on every replica for ever.

pub mod appeal;
pub mod audit;
pub mod breaker;
pub mod calendar;
pub mod case;
pub mod challenge;
pub mod code;
pub mod command;
pub mod decide;
pub mod decision;
pub mod event;
pub mod fold;
pub mod hash;
pub mod history;
pub mod id;
pub mod label;
pub mod list;
pub mod money;
pub mod order;
pub mod penalty;
pub mod pricing;
pub mod record;
pub mod rejection;
pub mod risk_settings;
pub mod ruleset;
pub mod secret;
pub mod snooze;
pub mod state;
pub mod subject;
pub mod terms;
pub mod user;
