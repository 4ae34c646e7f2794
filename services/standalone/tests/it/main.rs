//! The product end to end: the real binary on a free port, over HTTP, killed and started again.

mod crash;
mod document;
mod drain;
mod exact;
mod life;
mod past;
mod races;
mod rehearsals;
mod risk;
mod support;
mod wrong_input;
