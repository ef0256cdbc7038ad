//! Which shards a query is asked of: those of the cells that are nearest to it.

use super::format::Shard;
use super::query::{Query, QueryError};
use super::scratch::Scratch;
use super::search::{SearchOptions, Strategy};
use thiserror::Error;

/// Centroids that do not belong to a list of shards.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the manifest gives the shards of {shards} cells, the file has {centroids} centroids; rebuild the bundle"
)]
pub struct RouterError {
    shards: usize,
    centroids: usize,
}

/// The cells of a catalogue with the shard of each.
#[derive(Clone, Debug)]
pub struct Router {
    centroids: Shard,
    shards: Vec<u32>,
    probes: usize,
}

impl Router {
    /// `centroids` has the cells as rows, `shards` the number of each cell's shard; a query is asked of `probes` shards.
    ///
    /// # Errors
    /// Cells of which one of the two does not know.
    pub fn new(centroids: Shard, shards: Vec<u32>, probes: usize) -> Result<Self, RouterError> {
        let known = centroids
            .rows()
            .iter()
            .all(|cell| (*cell as usize) < shards.len());
        if centroids.len() != shards.len() || !known {
            return Err(RouterError {
                shards: shards.len(),
                centroids: centroids.len(),
            });
        }
        Ok(Self {
            centroids,
            shards,
            probes,
        })
    }

    /// The numbers of the shards that a query is asked of, that of the nearest cell first. A shard is as near as its nearest
    /// cell.
    ///
    /// # Errors
    /// The query does not fit.
    pub fn route(&self, vector: &[f32], scratch: &mut Scratch) -> Result<Vec<usize>, QueryError> {
        let query = Query::new(&self.centroids, vector)?;
        let cells = self.centroids.len();
        let options = SearchOptions {
            k: cells,
            ef: cells,
            strategy: Strategy::Flat,
        };
        let (near, _) = self.centroids.search(&query, &options, scratch, |_| true);
        let mut shards = Vec::with_capacity(self.probes.min(cells));
        for shard in near.iter().filter_map(|hit| self.shards.get(hit.row as usize)) {
            let shard = *shard as usize;
            if shards.len() == self.probes {
                break;
            }
            if !shards.contains(&shard) {
                shards.push(shard);
            }
        }
        Ok(shards)
    }

    /// How many shards a query is asked of.
    #[must_use]
    pub const fn probes(&self) -> usize {
        self.probes
    }

    /// The same with other `probes`.
    #[must_use]
    pub fn with_probes(mut self, probes: usize) -> Self {
        self.probes = probes;
        self
    }
}
