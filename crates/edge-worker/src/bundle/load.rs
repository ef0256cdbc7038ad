//! The parts of a bundle, read and opened.

use super::loaded::Loaded;
use super::source::{Source, file};
use recsys_core::items::dictionaries::DictionaryFile;
use recsys_core::manifest::Manifest;
use recsys_core::removed::Removed;
use recsys_core::segment::{Router, Segment, Segments};
use std::sync::Arc;

/// A bundle with all but its segments; of these it has what `old` holds of the same files.
///
/// # Errors
/// Its dictionaries or its tombstones cannot be had.
pub async fn bundle(
    source: &Source,
    id: String,
    manifest: Manifest,
    manifest_bytes: Vec<u8>,
    old: Option<&Loaded>,
) -> Result<Loaded, String> {
    let dictionaries = file(source, &manifest.dictionaries).await?;
    let dictionaries = DictionaryFile::open(dictionaries).map_err(|e| e.to_string())?;
    let removed = match &manifest.removed {
        Some(entry) => {
            let file = file(source, entry).await?;
            Some(Removed::open(file, manifest.segments.len()).map_err(|e| e.to_string())?)
        }
        None => None,
    };
    // Without cells all segments are asked.
    let (router, note) = match router(source, &manifest).await {
        Ok(router) => (router, None),
        Err(error) => (None, Some(format!("cells: {error}"))),
    };
    let count = manifest.segments.len();
    let segments = Segments::new(&manifest, vec![None; count], router);
    let loaded = Loaded::new(
        id,
        manifest_bytes,
        manifest,
        dictionaries,
        removed,
        segments,
        note,
    );
    if let Some(old) = old {
        loaded.take_over(old);
    }
    Ok(loaded)
}

async fn router(source: &Source, manifest: &Manifest) -> Result<Option<Router>, String> {
    let Some(cells) = &manifest.cells else {
        return Ok(None);
    };
    let centroids = file(source, &cells.centroids).await?;
    let router = Router::open(cells, manifest.dim, centroids).map_err(|e| e.to_string())?;
    Ok(Some(router))
}

/// Loads a segment of a bundle into it. Its item table comes first, so that it can be shown what is popular while the
/// vectors are on their way, or where they cannot be had.
pub async fn segment(source: &Source, bundle: &Loaded, number: usize) {
    let mut faults = Vec::new();
    if let Err(error) = parts(source, bundle, number, &mut faults).await {
        faults.push(error);
    }
    bundle.settle(number, faults);
}

async fn parts(
    source: &Source,
    bundle: &Loaded,
    number: usize,
    faults: &mut Vec<String>,
) -> Result<(), String> {
    let Some(entry) = bundle.manifest.segments.get(number) else {
        return Err("there is no such segment".to_owned());
    };
    let counts = bundle.dictionaries.counts();
    let items = file(source, &entry.items).await?;
    let mut segment = Segment::open(entry, counts, items).map_err(|e| e.to_string())?;
    if let Some(co_watch) = &entry.co_watch {
        let added = match file(source, co_watch).await {
            Ok(file) => segment.add_co_watch(file).map_err(|e| e.to_string()),
            Err(error) => Err(error),
        };
        faults.extend(added.err().map(|error| format!("co-watch: {error}")));
    }
    let without_vectors = Arc::new(segment);
    bundle.insert(number, Arc::clone(&without_vectors))?;
    let shard = file(source, &entry.shard)
        .await
        .map_err(|e| format!("shard: {e}"))?;
    let mut segment = Segment::clone(&without_vectors);
    let added = segment.add_shard(entry, bundle.manifest.dim, shard);
    added.map_err(|error| format!("shard: {error}"))?;
    bundle.insert(number, Arc::new(segment))
}
