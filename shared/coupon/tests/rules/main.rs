//! One test per rule: given what happened, when somebody asks for something, then this is what comes of it.

mod appeals;
mod audit;
mod cases;
mod challenges;
mod claims;
mod codes;
mod kept;
mod labels;
mod locks;
mod penalties;
mod redemptions;
mod rehearsals;
mod requests;
mod reversals;
mod review;
mod risk_settings;
mod rulesets;
mod shop;
mod snoozes;
mod stocks;
mod users;
