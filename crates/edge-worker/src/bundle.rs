//! The bundle: read from R2 or from static assets into memory sized beforehand, and kept across requests.

use futures_util::StreamExt;
use recsys_core::bytes::AlignedBytes;
use recsys_core::items::dictionaries::DictionaryFile;
use recsys_core::manifest::{self, FileDigest, FileEntry, Manifest, SegmentEntry};
use recsys_core::removed::Removed;
use recsys_core::segment::{Router, Segment, Segments, Slot};
use recsys_core::shard::Scratch;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
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
    /// What codes name.
    pub dictionaries: DictionaryFile,
    /// The segments that could be loaded, and which of them to ask.
    pub segments: Segments,
    /// Why a part is missing, where one is.
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

/// Keeps what was loaded, or the bundle at hand.
fn keep(at_hand: Option<Rc<Loaded>>, loaded: Result<Option<Loaded>, String>) -> Result<Rc<Loaded>, String> {
    match (loaded, at_hand) {
        (Ok(Some(new)), Some(old)) if new.fault.is_some() && old.fault.is_none() => Ok(old),
        (Ok(Some(new)), _) => {
            let new = Rc::new(new);
            CURRENT.set(Some(Rc::clone(&new)));
            Ok(new)
        }
        (Ok(None) | Err(_), Some(old)) => Ok(old),
        (Ok(None), None) => Err("the bundle is not loaded".to_owned()),
        (Err(fault), None) => {
            LAST_FAULT.set(Some(fault.clone()));
            Err(fault)
        }
    }
}

/// Loads the published bundle; `None` where it is the one at hand, or has a lower sequence.
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
    let manifest = Manifest::parse(&manifest_bytes).map_err(|e| e.to_string())?;
    if at_hand.is_some_and(|old| manifest.sequence < old.manifest.sequence) {
        return Ok(None);
    }
    let dictionaries = file(&source, &manifest.dictionaries).await?;
    let dictionaries = DictionaryFile::open(dictionaries).map_err(|e| e.to_string())?;
    let removed = match &manifest.removed {
        Some(entry) => {
            let file = file(&source, entry).await?;
            Some(Removed::open(file, manifest.segments.len()).map_err(|e| e.to_string())?)
        }
        None => None,
    };
    let mut faults = Vec::new();
    let mut slots = Vec::new();
    for (number, entry) in manifest.segments.iter().enumerate() {
        let known = at_hand.and_then(|old| reusable(old, entry));
        let segment = match known {
            Some(segment) => Ok(segment),
            None => segment(&source, &manifest, &dictionaries, entry, &mut faults).await,
        };
        let rows = removed
            .as_ref()
            .map(|removed| removed.rows(number))
            .unwrap_or_default();
        let slot = segment.and_then(|segment| Slot::new(segment, entry, rows).map_err(|e| e.to_string()));
        slots.push(
            slot.map_err(|error| faults.push(format!("segment {number}: {error}")))
                .ok(),
        );
    }
    if slots.iter().all(Option::is_none) {
        return Err(faults.join("; "));
    }
    let routes = match router(&source, &manifest).await {
        Ok(routes) => routes,
        Err(error) => {
            // Then all segments are asked.
            faults.push(format!("cells: {error}"));
            None
        }
    };
    Ok(Some(Loaded {
        id: manifest::bundle_id(&manifest_bytes),
        segments: Segments::new(&manifest, slots, routes),
        manifest_bytes,
        manifest,
        dictionaries,
        fault: (!faults.is_empty()).then(|| faults.join("; ")),
        scratch: RefCell::new(Scratch::default()),
    }))
}

/// A segment that is at hand already, whole and of the same files.
fn reusable(old: &Loaded, entry: &SegmentEntry) -> Option<Arc<Segment>> {
    let mut entries = old.manifest.segments.iter();
    let number = entries.position(|known| known.home == entry.home && known.files().eq(entry.files()))?;
    let segment = old.segments.get(number)?.segment();
    let whole = segment.shard().is_some() && segment.co_watch().is_some() == entry.co_watch.is_some();
    whole.then(|| Arc::clone(segment))
}

/// A segment; without its vectors or its co-watch lists where these cannot be had, which is a fault and not an error.
async fn segment(
    source: &Source,
    manifest: &Manifest,
    dictionaries: &DictionaryFile,
    entry: &SegmentEntry,
    faults: &mut Vec<String>,
) -> Result<Arc<Segment>, String> {
    let items = file(source, &entry.items).await?;
    let segment = Segment::open(entry, dictionaries.counts(), items);
    let mut segment = segment.map_err(|e| e.to_string())?;
    let added = match file(source, &entry.shard).await {
        Ok(file) => segment
            .add_shard(entry, manifest.dim, file)
            .map_err(|e| e.to_string()),
        Err(error) => Err(error),
    };
    faults.extend(added.err().map(|error| format!("shard: {error}")));
    if let Some(co_watch) = &entry.co_watch {
        let added = match file(source, co_watch).await {
            Ok(file) => segment.add_co_watch(file).map_err(|e| e.to_string()),
            Err(error) => Err(error),
        };
        faults.extend(added.err().map(|error| format!("co-watch: {error}")));
    }
    Ok(Arc::new(segment))
}

async fn router(source: &Source, manifest: &Manifest) -> Result<Option<Router>, String> {
    let Some(cells) = &manifest.cells else {
        return Ok(None);
    };
    let centroids = file(source, &cells.centroids).await?;
    let router = Router::open(cells, manifest.dim, centroids).map_err(|e| e.to_string())?;
    Ok(Some(router))
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

/// A file of the length that the manifest states, streamed into memory of that size and hashed as it comes.
async fn file(source: &Source, entry: &FileEntry) -> Result<AlignedBytes, String> {
    let length = usize::try_from(entry.bytes).map_err(|_| format!("{}: too large", entry.file))?;
    let mut bytes = AlignedBytes::zeroed(length);
    let mut filled = 0;
    let mut digest = FileDigest::default();
    let mut stream = stream(source, &entry.file).await?;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| format!("{}: {e}", entry.file))?;
        let Some(room) = bytes.as_mut_slice().get_mut(filled..filled + chunk.len()) else {
            return Err(format!("{}: more than {length} bytes", entry.file));
        };
        room.copy_from_slice(&chunk);
        digest.add(&chunk);
        filled += chunk.len();
    }
    entry.check_digest(digest).map_err(|e| e.to_string())?;
    Ok(bytes)
}
