//! Which policy a viewer gets, and how to tell whether it helps.
//!
//! | module | does |
//! | --- | --- |
//! | [`assign`] | a viewer's arm, from a key that never leaves the browser |
//! | [`treatment`] | the rules that follow from a viewer's arms |
//! | [`interleave`] | two rankings in one list, and which of them the clicks favour |
//! | `stats` (feature `statistics`) | how many viewers a test needs, and what its counts say, however often one looks |
//! | [`offpolicy`] | what a ranking would have earned, from the log of another |

pub mod assign;
pub mod interleave;
pub mod offpolicy;
#[cfg(feature = "statistics")]
pub mod stats;
pub mod treatment;

pub use assign::{Arm, Experiment, ExperimentError, LocalKey};
pub use treatment::{Contest, Treatment};
