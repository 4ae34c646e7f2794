//! One test per rule: given what happened, when somebody asks for something, then this is what comes of it.

mod claims;
mod codes;
mod locks;
mod redemptions;
mod rehearsals;
mod requests;
mod reversals;
mod rulesets;
mod shop;
mod stocks;
