//! The ranking model's inputs: one table, filled the same way in training and in serving.
//!
//! [`FEATURES`] is the table: a feature's name, unit, range, the meaning of missing, and how it is computed.
//! [`Matrix::fill`] turns a viewer's session and n candidates into an n × [`FEATURE_COUNT`] row-major f32 matrix, in
//! which NaN is missing. Arithmetic runs in a fixed order, and logarithms come from the `libm` crate, so the matrix is
//! the same bit for bit natively and in WebAssembly.
//!
//! The viewer's id is no feature, and neither is a position on the page: both are unknown or meaningless at serving.

mod candidate;
mod columns;
mod cowatch;
mod declared;
mod statistics;
mod table;
mod tags;
mod viewer;

use crate::catalogue::{ItemFacts, ItemId};
use crate::session::Session;
use candidate::Pair;
pub use columns::{FEATURE_COUNT, FEATURES};
pub use declared::{AgeBand, AgeBandError, DeclaredError, Device, Gender, UserFeatures};
pub use statistics::{ItemStatistics, POPULARITY_HALF_LIFE_DAYS};
pub use table::{Feature, Stage, markdown};
use thiserror::Error;
use viewer::Viewer;

/// A video that may be recommended.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its id.
    pub item: &'a ItemId,
    /// Its facts, in the codes of the same bundle as the session's.
    pub facts: &'a ItemFacts,
    /// Its card: a JSON object with its title (`name`), `creator` and `category`, for matching the words of a search.
    pub card: &'a str,
    /// Its embedding as the shard gives it: unit length but for the shard's rounding.
    pub vector: &'a [f32],
}

/// A candidate whose vector does not fit the session's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "candidate {item} has a vector of {found} dimensions, but the viewer's clicks have {expected}; \
     load both from one bundle"
)]
pub struct DimensionError {
    /// The candidate.
    pub item: ItemId,
    /// Dimensions of the viewer's clicks, or of the first candidate where there is none.
    pub expected: usize,
    /// Dimensions of this candidate.
    pub found: usize,
}

/// Features of n candidates: n × [`FEATURE_COUNT`], row-major, NaN is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    values: Vec<f32>,
}

impl Matrix {
    /// Computes every feature of every candidate as of `now_ms` (milliseconds since 1970-01-01 UTC).
    ///
    /// # Errors
    /// A candidate's vector has another dimension than the session's, or than the first candidate's.
    pub fn fill(
        session: &Session,
        user: &UserFeatures,
        now_ms: i64,
        candidates: &[Candidate<'_>],
    ) -> Result<Self, DimensionError> {
        check_dimensions(session, candidates)?;
        let viewer = Viewer::new(session, user, now_ms);
        let mut values = Vec::with_capacity(candidates.len().saturating_mul(FEATURE_COUNT));
        for candidate in candidates {
            let pair = Pair::new(&viewer, candidate);
            values.extend(FEATURES.iter().map(|feature| feature.value(&viewer, &pair)));
        }
        Ok(Self { values })
    }

    /// All values, row-major.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Candidates in the matrix.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / FEATURE_COUNT
    }

    /// One candidate's features; `None` past the last.
    #[must_use]
    pub fn row(&self, index: usize) -> Option<&[f32]> {
        self.values.chunks_exact(FEATURE_COUNT).nth(index)
    }
}

/// Checks that all vectors have one dimension.
pub(crate) fn check_dimensions(
    session: &Session,
    candidates: &[Candidate<'_>],
) -> Result<(), DimensionError> {
    let Some(expected) = session
        .dim()
        .or_else(|| candidates.first().map(|first| first.vector.len()))
    else {
        return Ok(());
    };
    match candidates
        .iter()
        .find(|candidate| candidate.vector.len() != expected)
    {
        Some(odd) => Err(DimensionError {
            item: odd.item.clone(),
            expected,
            found: odd.vector.len(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
