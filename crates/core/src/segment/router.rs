//! Which segments a query is asked of: those of the cells that are nearest to it.

use super::SegmentError;
use crate::bytes::AlignedBytes;
use crate::manifest::Cells;
use crate::shard::{Query, QueryError, Scratch, SearchOptions, Shard, Strategy};
use crate::vector::UnitVector;

/// The cells of a catalogue with the segment of each.
#[derive(Clone, Debug)]
pub struct Router {
    centroids: Shard,
    segments: Vec<u32>,
    probes: usize,
}

impl Router {
    /// `centroids` are the bytes of the file that `cells` names; vectors have `dim` dimensions.
    ///
    /// # Errors
    /// The file is damaged, or has other cells or dimensions than the manifest.
    pub fn open(cells: &Cells, dim: u32, centroids: AlignedBytes) -> Result<Self, SegmentError> {
        let centroids = Shard::open(centroids)?;
        let file = &cells.centroids.file;
        SegmentError::check(file, "dimensions", dim as usize, centroids.dim())?;
        SegmentError::check(file, "cells", cells.segments.len(), centroids.len())?;
        let largest = centroids.rows().iter().max().map_or(0, |cell| *cell as usize);
        // Each row is there once, so these are all the cells.
        SegmentError::check(file, "largest cell", cells.segments.len() - 1, largest)?;
        Ok(Self {
            centroids,
            segments: cells.segments.clone(),
            probes: cells.probes as usize,
        })
    }

    /// The numbers of the segments that a query is asked of, that of the nearest cell first. A segment is as near as its
    /// nearest cell.
    ///
    /// # Errors
    /// The query does not fit.
    pub fn route(&self, vector: &[f32], scratch: &mut Scratch) -> Result<Vec<usize>, QueryError> {
        // The cells are directions from the catalogue's mean, so a query has to be seen from there.
        let mean = self.centroids.mean();
        let unit = UnitVector::new(vector.to_vec()).map(UnitVector::into_vec);
        let centred: Vec<f32> = unit
            .unwrap_or_default()
            .iter()
            .zip(mean)
            .map(|(q, m)| q - m)
            .collect();
        let query = match Query::new(&self.centroids, &centred) {
            Ok(query) => query,
            // It is the mean itself, or none that fits.
            Err(_) => Query::new(&self.centroids, vector)?,
        };
        let cells = self.centroids.len();
        let options = SearchOptions {
            k: cells,
            ef: cells,
            strategy: Strategy::Flat,
        };
        let all: &dyn Fn(u32) -> bool = &|_| true;
        let (near, _) = self.centroids.search(&query, &options, scratch, all);
        let mut segments = Vec::with_capacity(self.probes.min(cells));
        for segment in near.iter().filter_map(|hit| self.segments.get(hit.row as usize)) {
            let segment = *segment as usize;
            if segments.len() == self.probes {
                break;
            }
            if !segments.contains(&segment) {
                segments.push(segment);
            }
        }
        Ok(segments)
    }

    /// Whether any cell leads to a segment.
    #[must_use]
    pub fn leads_to(&self, segment: usize) -> bool {
        self.segments.iter().any(|other| *other as usize == segment)
    }

    /// Asks so many segments from now on.
    pub const fn set_probes(&mut self, probes: usize) {
        self.probes = probes;
    }
}
