//! Why one candidate stands where it stands, in words.

use super::scorer::{Ranker, Scorer};
use crate::features::{
    Candidate, DimensionError, FEATURE_COUNT, FEATURES, Feature, Matrix, Stage, UserFeatures,
};
use crate::order::descending;
use crate::session::Session;
use crate::trees::Explainer;
use crate::vector::dot;

/// Reasons given at most.
const MAX_REASONS: usize = 3;

/// The click that a candidate resembles most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Because {
    /// Index into [`Session::clicks`].
    pub click: usize,
    /// Cosine.
    pub similarity: f32,
}

/// A feature that lifts a candidate above what is typical of the page.
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// The feature.
    pub feature: &'static Feature,
    /// The candidate's value.
    pub value: f32,
    /// The median over all candidates that have one.
    pub typical: f32,
    /// How much of the score the value earns, compared with what is typical; above 0. With [`Contributions`] the
    /// feature's contribution less its mean over all candidates; without, what the score would lose if the value
    /// were the typical one.
    pub effect: f32,
}

impl Reason {
    /// The reason in words, such as "popular now".
    #[must_use]
    pub fn words(&self) -> &'static str {
        words(self.feature, self.value, self.typical)
    }
}

fn words(feature: &Feature, value: f32, typical: f32) -> &'static str {
    if value > typical {
        feature.high
    } else {
        feature.low
    }
}

/// One feature's part of a candidate's score.
#[derive(Clone, Copy, Debug)]
pub struct Contribution {
    /// The feature.
    pub feature: &'static Feature,
    /// The candidate's value; NaN where it is missing.
    pub value: f32,
    /// The median over all candidates that have a value; NaN where none has.
    pub typical_value: f32,
    /// What the feature adds to the score: its Shapley value, in units of the ranker's margin.
    pub contribution: f32,
    /// The mean of what it adds over all candidates.
    pub typical: f32,
}

impl Contribution {
    /// What the feature adds beyond what it adds to a typical candidate.
    #[must_use]
    pub fn effect(&self) -> f32 {
        self.contribution - self.typical
    }

    /// The value in words, such as "popular now"; `None` where it is missing or the typical one.
    #[must_use]
    pub fn words(&self) -> Option<&'static str> {
        let known = !self.value.is_nan() && self.value != self.typical_value;
        known.then(|| words(self.feature, self.value, self.typical_value))
    }
}

/// A candidate's score, split exactly: `expected` and all contributions add up to it, and all effects to what it is
/// above the mean score of the candidates.
#[derive(Clone, Debug)]
pub struct Contributions {
    /// The mean score over the ranker's training data.
    pub expected: f32,
    /// One a feature, those with the strongest effect of either sign first.
    pub features: Vec<Contribution>,
}

/// Why one candidate stands where it stands.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The nearest click; `None` for a viewer with no clicks.
    pub because: Option<Because>,
    /// What sets the candidate apart, the strongest first, at most three.
    pub reasons: Vec<Reason>,
    /// Where a ranker with covers scored; `None` for other rankers, and for similarity and popularity.
    pub contributions: Option<Contributions>,
}

impl Explanation {
    /// One sentence. `watched` is the name of the nearest click's item, where it is known.
    #[must_use]
    pub fn sentence(&self, watched: Option<&str>) -> String {
        let reasons = self
            .reasons
            .iter()
            .map(Reason::words)
            .collect::<Vec<_>>()
            .join(", ");
        let text = match (self.because.and(watched), reasons.as_str()) {
            (Some(name), "") => format!("Because you watched “{name}”"),
            (Some(name), reasons) => format!("Because you watched “{name}”: {reasons}"),
            (None, "") => "Chosen among what is available".to_owned(),
            (None, reasons) => capitalised(reasons),
        };
        text + "."
    }
}

