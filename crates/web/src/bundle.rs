//! The published bundle, as far as this browser holds it: the manifest and the ranker in every mode, the shards and
//! the item table in local mode.

use crate::failure::Failure;
use crate::net::Net;
use crate::trust::Trust;
use recsys_core::bytes::AlignedBytes;
use recsys_core::candidates::{Candidate, Candidates, Slice, Source};
use recsys_core::catalogue::{ItemFacts, ItemId, id_hash};
use recsys_core::cowatch::{CoWatch, Neighbour};
use recsys_core::items::ItemTable;
use recsys_core::manifest::{Manifest, SearchSettings};
use recsys_core::privacy::local;
use recsys_core::rerank::Ranker;
use recsys_core::session::SeenSet;
use recsys_core::shard::{Located, Scratch, Shard, Shards};

/// The most bytes of local mode, all files together.
const MAX_LOCAL_BYTES: u64 = 512 << 20;

/// Which rows a search may give. One type for all callers, so that the module holds the search once.
pub type Accept<'a> = &'a dyn Fn(u32) -> bool;

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
    shards: Shards,
    items: ItemTable,
    /// What is watched along with what; `None` where the bundle has no such file.
    co_watch: Option<CoWatch>,
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
        let shards = files
            .by_ref()
            .take(manifest.shards.len())
            .map(|file| open_shard(file?, &manifest));
        let shards = shards.collect::<Result<Vec<_>, _>>()?;
        let items = files
            .next()
            .unwrap_or_else(|| Err(Failure::bad_reply("the manifest names no item table")))?;
        let items = ItemTable::open(items).map_err(Failure::bad_reply)?;
        check_rows(&shards, &items)?;
        let ranker = ranker(manifest.ranker.as_ref().and_then(|_| files.next()));
        let co_watch = manifest.co_watch.as_ref().and_then(|_| files.next());
        let co_watch = co_watch
            .map(|file| CoWatch::open(file?, items.len()).map_err(Failure::bad_reply))
            .transpose()?;
        let local = Self {
            name: name.clone(),
            search: manifest.search,
            dim: manifest.dim as usize,
            // All of them: nothing is saved by asking fewer.
            shards: Shards::new(shards.into_iter().map(Some).collect(), None),
            items,
            co_watch,
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
        let row = self.items.row(id)?;
        let name = |row| id_hash(self.items.id(row));
        let neighbours = self.co_watch.as_ref().map(|file| file.neighbours(row, name));
        Some((self.items.facts(row), neighbours.unwrap_or_default()))
    }

    /// The item table.
    pub const fn items(&self) -> &ItemTable {
        &self.items
    }

    /// The bundle's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `k` videos nearest to a query that were not seen, nearest first.
    ///
    /// # Errors
    /// The query does not fit the shards.
    pub fn nearest(&mut self, query: &[f32], k: usize, seen: &SeenSet) -> Result<Candidates, Failure> {
        let seen = self.rows(seen);
        let options = self.search.options(k);
        let accept: Accept<'_> = &|row| !is_marked(&seen, row as usize);
        let nearest = self.shards.nearest(query, &options, &mut self.scratch, accept);
        let nearest = nearest.map_err(Failure::bad_reply)?;
        Ok(self.collect(&nearest.found, Source::Personal))
    }

    /// The `k` most popular videos that were not seen, most popular first.
    pub fn popular(&self, k: usize, seen: &SeenSet) -> Candidates {
        let seen = self.rows(seen);
        let accept = |row: usize| !is_marked(&seen, row);
        self.at_rows(&self.items.popular(k, accept))
    }

    /// One video.
    pub fn candidate(&self, id: &ItemId) -> Option<Candidate> {
        let row = self.items.row(id.as_str())?;
        self.at_rows(&[row]).list.pop()
    }

    /// One a row of the item table: whether its id is among these.
    fn rows(&self, ids: &SeenSet) -> Vec<bool> {
        let mut marked = vec![false; self.items.len()];
        for row in ids.iter().filter_map(|id| self.items.row(id.as_str())) {
            if let Some(mark) = marked.get_mut(row) {
                *mark = true;
            }
        }
        marked
    }

    /// The videos at some rows, in their order.
    fn at_rows(&self, rows: &[usize]) -> Candidates {
        let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let score = |row: u32| self.items.popularity(row as usize);
        self.collect(&self.shards.locate(&rows, score), Source::Popular)
    }

    fn collect(&self, hits: &[Located<'_>], source: Source) -> Candidates {
        let slice = Slice {
            dim: self.dim,
            items: &self.items,
            co_watch: self.co_watch.as_ref(),
            hits,
            source,
            bundle: &self.name,
            degraded: None,
        };
        slice.collect()
    }
}

fn is_marked(marked: &[bool], row: usize) -> bool {
    marked.get(row).copied().unwrap_or(false)
}

fn open_shard(file: AlignedBytes, manifest: &Manifest) -> Result<Shard, Failure> {
    let shard = Shard::open(file).map_err(Failure::bad_reply)?;
    if shard.dim() == manifest.dim as usize {
        return Ok(shard);
    }
    let (found, expected) = (shard.dim(), manifest.dim);
    let message = format!("a shard has {found} dimensions, the manifest says {expected}; rebuild the bundle");
    Err(Failure::bad_reply(message))
}

fn check_rows(shards: &[Shard], items: &ItemTable) -> Result<(), Failure> {
    let mut rows = shards.iter().flat_map(|shard| shard.rows());
    match rows.find(|row| **row as usize >= items.len()) {
        None => Ok(()),
        Some(row) => {
            let n = items.len();
            let message = format!("a shard names row {row}, the item table has {n} rows; rebuild the bundle");
            Err(Failure::bad_reply(message))
        }
    }
}
