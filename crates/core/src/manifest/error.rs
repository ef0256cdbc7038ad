//! Why a manifest is refused.

use super::{MAX_BYTES, MAX_VALUES};
use crate::experiments::ExperimentError;
use crate::json::JsonError;
use crate::policy::PolicyError;
use thiserror::Error;

/// Why a manifest, or a file under it, was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ManifestError {
    /// Too long to be one.
    #[error("manifest.json has {0} bytes, at most {MAX_BYTES} are allowed; rebuild the bundle")]
    TooLong(usize),
    /// Not JSON of the right form.
    #[error("manifest.json: {0}; rebuild the bundle with `recsys index`")]
    Json(#[from] JsonError),
    /// Too many values to be one.
    #[error("manifest.json has {0} values, at most {MAX_VALUES} are allowed; rebuild the bundle")]
    TooManyValues(usize),
    /// A field outside its limits.
    #[error("manifest.json: {field}: expected {expected}, found {found}; rebuild the bundle")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// A rule that cannot be kept.
    #[error("manifest.json: {0}; publish a correct one with `recsys policy`")]
    Policy(#[from] PolicyError),
    /// An experiment that cannot run.
    #[error("manifest.json: {0}; publish a correct one with `recsys ab publish`")]
    Experiment(#[from] ExperimentError),
    /// A file of another length.
    #[error("{file}: expected {expected} bytes, found {found}; fetch it again or rebuild the bundle")]
    FileLength {
        /// The file.
        file: String,
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes at hand.
        found: u64,
    },
    /// A file with other content.
    #[error("{file}: expected SHA-256 {expected}, found {found}; fetch it again or rebuild the bundle")]
    FileHash {
        /// The file.
        file: String,
        /// Hash by the manifest.
        expected: String,
        /// Hash of what is at hand.
        found: String,
    },
}
