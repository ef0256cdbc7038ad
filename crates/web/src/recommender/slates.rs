//! Slates out: retrieval by mode, ranking, explanations.

use super::Recommender;
use crate::bundle::Bundle;
use crate::failure::{Failure, Kind};
use crate::host::{now_ms, random_name, stopwatch_ms};
use crate::log::ShownSlate;
use crate::options::{RecommendOptions, SearchOptions, Sought};
use crate::recent::Purpose;
use crate::slate::Context;
use crate::types::{Explanation, Item, Slate, Timings};
use recsys_core::candidates::{Candidate, Candidates, Source};
use recsys_core::catalogue::ItemId;
use recsys_core::experiments::Treatment;
use recsys_core::features::UserFeatures;
use recsys_core::items::dictionaries::List;
use recsys_core::privacy::{Mode, history, standard};
use recsys_core::segment::Conditions;
use recsys_core::session::{SeenSet, WINDOW};

impl Recommender {
    /// The `k` best videos now.
    ///
    /// # Errors
    /// No candidates could be had, or those at hand do not fit the viewer's vectors.
    pub async fn recommend(&mut self, options: RecommendOptions) -> Result<Slate, Failure> {
        let start = stopwatch_ms();
        let RecommendOptions { k, filter } = options;
        let query = self.memory.session.query(WINDOW);
        let asked = match (self.mode(), &query, &filter) {
            (Mode::Standard | Mode::History, _, filter) => {
                Some(filter.as_ref().map(|(text, _)| text.as_str()))
            }
            // The request for popular videos is the same for everybody.
            (Mode::Noised | Mode::Bucket, None, None) => Some(None),
            _ => None,
        };
        let fallback = match asked {
            Some(filter) => self.ask(filter).await?,
            None => {
                let note = self.prepare(query.as_deref()).await?;
                let all = Conditions::default();
                self.look_up(filter.as_ref().map_or(&all, |(_, conditions)| conditions))?;
                // Where the budget was spent before anything came, everybody's popular videos are left.
                let found = self.recent.recommended();
                let nothing = found.is_none_or(|found| found.list.is_empty());
                if nothing && filter.is_none() && self.mode == Mode::Noised {
                    self.ask(None).await?;
                }
                note
            }
        };
        let retrieved = stopwatch_ms();
        let nothing = || Failure::new(Kind::Network, "no candidates are at hand; try again");
        // The slate is of this moment, and every later event of a later one.
        let now_ms = self.tick();
        let treatment = self.treatment();
        let candidates = self.recent.recommended().ok_or_else(nothing)?;
        let context = Context {
            now_ms,
            ..self.context(candidates)
        };
        let (items, places) = context.rank(candidates, k, &treatment)?;
        let request = random_name();
        let shown = ShownSlate {
            request: request.clone(),
            ts_ms: now_ms,
            places,
        };
        let notes = [
            fallback,
            candidates.degraded.clone(),
            self.ranker_note(),
            policy_note(&treatment),
        ];
        let slate = Slate {
            items,
            request: Some(request),
            source: candidates.source,
            mode: self.mode().name(),
            bundle: candidates.bundle.clone(),
            degraded: joined(notes),
            timings: Timings {
                retrieve_ms: retrieved - start,
                rank_ms: stopwatch_ms() - retrieved,
                candidates: candidates.list.len(),
            },
        };
        self.shown.push(shown);
        Ok(slate)
    }

    /// The `k` videos that match words or a picture best, in the order of the match.
    ///
    /// # Errors
    /// `ModeForbids` in other modes than standard without a vector; else what the request gives.
    pub async fn search(&mut self, options: SearchOptions) -> Result<Slate, Failure> {
        let start = stopwatch_ms();
        let SearchOptions { sought, k } = options;
        match (&sought, &self.local) {
            (Sought::Vector(vector, model), Some(_)) => self.look_up_vector(vector, model, k).await?,
            (_, Some(_)) => {
                let message =
                    "a search would go to the server; open with `encoder`, or switch to standard mode";
                return Err(Failure::new(Kind::ModeForbids, message));
            }
            (_, None) => {
                let candidates = self.net.search(&sought, k).await?;
                self.accept(Purpose::Search, candidates).await;
            }
        }
        let retrieved = stopwatch_ms();
        let nothing = || Failure::new(Kind::Network, "no results are at hand; try again");
        let candidates = self.recent.found().ok_or_else(nothing)?;
        Ok(Slate {
            items: self.context(candidates).in_order(candidates, k),
            request: None,
            source: candidates.source,
            mode: self.mode().name(),
            bundle: candidates.bundle.clone(),
            degraded: candidates.degraded.clone(),
            timings: Timings {
                retrieve_ms: retrieved - start,
                rank_ms: stopwatch_ms() - retrieved,
                candidates: candidates.list.len(),
            },
        })
    }

    /// Why a video of a recent slate stands where it does.
    ///
    /// # Errors
    /// `UnknownItem`.
    pub fn explain(&self, id: &ItemId) -> Result<Explanation, Failure> {
        let id = id.as_str();
        let (candidates, index) = self.recent.holding(id).ok_or_else(|| Failure::unknown_item(id))?;
        self.context(candidates).explain(candidates, index, id)
    }

