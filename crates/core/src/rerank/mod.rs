//! Ranking one page: features, scores, policy.

mod explain;
mod scorer;

use crate::features::{Candidate, DimensionError, Matrix, UserFeatures};
use crate::policy::{Policy, by_score, mmr};
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
}

/// The best at most `k` candidates for the viewer at `now_ms` (milliseconds since 1970-01-01 UTC), best first.
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
    policy: &Policy,
    k: usize,
) -> Result<Vec<Ranked>, DimensionError> {
    let matrix = Matrix::fill(session, user, now_ms, candidates)?;
    let scores = Scorer::choose(session, ranker).score(matrix.values());
    let allowed = |&index: &usize| !policy.exclude_seen || !session.seen().contains(candidates[index].item);
    let mut order: Vec<usize> = by_score(&scores).into_iter().filter(allowed).collect();
    order.truncate(policy.pool.max(k));
    let pool: Vec<(f32, &[f32])> = order
        .iter()
        .map(|&index| (scores[index], candidates[index].vector))
        .collect();
    let ranked = |place: usize| Ranked {
        index: order[place],
        score: scores[order[place]],
    };
    Ok(mmr(&pool, policy.lambda, k).into_iter().map(ranked).collect())
}

#[cfg(test)]
mod tests;
