//! The privacy modes: changing them, and fetching what each may fetch for a query.

use super::Recommender;
use crate::bundle::Bundle;
use crate::failure::{Failure, Kind};
use crate::host::{Secure, now_ms};
use crate::local::Local;
use crate::store::Lines;
use crate::types::{Epsilon, Privacy};
use recsys_core::privacy::{Clusters, Mode, bucket, weighted};

impl Recommender {
    /// The privacy mode.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What the mode promises, and what of its budget is spent.
    pub const fn privacy(&self) -> Privacy {
        let terms = &self.terms.noised;
        Privacy {
            mode: self.mode.name(),
            claim: self.mode.claim(),
            epsilon: Epsilon {
                report: terms.epsilon,
                spent: self.memory.ledger.spent(),
                budget: terms.budget,
            },
        }
    }

    /// Changes the privacy mode; on failure the old one stays.
    ///
    /// # Errors
    /// As [`Recommender::open`].
    pub async fn set_mode(&mut self, mode: Mode) -> Result<(), Failure> {
        match mode {
            same if same == self.mode => Ok(()),
            Mode::Standard | Mode::History => {
                if mode == Mode::History {
                    self.enter_history().await?;
                }
                self.mode = mode;
                self.local = None;
                Ok(())
            }
            _ => self.enter(mode).await,
        }
    }

    /// Fetches what everybody fetches in a mode that searches here.
    pub(super) async fn enter(&mut self, mode: Mode) -> Result<(), Failure> {
        let in_part = mode != Mode::Local;
        let (bundle, local) = Local::fetch(&mut self.net, &self.trust, in_part).await?;
        if self.recent.bundle() != Some(local.name()) {
            self.recent.clear();
        }
        self.mode = mode;
        self.bundle = Ok(bundle);
        self.local = Some(local);
        self.settle();
        Ok(())
    }

    /// Fetches the clusters that the mode allows for a query. Gives the reason where fewer have to do.
    ///
    /// # Errors
    /// What is asked for could not be stored, so nothing was; or it did not come.
    pub(super) async fn prepare(&mut self, query: Option<&[f32]>) -> Result<Option<String>, Failure> {
        let Some(clusters) = self.local.as_ref().and_then(Local::clusters).cloned() else {
            return Ok(None);
        };
        let truth = match (query, &mut self.local) {
            (Some(query), Some(local)) => local.nearest_cluster(query)?,
            // Nobody's wish, so that conditions alone tell nothing.
            _ => u32::try_from(weighted(&clusters.weights, &mut Secure)).unwrap_or_default(),
        };
        let begun = self.begin().await;
        let (wanted, note) = self.choose(&clusters, truth);
        if self.local.as_ref().is_none_or(|local| local.has(&wanted)) {
            return Ok(note);
        }
        // Stored before it is asked for, so that no reload asks otherwise.
        self.save(begun, &Lines::none()).await?;
        let mut again = false;
        loop {
            match self.add(&wanted).await {
                // The bundle may have been replaced.
                Err(failure) if failure.is(Kind::Refused) && !again => {
                    again = true;
                    self.enter(self.mode).await?;
                    let new = self.local.as_ref().and_then(Local::clusters);
                    if new.is_none_or(|new| new.partition != clusters.partition) {
                        return Err(failure);
                    }
                }
                other => return other.map(|()| note),
            }
        }
    }

    async fn add(&mut self, wanted: &[u32]) -> Result<(), Failure> {
        let words = match self.mode {
            Mode::Noised => {
                "a group of videos; chance decided whether it is the one that suits you; no id, no cookie"
            }
            _ => {
                "a group of videos, one of a set of which one suits you and the others are chance; no id, no cookie"
            }
        };
        match (&mut self.local, &self.bundle) {
            (Some(local), Ok(Bundle { manifest, .. })) => {
                local.add(&mut self.net, manifest, wanted, words).await
            }
            _ => Ok(()),
        }
    }

    /// The clusters to have, and why they are not what was asked for, where so.
    fn choose(&mut self, clusters: &Clusters, truth: u32) -> (Vec<u32>, Option<String>) {
        let (now_ms, memory, terms) = (now_ms(), &mut self.memory, &self.terms);
        if self.mode == Mode::Bucket {
            let time = (terms.noised.epoch_ms, now_ms);
            let asked = bucket::ask(
                &mut memory.bucket,
                clusters,
                time,
                truth,
                terms.bucket,
                &mut Secure,
            );
            return (asked.to_vec(), None);
        }
        match memory
            .ledger
            .report(clusters, &terms.noised, now_ms, truth, &mut Secure)
        {
            Ok(cluster) => (vec![cluster], None),
            // What was reported before may still be used.
            Err(spent) => (
                memory.ledger.last(clusters).into_iter().collect(),
                Some(spent.to_string()),
            ),
        }
    }
}