    /// Asks the server unless the last answer still holds. Gives the reason where older candidates have
    /// to do.
    async fn ask(&mut self, filter: Option<&str>) -> Result<Option<String>, Failure> {
        if self.bundle.is_err() {
            self.fetch_bundle().await;
        }
        let session = &self.memory.session;
        // In every other mode no vector may leave.
        let query = session.query(WINDOW).filter(|_| self.mode == Mode::Standard);
        let (body, words) = match (self.mode, &query) {
            (Mode::History, _) => (
                history::request_body(&self.memory.viewer, standard::CANDIDATES, filter),
                "your random name, by which the server finds your clicks; not private".to_owned(),
            ),
            (_, query) => (
                standard::request_body(query.as_deref(), standard::CANDIDATES, filter),
                standard::request_words(
                    query.as_ref().map_or(0, |_| session.recent(WINDOW).len()),
                    query.as_ref().map_or(0, Vec::len),
                ),
            ),
        };
        // The server's answer depends on clicks that the body does not show.
        let newest = session.clicks().last().map_or(0, |click| click.ts_ms);
        let answered = match self.mode {
            Mode::History => format!("{body}{newest}"),
            _ => body.clone(),
        };
        if self.recent.answers(&answered) {
            return Ok(None);
        }
        match self.net.candidates("/v1/recs", &body, &words).await {
            Ok(candidates) => {
                self.accept(Purpose::Recommend(Some(answered)), candidates).await;
                Ok(None)
            }
            // Older candidates need not fit the filter.
            Err(failure) if filter.is_some() || self.recent.recommended().is_none() => Err(failure),
            Err(failure) => Ok(Some(format!(
                "candidates of an earlier request: {}",
                failure.message
            ))),
        }
    }

    /// Searches here.
    fn look_up(&mut self, conditions: &Conditions) -> Result<(), Failure> {
        let Some(local) = &mut self.local else {
            return Ok(());
        };
        let session = &self.memory.session;
        let k = standard::CANDIDATES as usize;
        let query = session.query(WINDOW);
        let mut candidates = local.candidates(query.as_deref(), k, session.seen(), conditions)?;
        // As the server does in standard mode: a page can only pin what it has.
        for pinned in self.bundle.iter().flat_map(|bundle| bundle.manifest.pinned()) {
            if candidates
                .list
                .iter()
                .all(|candidate| candidate.id.as_str() != pinned)
            {
                candidates.list.extend(local.candidate(pinned, conditions));
            }
        }
        self.recent.push(Purpose::Recommend(None), candidates);
        Ok(())
    }

    /// Searches here for what the encoder made of words or of a picture.
    async fn look_up_vector(&mut self, vector: &[f32], model: &str, k: usize) -> Result<(), Failure> {
        // A bundle of vectors from elsewhere names no encoder, and neither does a page that brings its own.
        let made_by = self.bundle.as_ref().ok().and_then(Bundle::encoder);
        if made_by.unwrap_or_default() != model {
            let message = "the encoder runs another model than made the bundle; deploy both together";
            return Err(Failure::bad_reply(message));
        }
        self.prepare(Some(vector)).await?;
        if let Some(local) = &mut self.local {
            let mut found = local.candidates(Some(vector), k, &SeenSet::default(), &Conditions::default())?;
            found.source = Source::Search;
            self.recent.push(Purpose::Search, found);
        }
        Ok(())
    }

    /// Takes in a reply of the server, and follows it to a new bundle.
    async fn accept(&mut self, purpose: Purpose, candidates: Candidates) {
        // Where the search is here, it stays with the bundle that is here.
        let known =
            self.local.is_some() || matches!(&self.bundle, Ok(bundle) if bundle.name == candidates.bundle);
        // Once for each name: a manifest from a cache may stay behind for a while.
        if !known && self.followed != candidates.bundle {
            self.followed.clone_from(&candidates.bundle);
            self.fetch_bundle().await;
        }
        if let Some(first) = candidates.list.first() {
            self.memory.keep_compatible(first.vector.len(), None);
        }
        self.recent.push(purpose, candidates);
        self.settle();
    }

    fn context(&self, candidates: &Candidates) -> Context<'_> {
        Context {
            memory: &self.memory,
            user: UserFeatures {
                age_band: self.declared.age_band,
                gender: self.declared.gender,
                segment: self.declared.segment,
                device: self.declared.device,
                language: self.language_code(candidates),
            },
            now_ms: now_ms(),
            bundle: self.bundle.as_ref().ok(),
        }
    }

    /// The declared language's code: from the item table, else from a candidate in that language.
    fn language_code(&self, candidates: &Candidates) -> Option<u16> {
        let declared = self.declared.language.as_deref()?;
        let code = match &self.local {
            Some(local) => {
                let code = local.dictionaries().code(List::Languages, declared);
                code.and_then(|code| u16::try_from(code).ok())
            }
            None => {
                let speaks = |candidate: &&Candidate| {
                    let item = Item::from_card(candidate.id.as_str(), &candidate.card);
                    item.language.as_deref() == Some(declared)
                };
                let candidate = candidates.list.iter().find(speaks);
                candidate.map(|candidate| candidate.facts.language)
            }
        };
        Some(code.unwrap_or(UserFeatures::OTHER_LANGUAGE))
    }

    /// Why a viewer with clicks is ranked by similarity, where so.
    fn ranker_note(&self) -> Option<String> {
        if self.memory.session.clicks().is_empty() {
            return None;
        }
        let why = match &self.bundle {
            Ok(bundle) => bundle.ranker.as_ref().err()?,
            Err(why) => why,
        };
        Some(format!("no ranker, ordered by similarity: {why}"))
    }
}

/// Rules that the bundle's item table has no names for do nothing, and the owner should know.
fn policy_note(treatment: &Treatment) -> Option<String> {
    let unknown = &treatment.unknown;
    (!unknown.is_empty()).then(|| format!("the policy names what this bundle lacks: {}", unknown.join(", ")))
}

/// Notes as one text; `None` where there is none.
fn joined(notes: [Option<String>; 4]) -> Option<String> {
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}
