//! What was asked for in an epoch, so that asking again reveals nothing more.

use super::clusters::{Clusters, epoch};
use crate::json::{FromJson, Json, JsonError};
use serde::Serialize;

/// The clusters that were asked for in one epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memo {
    epoch: i64,
    /// The partition whose clusters are meant.
    partition: String,
    /// Ascending.
    clusters: Vec<u32>,
}

impl Memo {
    /// Remembers the clusters of the epoch of `now_ms`, ascending.
    pub(super) fn new(clusters: &Clusters, (epoch_ms, now_ms): (i64, i64), asked: Vec<u32>) -> Self {
        Self {
            epoch: epoch(now_ms, epoch_ms),
            partition: clusters.partition.clone(),
            clusters: asked,
        }
    }

    /// What was asked for in the epoch of `now_ms`, of these clusters, ascending.
    #[must_use]
    pub fn asked(&self, clusters: &Clusters, (epoch_ms, now_ms): (i64, i64)) -> &[u32] {
        match self.epoch == epoch(now_ms, epoch_ms) {
            true => self.newest(clusters),
            false => &[],
        }
    }

    /// What was asked for newest, of these clusters, in whatever epoch.
    #[must_use]
    pub fn newest(&self, clusters: &Clusters) -> &[u32] {
        // Stored numbers that the partition lacks are no report of its clusters.
        let known = self
            .clusters
            .iter()
            .all(|cluster| (*cluster as usize) < clusters.len());
        match known && self.partition == clusters.partition {
            true => &self.clusters,
            false => &[],
        }
    }
}

impl<'a> FromJson<'a> for Memo {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                epoch: fields.get("epoch")?,
                partition: fields.get("partition")?,
                clusters: fields.get("clusters")?,
            })
        })
    }
}
