//! Files of a bundle for tests and for fuzzing: small valid ones, and what must hold for every one that a reader opens.

pub mod holds;
pub mod small;
