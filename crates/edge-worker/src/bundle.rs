//! The bundle: read from R2 or from static assets into memory sized beforehand, and kept across requests.

use crate::{last_seen, trust};
use futures_util::StreamExt;
use recsys_core::bytes::AlignedBytes;
use recsys_core::cowatch::CoWatch;
use recsys_core::items::ItemTable;
use recsys_core::manifest::{self, Cells, FileEntry, Manifest};
use recsys_core::shard::{Router, Scratch, Shard, Shards};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use worker::{Bucket, ByteStream, Date, Delay, Env, Fetcher};

/// How long the manifest is trusted before it is asked for again, in milliseconds.
const RECHECK_MS: u64 = 15_000;
/// How long after a fault the next try waits, in milliseconds.
const RETRY_MS: u64 = 2_000;
/// A load that takes longer was cut off with its request; another request may start over, in milliseconds.
const LOAD_MS: u64 = 20_000;

/// A loaded bundle. Immutable but for the search's scratch memory.
pub struct Loaded {
    /// Name: the start of the manifest's hash.
    pub id: String,
    /// The manifest as it was read.
    pub manifest_bytes: Vec<u8>,
    /// The manifest.
    pub manifest: Manifest,
    /// The item table.
    pub items: ItemTable,
    /// What is watched along with what, where the bundle has it and it could be loaded.
    pub co_watch: Option<CoWatch>,
    /// The shards that could be loaded, and which of them to ask.
    pub shards: Shards,
    /// Why shards are missing, where some are.
    pub fault: Option<String>,
    /// Memory of the search; requests of an isolate run one at a time between awaits.
    pub scratch: RefCell<Scratch>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Loaded>>> = const { RefCell::new(None) };
    static CHECKED_MS: Cell<u64> = const { Cell::new(0) };
    static LOADING_SINCE_MS: Cell<Option<u64>> = const { Cell::new(None) };
    static LAST_FAULT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Where the files are.
enum Source {
    R2(Bucket),
    Assets(Fetcher),
}

impl Source {
    const fn name(&self) -> &'static str {
        match self {
            Self::R2(_) => "r2",
            Self::Assets(_) => "assets",
        }
    }
}

/// The bundle; loaded by the first request, by one at a time. Where a newer one cannot be loaded, the one at hand
/// stays.
///
/// # Errors
/// No bundle could be loaded yet: what is missing.
pub async fn current(env: &Env) -> Result<Rc<Loaded>, String> {
    loop {
        let now = Date::now().as_millis();
        let at_hand = CURRENT.with_borrow(Clone::clone);
        let wait = if at_hand.as_ref().is_some_and(|b| b.fault.is_none()) {
            RECHECK_MS
        } else {
            RETRY_MS
        };
        let fresh = now.saturating_sub(CHECKED_MS.get()) < wait;
        let loading = LOADING_SINCE_MS
            .get()
            .is_some_and(|since| now.saturating_sub(since) < LOAD_MS);
        match at_hand {
            Some(bundle) if fresh || loading => return Ok(bundle),
            None if loading => Delay::from(Duration::from_millis(5)).await,
            None if fresh => {
                let fault = LAST_FAULT.with_borrow(Clone::clone);
                return Err(fault.unwrap_or_else(|| "the bundle is not loaded".to_owned()));
            }
            at_hand => {
                LOADING_SINCE_MS.set(Some(now));
                let loaded = load(env, at_hand.as_ref()).await;
                LOADING_SINCE_MS.set(None);
                CHECKED_MS.set(Date::now().as_millis());
                return keep(at_hand, loaded);
            }
        }
    }
}

/// Why what is published is not what is at hand, where that is so.
pub fn refused() -> Option<String> {
    LAST_FAULT.with_borrow(Clone::clone)
}

/// Keeps what was loaded, or the bundle at hand.
fn keep(at_hand: Option<Rc<Loaded>>, loaded: Result<Option<Loaded>, String>) -> Result<Rc<Loaded>, String> {
    match (loaded, at_hand) {
        (Ok(Some(new)), Some(old)) if new.fault.is_some() && old.fault.is_none() => {
            LAST_FAULT.set(new.fault);
            Ok(old)
        }
        (Ok(Some(new)), _) => {
            LAST_FAULT.set(None);
            let new = Rc::new(new);
            CURRENT.set(Some(Rc::clone(&new)));
            Ok(new)
        }
        (loaded, Some(old)) => {
            LAST_FAULT.set(loaded.err());
            Ok(old)
        }
        (Ok(None), None) => Err("the bundle is not loaded".to_owned()),
        (Err(fault), None) => {
            LAST_FAULT.set(Some(fault.clone()));
            Err(fault)
        }
    }
}

