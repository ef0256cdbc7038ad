//! The published bundle, as far as this browser holds it: the manifest and the ranker in every mode, the segments in local
//! mode.

use crate::failure::Failure;
use crate::net::Net;
use crate::trust::Trust;
use recsys_core::bytes::AlignedBytes;
use recsys_core::candidates::{Answer, Candidate, Candidates, Source};
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::cowatch::Neighbour;
use recsys_core::items::dictionaries::DictionaryFile;
use recsys_core::manifest::{Manifest, SearchSettings};
use recsys_core::privacy::local;
use recsys_core::removed::Removed;
use recsys_core::rerank::Ranker;
use recsys_core::segment::{Conditions, Located, Segment, Segments, Slot, Wanted};
use recsys_core::session::SeenSet;
use recsys_core::shard::Scratch;
use std::sync::Arc;

/// The most bytes of local mode, all files together.
const MAX_LOCAL_BYTES: u64 = 512 << 20;

/// What every mode holds of a bundle.
pub struct Bundle {
    /// Its name.
    pub name: String,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its ranker, or why there is none.
    pub ranker: Result<Ranker, String>,
}

impl Bundle {
    /// Fetches the manifest, and the ranker that it names.
    ///
    /// # Errors
    /// No manifest. A missing ranker is none.
    pub async fn fetch(net: &mut Net, trust: &Trust) -> Result<Self, Failure> {
        let (name, manifest) = trust.open(&net.manifest().await?).await?;
        let ranker = match &manifest.ranker {
            Some(entry) => ranker(Some(net.file(entry).await)),
            None => ranker(None),
        };
        Ok(Self {
            name,
            manifest,
            ranker,
        })
    }

    /// The encoder of the vectors, where it is known.
    pub fn encoder(&self) -> Option<&str> {
        self.manifest
            .encoder
            .as_ref()
            .map(|encoder| encoder.sha256.as_str())
    }
}

fn ranker(fetched: Option<Result<AlignedBytes, Failure>>) -> Result<Ranker, String> {
    let bytes = fetched
        .ok_or("this bundle has none")?
        .map_err(|failure| failure.message)?;
    Ranker::from_bytes(bytes.as_slice()).map_err(|error| error.to_string())
}

/// What local mode searches in.
pub struct Local {
    /// The bundle's name.
    name: String,
    search: SearchSettings,
    dim: usize,
    dictionaries: DictionaryFile,
    segments: Segments,
    scratch: Scratch,
}

impl Local {
    /// Fetches what [`local::files`] names: the same requests in the same order for everybody, whatever is at hand
    /// already and whichever of them fails.
    ///
    /// # Errors
    /// A part other than the ranker is missing or damaged, or the whole is too large for a browser.
    pub async fn fetch(net: &mut Net, trust: &Trust) -> Result<(Bundle, Self), Failure> {
        let (name, manifest) = trust.open(&net.manifest().await?).await?;
        let total: u64 = local::files(&manifest).map(|entry| entry.bytes).sum();
        if total > MAX_LOCAL_BYTES {
            let message = format!(
                "local mode would fetch {total} bytes, at most {MAX_LOCAL_BYTES} are allowed; use standard mode"
            );
            return Err(Failure::bad_reply(message));
        }
        let mut fetched = Vec::new();
        for entry in local::files(&manifest) {
            fetched.push(net.file(entry).await);
        }
        let mut files = fetched.into_iter();
        let mut next = || {
            let none = || {
                Err(Failure::bad_reply(
                    "the manifest names fewer files than it has parts",
                ))
            };
            files.next().unwrap_or_else(none)
        };
        let dictionaries = DictionaryFile::open(next()?).map_err(Failure::bad_reply)?;
        let removed = match &manifest.removed {
            Some(_) => {
                let removed = Removed::open(next()?, manifest.segments.len());
                Some(removed.map_err(Failure::bad_reply)?)
            }
            None => None,
        };
        let mut slots = Vec::new();
        for (number, entry) in manifest.segments.iter().enumerate() {
            let (shard, items) = (next()?, next()?);
            let segment = Segment::open(entry, dictionaries.counts(), items);
            let mut segment = segment.map_err(Failure::bad_reply)?;
            segment
                .add_shard(entry, manifest.dim, shard)
                .map_err(Failure::bad_reply)?;
            if entry.co_watch.is_some() {
                segment.add_co_watch(next()?).map_err(Failure::bad_reply)?;
            }
            let rows = removed.as_ref().map(|removed| removed.rows(number));
            let slot = Slot::new(Arc::new(segment), entry, rows.unwrap_or_default());
            slots.push(Some(slot.map_err(Failure::bad_reply)?));
        }
        let ranker = ranker(manifest.ranker.as_ref().map(|_| next()));
        let local = Self {
            name: name.clone(),
            search: manifest.search,
            dim: manifest.dim as usize,
            dictionaries,
            // All of them: nothing is saved by asking fewer.
            segments: Segments::new(&manifest, slots, None),
            scratch: Scratch::default(),
        };
        Ok((
            Bundle {
                name,
                manifest,
                ranker,
            },
            local,
        ))
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
