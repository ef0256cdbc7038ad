//! Where scores come from: the trees, or one feature where there is no model or no click.

use crate::features::{FEATURE_COUNT, FEATURES};
use crate::json::Shown;
use crate::session::Session;
use crate::trees::{Explainer, FormatError, Model, format};
use thiserror::Error;

/// A tree model whose inputs are exactly the columns of [`FEATURES`].
#[derive(Clone, Debug, PartialEq)]
pub struct Ranker(Model);

/// Why a model is no ranker.
#[derive(Debug, Error)]
pub enum RankerError {
    /// The bytes hold no model.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Trained on other features.
    #[error(
        "the ranker's feature {column} is {}, expected {}; train it anew with `recsys train` of this version",
        Shown::from(.found),
        Shown::from(*.expected)
    )]
    Features {
        /// First column that differs.
        column: usize,
        /// This program's feature there.
        expected: &'static str,
        /// The model's feature there.
        found: String,
    },
    /// More than one score a row.
    #[error("the ranker gives {0} scores a row, expected 1; train it with one output")]
    Classes(usize),
}

impl Ranker {
    /// Reads the compact ranker file of a bundle.
    ///
    /// # Errors
    /// No model, or one of other features or several outputs.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RankerError> {
        Self::try_from(format::from_bytes(bytes)?)
    }
}

impl TryFrom<Model> for Ranker {
    type Error = RankerError;

    fn try_from(model: Model) -> Result<Self, RankerError> {
        let names = model.feature_names();
        for (column, feature) in FEATURES.iter().enumerate() {
            let found = names.get(column).map_or("", String::as_str);
            if found != feature.name {
                return Err(RankerError::Features {
                    column,
                    expected: feature.name,
                    found: found.to_owned(),
                });
            }
        }
        if let Some(found) = names.get(FEATURE_COUNT) {
            return Err(RankerError::Features {
                column: FEATURE_COUNT,
                expected: "",
                found: found.clone(),
            });
        }
        if model.class_count() != 1 {
            return Err(RankerError::Classes(model.class_count()));
        }
        Ok(Self(model))
    }
}

/// The source of one call's scores.
#[derive(Clone, Copy)]
pub(super) enum Scorer<'a> {
    Trees(&'a Ranker),
    /// One column, and the score of a candidate for which it is missing.
    Column(usize, f32),
}

impl<'a> Scorer<'a> {
    pub(super) fn choose(session: &Session, ranker: Option<&'a Ranker>) -> Self {
        if session.clicks().is_empty() {
            return Self::Column(column("popularity_log"), 0.0);
        }
        ranker.map_or(Self::Column(column("sim_recent"), -1.0), Self::Trees)
    }

    /// What splits the scores into contributions, for a ranker with covers.
    pub(super) fn explainer(self) -> Option<Explainer<'a>> {
        match self {
            Self::Trees(Ranker(model)) => model.explainer().ok(),
            Self::Column(..) => None,
        }
    }

    /// Scores of n × [`FEATURE_COUNT`] rows.
    pub(super) fn score(self, rows: &[f32]) -> Vec<f32> {
        match self {
            Self::Trees(Ranker(model)) => {
                let mut scores = vec![0.0; rows.len() / FEATURE_COUNT];
                // Cannot fail: a ranker has FEATURE_COUNT inputs and one output.
                if model.score(rows, &mut scores).is_err() {
                    scores.fill(0.0);
                }
                scores
            }
            Self::Column(column, missing) => {
                let value = |row: &[f32]| {
                    if row[column].is_nan() {
                        missing
                    } else {
                        row[column]
                    }
                };
                rows.chunks_exact(FEATURE_COUNT).map(value).collect()
            }
        }
    }
}

/// The column of a feature of the table; a test holds that both used here exist.
fn column(name: &str) -> usize {
    FEATURES
        .iter()
        .position(|feature| feature.name == name)
        .unwrap_or(0)
}
