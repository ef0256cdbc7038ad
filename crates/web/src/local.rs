//! The part of the catalogue that this browser searches by itself: all of it in local mode, a few clusters in the modes
//! between standard and local.

use crate::bundle::{Bundle, ranker};
use crate::failure::Failure;
use crate::net::{FOR_EVERYBODY, Net};
use crate::trust::Trust;
use recsys_core::bytes::AlignedBytes;
use recsys_core::candidates::{Answer, Candidate, Candidates, Source};
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::cowatch::Neighbour;
use recsys_core::items::dictionaries::DictionaryFile;
use recsys_core::manifest::{FileEntry, Manifest, SearchSettings, SegmentEntry};
use recsys_core::privacy::{Clusters, common_files};
use recsys_core::removed::Removed;
use recsys_core::segment::{Conditions, Located, Router, Segment, Segments, Slot, Wanted};
use recsys_core::session::SeenSet;
use recsys_core::shard::Scratch;
use std::sync::Arc;

/// The most bytes that a browser fetches of a catalogue, all files together.
const MAX_BYTES: u64 = 512 << 20;

/// What is searched here.
pub struct Local {
    /// The bundle's name.
    name: String,
    search: SearchSettings,
    dim: usize,
    dictionaries: DictionaryFile,
    removed: Option<Removed>,
    segments: Segments,
    /// Is there where clusters are fetched when they are wanted.
    part: Option<Part>,
    scratch: Scratch,
}

/// The clusters of a catalogue of which a part is here.
struct Part {
    clusters: Clusters,
    router: Router,
}

/// Files in the order in which they were asked for.
struct Files(std::vec::IntoIter<Result<AlignedBytes, Failure>>);

impl Files {
    /// Asks for all of them, whichever fails, so that the requests do not depend on that; `words` says why.
    async fn fetch(net: &mut Net, entries: Vec<&FileEntry>, words: &str) -> Self {
        let mut fetched = Vec::new();
        for entry in entries {
            fetched.push(net.file(entry, words).await);
        }
        Self(fetched.into_iter())
    }

    fn next(&mut self) -> Result<AlignedBytes, Failure> {
        let none = || {
            Err(Failure::bad_reply(
                "the manifest names fewer files than it has parts",
            ))
        };
        self.0.next().unwrap_or_else(none)
    }
}

impl Local {
    /// Fetches the whole catalogue, or, where `in_part`, what everybody has of it: the same requests in the same order for
    /// everybody, whatever is at hand already and whichever of them fails.
    ///
    /// # Errors
    /// A part other than the ranker is missing or damaged, the whole is too large for a browser, or the bundle has no clusters.
    pub async fn fetch(net: &mut Net, trust: &Trust, in_part: bool) -> Result<(Bundle, Self), Failure> {
        let (name, manifest) = trust.open(&net.manifest().await?).await?;
        let clusters = Clusters::of(&manifest).filter(|_| in_part);
        if in_part && clusters.is_none() {
            let message = "this catalogue has no clusters, which the mode asks for; index it with `--shards 16`, or choose \
                another mode";
            return Err(Failure::bad_reply(message));
        }
        let all = common_files(&manifest, clusters.as_ref());
        let total: u64 = all.iter().map(|entry| entry.bytes).sum();
        if total > MAX_BYTES {
            let message = format!(
                "this mode would fetch {total} bytes, at most {MAX_BYTES} are allowed; use standard mode"
            );
            return Err(Failure::bad_reply(message));
        }
        let mut files = Files::fetch(net, all, FOR_EVERYBODY).await;
        let dictionaries = DictionaryFile::open(files.next()?).map_err(Failure::bad_reply)?;
        let removed = match &manifest.removed {
            Some(_) => {
                let removed = Removed::open(files.next()?, manifest.segments.len());
                Some(removed.map_err(Failure::bad_reply)?)
            }
            None => None,
        };
        let part = match (clusters, &manifest.cells) {
            (Some(clusters), Some(cells)) => {
                let router = Router::open(cells, manifest.dim, files.next()?).map_err(Failure::bad_reply)?;
                Some(Part { clusters, router })
            }
            _ => None,
        };
        let mut local = Self {
            name: name.clone(),
            search: manifest.search,
            dim: manifest.dim as usize,
            dictionaries,
            removed,
            // Of those that are here all are asked: nothing is saved by asking fewer.
            segments: Segments::new(&manifest, vec![None; manifest.segments.len()], None),
            part,
            scratch: Scratch::default(),
        };
        for (number, entry) in manifest.segments.iter().enumerate() {
            if local.cluster_of(number).is_none() {
                local.put(number, entry, &mut files)?;
            }
        }
        let ranker = ranker(manifest.ranker.as_ref().map(|_| files.next()));
        Ok((
            Bundle {
                name,
                manifest,
                ranker,
            },
            local,
        ))
    }

    fn cluster_of(&self, segment: usize) -> Option<u32> {
        self.part.as_ref()?.clusters.of_segment(segment)
    }

