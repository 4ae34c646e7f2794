//! The product end to end: the real binary on a free port, over HTTP, killed and started again.

mod cases;
mod challenges;
mod crash;
mod decisions;
mod document;
mod drain;
mod exact;
mod labels;
mod life;
mod lists;
mod models;
mod past;
mod penalties;
mod races;
mod rehearsals;
mod review;
mod risk;
mod risk_settings;
mod support;
mod wrong_input;
