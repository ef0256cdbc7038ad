//! A shard.
