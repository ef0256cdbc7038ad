//! From candidates to a page, and to a page's explanations.

use crate::bundle::Bundle;
use crate::failure::Failure;
use crate::host::random_seed;
use crate::log::Place;
use crate::memory::Memory;
use crate::types::{
    BecauseOf, Contribution, Contributions, Explanation, Item, Reason, Recommendation, Sprite,
};
use recsys_core::candidates::{Candidate, Candidates};
use recsys_core::experiments::Treatment;
use recsys_core::experiments::interleave::Team;
use recsys_core::features::{self, DimensionError, Feature, Matrix, UserFeatures};
use recsys_core::policy::Slot;
use recsys_core::rerank::{self, Drafted, Page, Ranked, Ranker, explain, rerank_interleaved};

/// A candidate that a page shows.
struct Choice {
    index: usize,
    score: f32,
    propensity: Option<f64>,
    /// Why it is there, where the ranking did not choose the place.
    slot: Option<&'static str>,
    /// Experiment and arm whose pick it is, where two lists are interleaved.
    arm: Option<(String, String)>,
}

/// What ranking reads beside the candidates.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The viewer.
    pub memory: &'a Memory,
    /// What was declared, in the candidates' codes.
    pub user: UserFeatures,
    /// Milliseconds since 1970-01-01 UTC.
    pub now_ms: i64,
    /// Ranker and sprites, where they are at hand.
    pub bundle: Option<&'a Bundle>,
}