/// Explains the score of `candidates[index]`; `None` past the last candidate.
///
/// A ranker with covers is explained by its exact [`Contributions`]; a reason is then a feature that adds more to this
/// candidate than to a typical one. Without covers, a feature's effect is what the score loses when that feature alone
/// takes the median of the candidates. This too is exact for the scorer in use (the trees, or similarity, or
/// popularity), but it does not add up to the score: two features that say the same can each have no effect alone.
///
/// # Errors
/// A candidate's vector has another dimension than the session's or the first candidate's.
pub fn explain(
    session: &Session,
    user: &UserFeatures,
    now_ms: i64,
    candidates: &[Candidate<'_>],
    ranker: Option<&Ranker>,
    index: usize,
) -> Result<Option<Explanation>, DimensionError> {
    let matrix = Matrix::fill(session, user, now_ms, candidates)?;
    let (Some(candidate), Some(row)) = (candidates.get(index), matrix.row(index)) else {
        return Ok(None);
    };
    let because = nearest_click(session, candidate.vector);
    let scorer = Scorer::choose(session, ranker);
    let explainer = scorer.explainer();
    let contributions = explainer.and_then(|explainer| contributions(&matrix, row, &explainer));
    let reasons = match &contributions {
        Some(contributions) => reasons_of(contributions),
        None => reasons(&matrix, row, scorer),
    };
    Ok(Some(Explanation {
        because,
        reasons,
        contributions,
    }))
}

/// `None` cannot be: a ranker has [`FEATURE_COUNT`] inputs and one output.
fn contributions(matrix: &Matrix, row: &[f32], explainer: &Explainer<'_>) -> Option<Contributions> {
    let mut out = [0.0; FEATURE_COUNT + 1];
    let mut typical = [0.0; FEATURE_COUNT];
    for row in matrix.values().chunks_exact(FEATURE_COUNT) {
        explainer.contributions(row, &mut out).ok()?;
        typical.iter_mut().zip(&out).for_each(|(sum, part)| *sum += part);
    }
    explainer.contributions(row, &mut out).ok()?;
    let one = |(column, feature): (usize, &'static Feature)| Contribution {
        feature,
        value: row[column],
        typical_value: median(matrix, column).unwrap_or(f32::NAN),
        contribution: out[column] as f32,
        typical: (typical[column] / matrix.rows() as f64) as f32,
    };
    let features: Vec<Contribution> = FEATURES.iter().enumerate().map(one).collect();
    let features = by_falling(features, |contribution| contribution.effect().abs());
    Some(Contributions {
        expected: out[FEATURE_COUNT] as f32,
        features,
    })
}

/// What is the same for all candidates is no reason for one of them.
fn reasons_of(contributions: &Contributions) -> Vec<Reason> {
    let own = contributions
        .features
        .iter()
        .filter(|c| c.feature.stage != Stage::Request);
    let reason = |c: &Contribution| {
        c.words().map(|_| Reason {
            feature: c.feature,
            value: c.value,
            typical: c.typical_value,
            effect: c.effect(),
        })
    };
    strongest(own.filter_map(reason).collect())
}

/// Of equally near clicks the newest.
fn nearest_click(session: &Session, vector: &[f32]) -> Option<Because> {
    let similar = session.clicks().iter().enumerate();
    similar
        .map(|(click, c)| Because {
            click,
            similarity: dot(c.vector.as_slice(), vector),
        })
        .max_by(|a, b| a.similarity.total_cmp(&b.similarity))
}

fn reasons(matrix: &Matrix, row: &[f32], scorer: Scorer<'_>) -> Vec<Reason> {
    let own = |&(_, feature): &(usize, &'static Feature)| feature.stage != Stage::Request;
    let columns = FEATURES.iter().enumerate().filter(own);
    let mut changed: Vec<Reason> = Vec::new();
    // The row itself, then one row for each changed feature.
    let mut rows = row.to_vec();
    for (column, feature) in columns {
        let Some(typical) = median(matrix, column) else {
            continue;
        };
        let value = row[column];
        if value.is_nan() || value == typical {
            continue;
        }
        let start = rows.len();
        rows.extend_from_slice(row);
        rows[start + column] = typical;
        changed.push(Reason {
            feature,
            value,
            typical,
            effect: 0.0,
        });
    }
    let scores = scorer.score(&rows);
    for (reason, score) in changed.iter_mut().zip(&scores[1..]) {
        reason.effect = scores[0] - score;
    }
    strongest(changed)
}

/// The positive effects, strongest first; one for each wording.
fn strongest(mut reasons: Vec<Reason>) -> Vec<Reason> {
    reasons.retain(|reason| reason.effect > 0.0);
    let mut kept: Vec<Reason> = Vec::with_capacity(MAX_REASONS);
    for reason in by_falling(reasons, |reason| reason.effect) {
        if kept.len() < MAX_REASONS && kept.iter().all(|other| other.words() != reason.words()) {
            kept.push(reason);
        }
    }
    kept
}

/// Sorted by falling key; equal keys keep their order.
fn by_falling<T: Copy>(list: Vec<T>, key: impl Fn(&T) -> f32) -> Vec<T> {
    let keys: Vec<f32> = list.iter().map(key).collect();
    let order = descending(&keys).into_iter();
    order.filter_map(|index| list.get(index).copied()).collect()
}

/// The lower median of a column's known values.
fn median(matrix: &Matrix, column: usize) -> Option<f32> {
    let values = matrix.values().chunks_exact(FEATURE_COUNT).map(|row| row[column]);
    let known: Vec<f32> = values.filter(|value| !value.is_nan()).collect();
    let falling = descending(&known);
    known.get(*falling.get(known.len() / 2)?).copied()
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