/// Loads the published bundle; `None` where it is the one at hand.
async fn load(env: &Env, at_hand: Option<&Rc<Loaded>>) -> Result<Option<Loaded>, String> {
    let source = match env.bucket("BUNDLE") {
        Ok(bucket) => Source::R2(bucket),
        Err(_) => Source::Assets(
            env.assets("ASSETS")
                .map_err(|e| format!("no R2 binding BUNDLE, and {e}"))?,
        ),
    };
    let manifest_bytes = whole(&source, manifest::FILE_NAME).await?;
    if let Some(old) = at_hand
        && old.fault.is_none()
        && old.manifest_bytes == manifest_bytes
    {
        return Ok(None);
    }
    let (id, manifest) = trust::open(env, &manifest_bytes)?;
    if let Some(old) = at_hand
        && manifest.sequence < old.manifest.sequence
    {
        return Err(last_seen::lower(old.manifest.sequence, manifest.sequence));
    }
    let place = last_seen::place(env, source.name());
    last_seen::check(&place, manifest.sequence).await?;
    let items = ItemTable::open(file(&source, &manifest.item_table).await?).map_err(|e| e.to_string())?;
    if items.len() != manifest.items as usize {
        return Err(format!(
            "item table: expected {} videos, found {}",
            manifest.items,
            items.len()
        ));
    }
    let mut shards = Vec::new();
    let mut fault = None;
    let mut co_watch = None;
    if let Some(entry) = &manifest.co_watch {
        let opened = file(&source, entry)
            .await
            .and_then(|bytes| CoWatch::open(bytes, items.len()).map_err(|e| e.to_string()));
        match opened {
            Ok(lists) => co_watch = Some(lists),
            Err(error) => fault = Some(format!("co-watch: {error}")),
        }
    }
    for entry in &manifest.shards {
        match shard(&source, entry, &manifest).await {
            Ok(shard) => shards.push(Some(shard)),
            Err(error) => {
                shards.push(None);
                fault = Some(format!("shard: {error}"));
            }
        }
    }
    let mut routes = None;
    if let Some(cells) = &manifest.cells {
        match router(&source, cells, &manifest).await {
            Ok(router) => routes = Some(router),
            // Then all shards are asked.
            Err(error) => fault = Some(format!("cells: {error}")),
        }
    }
    let shards = Shards::new(shards, routes);
    if fault.is_none() {
        last_seen::raise(&place, manifest.sequence).await;
    }
    let scratch = RefCell::new(Scratch::default());
    Ok(Some(Loaded {
        id,
        manifest_bytes,
        manifest,
        items,
        co_watch,
        shards,
        fault,
        scratch,
    }))
}

async fn shard(source: &Source, entry: &FileEntry, manifest: &Manifest) -> Result<Shard, String> {
    let shard = Shard::open(file(source, entry).await?).map_err(|e| e.to_string())?;
    if shard.dim() != manifest.dim as usize {
        return Err(format!(
            "{}: expected {} dimensions, found {}",
            entry.file,
            manifest.dim,
            shard.dim()
        ));
    }
    match shard.rows().iter().find(|&&row| row >= manifest.items) {
        Some(row) => Err(format!(
            "{}: row {row} is not below {}",
            entry.file, manifest.items
        )),
        None => Ok(shard),
    }
}

async fn router(source: &Source, cells: &Cells, manifest: &Manifest) -> Result<Router, String> {
    let centroids = Shard::open(file(source, &cells.centroids).await?).map_err(|e| e.to_string())?;
    if centroids.dim() != manifest.dim as usize {
        return Err(format!(
            "{}: expected {} dimensions, found {}",
            cells.centroids.file,
            manifest.dim,
            centroids.dim()
        ));
    }
    Router::new(centroids, cells.shards.clone(), cells.probes as usize).map_err(|e| e.to_string())
}

async fn stream(source: &Source, name: &str) -> Result<ByteStream, String> {
    let at = |e: worker::Error| format!("{name}: {e}");
    match source {
        Source::R2(bucket) => {
            let object = bucket.get(name).execute().await.map_err(at)?;
            let object = object.ok_or_else(|| format!("{name}: not in the R2 bucket"))?;
            let body = object.body().ok_or_else(|| format!("{name}: has no body"))?;
            body.stream().map_err(at)
        }
        Source::Assets(assets) => {
            let url = format!("http://assets.local/bundle/{name}");
            let mut response = assets.fetch(url, None).await.map_err(at)?;
            if response.status_code() != 200 {
                return Err(format!(
                    "{name}: status {} from the static assets",
                    response.status_code()
                ));
            }
            response.stream().map_err(at)
        }
    }
}

/// The manifest: a file of unknown, but limited, length.
async fn whole(source: &Source, name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut stream = stream(source, name).await?;
    while let Some(chunk) = stream.next().await {
        bytes.extend(chunk.map_err(|e| format!("{name}: {e}"))?);
        if bytes.len() > manifest::MAX_BYTES {
            return Err(format!("{name}: more than {} bytes", manifest::MAX_BYTES));
        }
    }
    Ok(bytes)
}

/// A file of the length that the manifest states, streamed into memory of that size and held to its hash.
async fn file(source: &Source, entry: &FileEntry) -> Result<AlignedBytes, String> {
    let length = usize::try_from(entry.bytes).map_err(|_| format!("{}: too large", entry.file))?;
    let mut bytes = AlignedBytes::zeroed(length);
    let mut filled = 0;
    let mut stream = stream(source, &entry.file).await?;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| format!("{}: {e}", entry.file))?;
        let Some(room) = bytes.as_mut_slice().get_mut(filled..filled + chunk.len()) else {
            return Err(format!("{}: more than {length} bytes", entry.file));
        };
        room.copy_from_slice(&chunk);
        filled += chunk.len();
    }
    let found = bytes.as_slice().get(..filled).unwrap_or_default();
    entry.check(found).map_err(|e| e.to_string())?;
    Ok(bytes)
}