impl Context<'_> {
    fn ranker(&self) -> Option<&Ranker> {
        self.bundle.and_then(|bundle| bundle.ranker.as_ref().ok())
    }

    /// The best `k` candidates by the viewer's rules, best first, and what the log keeps of them.
    ///
    /// # Errors
    /// `BadReply`: the candidates' vectors do not fit the viewer's.
    pub fn rank(
        &self,
        candidates: &Candidates,
        k: usize,
        treatment: &Treatment,
    ) -> Result<(Vec<Recommendation>, Vec<Place>), Failure> {
        let list = inputs(candidates);
        let chosen = self.choose(&list, k, treatment).map_err(Failure::bad_reply)?;
        let rows: Vec<_> = chosen.iter().filter_map(|c| list.get(c.index).copied()).collect();
        let session = &self.memory.session;
        let matrix = Matrix::fill(session, &self.user, self.now_ms, &rows).map_err(Failure::bad_reply)?;
        let logged = chosen
            .iter()
            .zip(&rows)
            .enumerate()
            .map(|(i, (choice, candidate))| Place {
                item: candidate.item.clone(),
                features: matrix.row(i).unwrap_or_default().to_vec(),
                arms: treatment.arms.iter().cloned().chain(choice.arm.clone()).collect(),
                propensity: choice.propensity,
                shown: false,
            });
        let places = chosen
            .iter()
            .filter_map(|choice| Some((candidates.list.get(choice.index)?, choice.score)));
        let mut items = self.places(candidates, places);
        for (item, choice) in items.iter_mut().zip(&chosen) {
            item.slot = choice.slot;
            item.propensity = choice.propensity.filter(|propensity| *propensity < 1.0);
        }
        Ok((items, logged.collect()))
    }

    fn choose(
        &self,
        list: &[features::Candidate<'_>],
        k: usize,
        treatment: &Treatment,
    ) -> Result<Vec<Choice>, DimensionError> {
        let page = |policy| Page {
            policy,
            k,
            seed: random_seed(),
        };
        let (session, user, ranker) = (&self.memory.session, &self.user, self.ranker());
        let own = page(&treatment.policy);
        let Some(contest) = &treatment.contest else {
            let ranked = rerank::rerank(session, user, self.now_ms, list, ranker, &own)?;
            let choice = |ranked: &Ranked| Choice {
                index: ranked.index,
                score: ranked.score,
                propensity: Some(ranked.propensity),
                slot: match ranked.slot {
                    Slot::Ranked => None,
                    Slot::Pinned => Some("pinned"),
                    Slot::Explored => Some("explored"),
                },
                arm: None,
            };
            return Ok(ranked.iter().map(choice).collect());
        };
        let pages = [&own, &page(&contest.against)];
        let drafted = rerank_interleaved(session, user, self.now_ms, list, ranker, pages)?;
        let choice = |drafted: &Drafted| {
            let [a, b] = &contest.arms;
            let arm = if drafted.team == Team::A { a } else { b };
            Choice {
                index: drafted.index,
                score: drafted.score,
                // Of a draft it is not known.
                propensity: None,
                slot: None,
                arm: Some((contest.experiment.clone(), arm.clone())),
            }
        };
        Ok(drafted.iter().map(choice).collect())
    }

    /// The first `k` candidates as they come.
    pub fn in_order(&self, candidates: &Candidates, k: usize) -> Vec<Recommendation> {
        let list = candidates.list.iter().take(k);
        self.places(candidates, list.map(|candidate| (candidate, candidate.score)))
    }

    fn places<'c>(
        &self,
        candidates: &Candidates,
        ranked: impl Iterator<Item = (&'c Candidate, f32)>,
    ) -> Vec<Recommendation> {
        let place = |(rank, (candidate, score)): (usize, (&Candidate, f32))| Recommendation {
            item: self.item(candidate, &candidates.bundle),
            rank,
            score,
            slot: None,
            propensity: None,
        };
        (1..).zip(ranked).map(place).collect()
    }

    /// What a page shows of a candidate from `bundle`.
    pub fn item(&self, candidate: &Candidate, bundle: &str) -> Item {
        let mut item = Item::from_card(candidate.id.as_str(), &candidate.card);
        // Cells of one bundle mean nothing in another's sheets.
        let own = self.bundle.filter(|own| own.name == bundle);
        item.sprite = own.and_then(|own| Sprite::of(own.manifest.sprites.as_ref()?, candidate.cell));
        item
    }

    /// Why candidate `index` stands where it stands.
    ///
    /// # Errors
    /// `BadReply`: the candidates' vectors do not fit the viewer's. `UnknownItem`: no such candidate.
    pub fn explain(&self, candidates: &Candidates, index: usize, id: &str) -> Result<Explanation, Failure> {
        let list = inputs(candidates);
        let session = &self.memory.session;
        let explained = explain(session, &self.user, self.now_ms, &list, self.ranker(), index)
            .map_err(Failure::bad_reply)?
            .ok_or_else(|| Failure::unknown_item(id))?;
        let because_of = explained.because.and_then(|because| {
            let clicked = session.clicks().get(because.click)?.item.as_str();
            let name = self.memory.watched(clicked).map_or(clicked, |item| &item.name);
            Some(BecauseOf {
                id: clicked.to_owned(),
                name: name.to_owned(),
                similarity: because.similarity,
            })
        });
        let reason = |reason: &rerank::Reason| Reason {
            feature: reason.feature.name,
            label: reason.words(),
            value: Some(reason.value).filter(|value| value.is_finite()),
            unit: reason.feature.unit,
        };
        Ok(Explanation {
            id: id.to_owned(),
            reasons: explained.reasons.iter().map(reason).collect(),
            contributions: explained.contributions.as_ref().map(contributions),
            sentence: explained.sentence(because_of.as_ref().map(|because| because.name.as_str())),
            because_of,
        })
    }
}

/// The split of a score as the page gets it.
fn contributions(split: &rerank::Contributions) -> Contributions {
    // A category has no more or less to put in words.
    let plain = |feature: &Feature| {
        if feature.categorical {
            feature.high
        } else {
            feature.meaning
        }
    };
    let one = |part: &rerank::Contribution| Contribution {
        feature: part.feature.name,
        label: part.words().unwrap_or(plain(part.feature)),
        value: Some(part.value).filter(|value| value.is_finite()),
        unit: part.feature.unit,
        contribution: part.contribution,
        typical: part.typical,
    };
    Contributions {
        expected: split.expected,
        features: split.features.iter().map(one).collect(),
    }
}

/// The candidates as ranking takes them.
fn inputs(candidates: &Candidates) -> Vec<features::Candidate<'_>> {
    fn input(candidate: &Candidate) -> features::Candidate<'_> {
        let Candidate {
            id,
            facts,
            card,
            vector,
            ..
        } = candidate;
        features::Candidate {
            item: id,
            facts,
            card,
            vector,
        }
    }
    candidates.list.iter().map(input).collect()
}
