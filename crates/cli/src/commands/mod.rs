//! One file a subcommand: each has `Args` and `run`.

pub mod demo_pairs;
pub mod index;
pub mod search;
pub mod tokenize;
pub mod verify;
