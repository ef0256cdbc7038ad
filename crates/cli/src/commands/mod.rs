//! One file a subcommand: each has `Args` and `run`.

pub mod ab;
pub mod add;
pub mod compact;
pub mod demo_pairs;
pub mod demo_vectors;
pub mod demo_world;
pub mod eval;
pub mod features;
pub mod import;
pub mod index;
mod input;
pub mod key;
mod log;
pub mod milvus;
pub mod model;
pub mod policy;
pub mod predict;
pub mod privacy_audit;
pub mod publish;
mod python;
pub mod remove;
pub mod search;
mod slates;
pub mod tokenize;
pub mod train;
pub mod verify;