    /// Opens a segment from its files, which come in the manifest's order.
    fn put(&mut self, number: usize, entry: &SegmentEntry, files: &mut Files) -> Result<(), Failure> {
        let (shard, items) = (files.next()?, files.next()?);
        let mut segment =
            Segment::open(entry, self.dictionaries.counts(), items).map_err(Failure::bad_reply)?;
        let dim = u32::try_from(self.dim).unwrap_or_default();
        segment.add_shard(entry, dim, shard).map_err(Failure::bad_reply)?;
        if entry.co_watch.is_some() {
            segment.add_co_watch(files.next()?).map_err(Failure::bad_reply)?;
        }
        let rows = self.removed.as_ref().map(|removed| removed.rows(number));
        let slot = Slot::new(Arc::new(segment), entry, rows.unwrap_or_default());
        self.segments.put(number, Some(slot.map_err(Failure::bad_reply)?));
        Ok(())
    }

    /// The clusters, where they are fetched when they are wanted.
    pub fn clusters(&self) -> Option<&Clusters> {
        self.part.as_ref().map(|part| &part.clusters)
    }

    /// The cluster that a query is nearest to.
    ///
    /// # Errors
    /// The query does not fit the centroids.
    pub fn nearest_cluster(&mut self, query: &[f32]) -> Result<u32, Failure> {
        let none = || Failure::bad_reply("no cell of the catalogue leads to a cluster");
        let part = self.part.as_ref().ok_or_else(none)?;
        let near = part
            .router
            .route(query, &mut self.scratch)
            .map_err(Failure::bad_reply)?;
        let cluster = near
            .into_iter()
            .find_map(|segment| part.clusters.of_segment(segment));
        cluster.ok_or_else(none)
    }

    /// Fetches the clusters among these that are not here yet, in their order; `words` says why.
    ///
    /// # Errors
    /// A file is missing or damaged; those before it are here.
    pub async fn add(
        &mut self,
        net: &mut Net,
        manifest: &Manifest,
        wanted: &[u32],
        words: &str,
    ) -> Result<(), Failure> {
        for cluster in wanted {
            let segments = self.clusters().map(|clusters| &clusters.segments);
            let number = segments
                .and_then(|segments| segments.get(*cluster as usize))
                .copied();
            let Some((number, entry)) = number.and_then(|n| Some((n, manifest.segments.get(n)?))) else {
                continue;
            };
            if self.segments.get(number).is_none() {
                let mut files = Files::fetch(net, entry.files().collect(), words).await;
                self.put(number, entry, &mut files)?;
            }
        }
        Ok(())
    }

    /// Whether all of these clusters are here.
    pub fn has(&self, wanted: &[u32]) -> bool {
        let Some(Part { clusters, .. }) = &self.part else {
            return true;
        };
        let segment = |cluster: &u32| clusters.segments.get(*cluster as usize);
        wanted
            .iter()
            .filter_map(segment)
            .all(|number| self.segments.get(*number).is_some())
    }

    /// What a session keeps of a video beside its vector.
    pub fn known(&self, id: &str) -> Option<(ItemFacts, Vec<Neighbour>)> {
        let located = self.located(id)?;
        let row = located.hit.row as usize;
        Some((
            located.segment.items().facts(row),
            located.segment.neighbours(row),
        ))
    }

    fn located(&self, id: &str) -> Option<Located<'_>> {
        self.segments.find(std::iter::once(id)).pop()
    }

    /// The cell of a video's still.
    pub fn cell(&self, id: &str) -> Option<u32> {
        self.located(id).map(|located| located.cell())
    }

    /// What the codes of videos name.
    pub const fn dictionaries(&self) -> &DictionaryFile {
        &self.dictionaries
    }

    /// The bundle's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `k` videos nearest to a query, nearest first, or the most popular ones without a query: of those that were not
    /// seen and that fit the conditions.
    ///
    /// # Errors
    /// The query does not fit the shards.
    pub fn candidates(
        &mut self,
        query: Option<&[f32]>,
        k: usize,
        seen: &SeenSet,
        conditions: &Conditions,
    ) -> Result<Candidates, Failure> {
        let exclude: Vec<&str> = seen.iter().map(ItemId::as_str).collect();
        let wanted = Wanted {
            k,
            filter: &conditions.resolve(&self.dictionaries),
            exclude: &exclude,
        };
        let Some(query) = query else {
            return Ok(self.collect(&self.segments.popular(&wanted).found, Source::Popular));
        };
        let nearest = self
            .segments
            .nearest(query, &self.search, &wanted, &mut self.scratch);
        let nearest = nearest.map_err(Failure::bad_reply)?;
        Ok(self.collect(&nearest.found, Source::Personal))
    }

    /// One video, where it fits the conditions.
    pub fn candidate(&self, id: &str, conditions: &Conditions) -> Option<Candidate> {
        let located = self.located(id)?;
        let fits = located.fits(&conditions.resolve(&self.dictionaries));
        let hits: &[Located<'_>] = if fits { &[located] } else { &[] };
        self.collect(hits, Source::Popular).list.pop()
    }

    fn collect(&self, hits: &[Located<'_>], source: Source) -> Candidates {
        let answer = Answer {
            dim: self.dim,
            entries: hits,
            source,
            bundle: &self.name,
            degraded: None,
        };
        answer.collect()
    }
}
