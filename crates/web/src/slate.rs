//! From candidates to a page, and to a page's explanations.

use crate::bundle::Bundle;
use crate::failure::Failure;
use crate::log::Place;
use crate::memory::Memory;
use crate::types::{
    BecauseOf, Contribution, Contributions, Explanation, Item, Reason, Recommendation, Sprite,
};
use recsys_core::candidates::{Candidate, Candidates};
use recsys_core::features::{self, Matrix, UserFeatures};
use recsys_core::policy::Policy;
use recsys_core::rerank::{self, Page, Ranker, explain};

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

    /// The best `k` candidates, best first, and what the ranker read of them.
    ///
    /// # Errors
    /// `BadReply`: the candidates' vectors do not fit the viewer's.
    pub fn rank(
        &self,
        candidates: &Candidates,
        k: usize,
    ) -> Result<(Vec<Recommendation>, Vec<Place>), Failure> {
        let list = inputs(candidates);
        let session = &self.memory.session;
        let page = Page {
            policy: &Policy::default(),
            k,
            seed: 0,
        };
        let ranked = rerank::rerank(session, &self.user, self.now_ms, &list, self.ranker(), &page)
            .map_err(Failure::bad_reply)?;
        let places = ranked
            .iter()
            .filter_map(|r| Some((candidates.list.get(r.index)?, r.score)));
        let chosen: Vec<_> = ranked.iter().filter_map(|r| list.get(r.index).copied()).collect();
        let matrix = Matrix::fill(session, &self.user, self.now_ms, &chosen).map_err(Failure::bad_reply)?;
        let logged = chosen.iter().enumerate().map(|(i, candidate)| Place {
            item: candidate.item.clone(),
            features: matrix.row(i).unwrap_or_default().to_vec(),
            shown: false,
        });
        Ok((self.places(candidates, places), logged.collect()))
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
        };
        (1..).zip(ranked).map(place).collect()
    }

    /// What a page shows of a candidate from `bundle`.
    pub fn item(&self, candidate: &Candidate, bundle: &str) -> Item {
        let mut item = Item::from_card(candidate.id.as_str(), &candidate.card);
        // Rows of one bundle mean nothing in another's sheets.
        let sprites = self
            .bundle
            .filter(|own| own.name == bundle)
            .and_then(|own| own.manifest.sprites.as_ref());
        item.sprite = sprites.and_then(|sprites| Sprite::of(sprites, candidate.row));
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
    let one = |part: &rerank::Contribution| Contribution {
        feature: part.feature.name,
        label: part.words().unwrap_or(part.feature.meaning),
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
