//! recsys-core: everything that must give the same answer natively, in an edge worker and in the browser.
//!
//! Nothing here reads a file, a clock, the network or ambient randomness: callers pass bytes, `now_ms` and seeds.

pub mod aggregates;
pub mod bytes;
pub mod candidates;
pub mod catalogue;
pub mod clip;
pub mod cowatch;
pub mod envelope;
pub mod events;
pub mod experiments;
pub mod features;
pub mod items;
pub mod json;
pub mod manifest;
pub mod metrics;
pub mod milvus;
pub mod npy;
pub mod order;
pub mod policy;
pub mod privacy;
pub mod removed;
pub mod rerank;
pub mod rng;
pub mod segment;
pub mod session;
pub mod shard;
mod simd;
pub mod trees;
pub mod vector;
