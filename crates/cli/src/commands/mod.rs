//! One file a subcommand: each has `Args` and `run`.

pub mod demo_pairs;
pub mod demo_vectors;
pub mod demo_world;
pub mod eval;
pub mod index;
pub mod predict;
pub mod search;
pub mod tokenize;
pub mod train;
pub mod verify;
