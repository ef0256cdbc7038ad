//! Ranking one page: features, scores, policy.

mod explain;
mod scorer;

use crate::experiments::interleave::{Team, team_draft};
use crate::features::{Candidate, DimensionError, Matrix, UserFeatures};
use crate::policy::{Placed, Policy, Pool, Slot, arrange};
use crate::rng::SplitMix64;
use crate::session::Session;
pub use explain::{Because, Contribution, Contributions, Explanation, Reason, explain};
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
    let lists = rerank_all(session, user, now_ms, candidates, ranker, &[page])?;
    Ok(lists.into_iter().next().unwrap_or_default())
}

/// One place of two lists in one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drafted {
    /// Index into the candidates.
    pub index: usize,
    /// Score, as in [`Ranked`].
    pub score: f32,
    /// Whose pick it is.
    pub team: Team,
}

/// The lists of two policies in one of at most `k`, by team-draft interleaving. Each list keeps its own rules; the draft of
/// both may go beyond a cap, and moves pins.
///
/// # Errors
/// As [`rerank`].
pub fn rerank_interleaved(
    session: &Session,
    user: &UserFeatures,
    now_ms: i64,
    candidates: &[Candidate<'_>],
    ranker: Option<&Ranker>,
    pages: [&Page<'_>; 2],
) -> Result<Vec<Drafted>, DimensionError> {
    let lists = rerank_all(session, user, now_ms, candidates, ranker, &pages)?;
    let [a, b] = [0, 1].map(|team| -> Vec<usize> {
        let list = lists.get(team).into_iter().flatten();
        list.map(|ranked| ranked.index).collect()
    });
    let score = |index: usize| {
        let mut ranked = lists.iter().flatten();
        ranked
            .find(|ranked| ranked.index == index)
            .map_or(f32::NAN, |ranked| ranked.score)
    };
    let [first, second] = pages;
    let mut rng = SplitMix64::new(first.seed.rotate_left(32) ^ second.seed);
    let draft = team_draft(&a, &b, first.k, &mut rng).into_iter();
    let drafted = draft.map(|(index, team)| Drafted {
        index,
        score: score(index),
        team,
    });
    Ok(drafted.collect())
}

/// The lists of several pages over the same candidates; features and scores are computed once.
fn rerank_all(
    session: &Session,
    user: &UserFeatures,
    now_ms: i64,
    candidates: &[Candidate<'_>],
    ranker: Option<&Ranker>,
    pages: &[&Page<'_>],
) -> Result<Vec<Vec<Ranked>>, DimensionError> {
    let matrix = Matrix::fill(session, user, now_ms, candidates)?;
    let scores = Scorer::choose(session, ranker).score(matrix.values());
    let list = |page: &&Page<'_>| {
        let Page { policy, k, seed } = **page;
        let allowed = |index: usize| !policy.exclude_seen || !session.seen().contains(candidates[index].item);
        let pool = Pool {
            candidates,
            scores: &scores,
            allowed: &allowed,
            now_ms,
        };
        let ranked = |placed: Placed| Ranked {
            index: placed.index,
            score: scores[placed.index],
            slot: placed.slot,
            propensity: placed.propensity,
        };
        arrange(policy, &pool, k, seed).into_iter().map(ranked).collect()
    };
    Ok(pages.iter().map(list).collect())
}

#[cfg(test)]
mod tests;
