//! The clusters of a bundle: the segments that the cells of its partition lead to.
//!
//! What is asked of a server in the modes between standard and local is a cluster's number and nothing finer. Segments of
//! videos that were added since belong to no cluster; everybody fetches those.

use crate::manifest::{FileEntry, Manifest};

/// The clusters of a bundle, two or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// The partition's name. Cluster numbers mean the same in two bundles exactly where this is equal.
    pub partition: String,
    /// The segment of each cluster, by its number in the manifest, ascending.
    pub segments: Vec<usize>,
    /// The public distribution: how often each cluster is wanted by the public, as weights of 1 or more.
    pub weights: Vec<u64>,
}

impl Clusters {
    /// The clusters of a bundle; `None` where it has fewer than two, which hide nothing.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let cells = manifest.cells.as_ref()?;
        let led_to = |number: &usize| cells.segments.iter().any(|segment| *segment as usize == *number);
        let segments: Vec<usize> = (0..manifest.segments.len()).filter(led_to).collect();
        let weight = |number: &usize| {
            let stated = cells.public.get(*number).copied();
            let home = manifest.segments.get(*number).map(|segment| segment.home);
            u64::from(stated.or(home).unwrap_or(1).max(1))
        };
        let weights = segments.iter().map(weight).collect();
        let partition = cells.centroids.sha256.get(..16).unwrap_or_default().to_owned();
        (segments.len() > 1).then_some(Self {
            partition,
            segments,
            weights,
        })
    }

    /// The cluster of a segment.
    #[must_use]
    pub fn of_segment(&self, segment: usize) -> Option<u32> {
        let at = self.segments.binary_search(&segment).ok()?;
        u32::try_from(at).ok()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.segments.len()
    }

    /// Never: a bundle with fewer than two has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The segments of no cluster.
    pub fn common_segments<'a>(&'a self, manifest: &'a Manifest) -> impl Iterator<Item = usize> + 'a {
        (0..manifest.segments.len()).filter(|number| self.of_segment(*number).is_none())
    }
}

/// What everybody fetches after the manifest in a mode that searches in the browser, in this order: the dictionaries, the
/// tombstones where there are any, the centroids where there are clusters, the files of every segment of no cluster, and the
/// ranker where there is one.
#[must_use]
pub fn common_files<'a>(manifest: &'a Manifest, clusters: Option<&Clusters>) -> Vec<&'a FileEntry> {
    let mut files = vec![&manifest.dictionaries];
    files.extend(&manifest.removed);
    if let (Some(cells), Some(_)) = (&manifest.cells, clusters) {
        files.push(&cells.centroids);
    }
    for (number, segment) in manifest.segments.iter().enumerate() {
        if clusters.is_none_or(|clusters| clusters.of_segment(number).is_none()) {
            files.extend([&segment.shard, &segment.items]);
            files.extend(&segment.co_watch);
        }
    }
    files.extend(&manifest.ranker);
    files
}

/// The number of the epoch of a time, in milliseconds since 1970-01-01 UTC, where each is `length_ms` long.
#[must_use]
pub const fn epoch(now_ms: i64, length_ms: i64) -> i64 {
    // An epoch of no length would divide by zero.
    let length_ms = if length_ms < 1 { 1 } else { length_ms };
    now_ms.div_euclid(length_ms)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::manifest::{Cells, SearchSettings, SegmentEntry};

    pub(in crate::privacy) fn entry(stem: &str) -> FileEntry {
        FileEntry::of(stem, "bin", stem.as_bytes())
    }

    pub(in crate::privacy) fn segment(number: usize) -> SegmentEntry {
        SegmentEntry {
            rows: 10,
            home: 5 + number as u32,
            shard: entry(&format!("shard{number}")),
            items: entry(&format!("items{number}")),
            co_watch: None,
            delta: number == 3,
        }
    }

    fn manifest() -> Manifest {
        let search = SearchSettings {
            ef: 64,
            flat_up_to: 5000,
        };
        let segments = (0..4).map(segment).collect();
        let mut manifest = Manifest::new(1, String::new(), 8, 20, search, entry("lists"), segments);
        manifest.cells = Some(Cells {
            centroids: entry("cells"),
            segments: vec![2, 0, 1, 2],
            probes: 3,
            public: Vec::new(),
        });
        manifest
    }

    #[test]
    fn clusters_are_the_segments_of_cells() {
        let mut manifest = manifest();
        let clusters = Clusters::of(&manifest).unwrap();
        assert_eq!(clusters.segments, [0, 1, 2]);
        assert_eq!(
            clusters.weights,
            [5, 6, 7],
            "without a stated distribution every video counts one"
        );
        assert_eq!((clusters.of_segment(2), clusters.of_segment(3)), (Some(2), None));
        if let Some(cells) = &mut manifest.cells {
            cells.public = vec![9, 0, 4];
        }
        assert_eq!(Clusters::of(&manifest).unwrap().weights, [9, 1, 4]);
    }

    #[test]
    fn one_cluster_is_none() {
        let mut one = manifest();
        one.cells.as_mut().unwrap().segments = vec![1, 1];
        assert_eq!(Clusters::of(&one), None);
        one.cells = None;
        assert_eq!(Clusters::of(&one), None);
    }

    #[test]
    fn everybody_fetches_the_same_common_files() {
        let mut manifest = manifest();
        manifest.ranker = Some(entry("ranker"));
        manifest.removed = Some(entry("removed"));
        let clusters = Clusters::of(&manifest).unwrap();
        let files = common_files(&manifest, Some(&clusters));
        let stems: Vec<_> = files
            .iter()
            .filter_map(|file| file.file.split('-').next())
            .collect();
        assert_eq!(stems, ["lists", "removed", "cells", "shard3", "items3", "ranker"]);
    }

    #[test]
    fn epochs_follow_each_other() {
        assert_eq!(
            [epoch(0, 10), epoch(9, 10), epoch(10, 10), epoch(-1, 10)],
            [0, 0, 1, -1]
        );
        assert_eq!(epoch(7, 0), 7);
    }
}
