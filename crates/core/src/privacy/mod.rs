//! What may leave the viewer's browser: one file a mode, each with its claim and the exact bytes behind it.

pub mod bucket;
mod clusters;
pub mod history;
pub mod local;
mod memo;
pub mod noised;
mod random;
pub mod standard;

pub use clusters::{Clusters, common_files, epoch};
pub use memo::Memo;
pub use random::{Random, weighted};

use crate::json::Shown;
use std::str::FromStr;
use thiserror::Error;

/// Length of an epoch where the page says nothing: a week, in milliseconds.
pub const EPOCH_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// A privacy mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The mean vector of the recent clicks is sent; see [`standard`].
    #[default]
    Standard,
    /// The clicks are kept by the server; see [`history`].
    History,
    /// The number of one cluster is sent, by randomised response; see [`noised`].
    Noised,
    /// Whole clusters are fetched, the true one among dummies; see [`bucket`].
    Bucket,
    /// Nothing of the viewer is sent; see [`local`].
    Local,
}

/// Text that names no mode.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{} is no privacy mode; expected {NAMES}", Shown::from(.0))]
pub struct ModeError(String);

/// What names a mode.
pub const NAMES: &str = "\"history\", \"standard\", \"noised\", \"bucket\" or \"local\"";

impl Mode {
    /// Every mode, the strictest last.
    pub const ALL: [Self; 5] = [
        Self::History,
        Self::Standard,
        Self::Noised,
        Self::Bucket,
        Self::Local,
    ];

    /// The name in options, reports and addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::History => "history",
            Self::Noised => "noised",
            Self::Bucket => "bucket",
            Self::Local => "local",
        }
    }

    /// Whether candidates are searched for in the browser.
    #[must_use]
    pub const fn searches_here(self) -> bool {
        !matches!(self, Self::History | Self::Standard)
    }

    /// What the mode promises the viewer, and what it does not.
    #[must_use]
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Standard => standard::CLAIM,
            Self::History => history::CLAIM,
            Self::Noised => noised::CLAIM,
            Self::Bucket => bucket::CLAIM,
            Self::Local => local::CLAIM,
        }
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(name: &str) -> Result<Self, ModeError> {
        let mode = Self::ALL.into_iter().find(|mode| mode.name() == name);
        mode.ok_or_else(|| ModeError(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for mode in Mode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode));
        }
        for bad in ["", "Standard", "local ", "stealth"] {
            assert!(bad.parse::<Mode>().is_err(), "{bad:?}");
        }
    }
}
