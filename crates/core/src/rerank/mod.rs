//! Ranking one page: features, scores, policy.

mod explain;
mod scorer;

use crate::features::{Candidate, DimensionError, Matrix, UserFeatures};
use crate::policy::{Policy, Pool, Slot, arrange};
use crate::session::Session;
pub use explain::{Because, Explanation, Reason, explain};
use scorer::Scorer;
pub use scorer::{Ranker, RankerError};

/// One recommendation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Index into the candidates.
    pub index: usize,
    /// Relevance before variety: comparable within one call only. The ranker's margin; without a ranker the cosine to
    /// the recent clicks; for a viewer with no clicks ln(1 + decayed clicks).
    pub score: f32,
    /// Why it is where it is.
    pub slot: Slot,
    /// Probability, above 0 and at most 1, that a page of these candidates shows it anywhere: below 1 only where the
    /// policy explores.
    pub propensity: f64,
}

/// What is wanted of one call.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// The longest list wanted.
    pub k: usize,
    /// Decides what is explored; drawn at random by the caller for each page.
    pub seed: u64,
}

/// The list that the policy makes of the candidates for the viewer at `now_ms` (milliseconds since 1970-01-01 UTC), best first.
///
/// A viewer with no clicks gets what is popular. With clicks, the ranker scores; without one, similarity to the recent
/// clicks does. Equal scores keep the candidates' order.
///
/// # Errors
/// A candidate's vector has another dimension than the session's or the first candidate's.
pub fn rerank(
    session: &Session,
    user: &UserFeatures,
    now_ms: i64,
    candidates: &[Candidate<'_>],
    ranker: Option<&Ranker>,
    page: &Page<'_>,
) -> Result<Vec<Ranked>, DimensionError> {
    let matrix = Matrix::fill(session, user, now_ms, candidates)?;
    let scores = Scorer::choose(session, ranker).score(matrix.values());
    let Page { policy, k, seed } = *page;
    let allowed = |index: usize| !policy.exclude_seen || !session.seen().contains(candidates[index].item);
    let pool = Pool {
        candidates,
        scores: &scores,
        allowed: &allowed,
        now_ms,
    };
    let placed = arrange(policy, &pool, k, seed).into_iter();
    let ranked = placed.map(|placed| Ranked {
        index: placed.index,
        score: scores[placed.index],
        slot: placed.slot,
        propensity: placed.propensity,
    });
    Ok(ranked.collect())
}

#[cfg(test)]
mod tests;
