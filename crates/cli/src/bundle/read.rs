//! Reading the files of a bundle.

use anyhow::{Context, Result, bail};
use recsys_core::bytes::AlignedBytes;
use recsys_core::items::dictionaries::{Counts, Dictionaries, DictionaryFile};
use recsys_core::manifest::{FileEntry, Manifest, SegmentEntry};
use recsys_core::removed::Removed;
use recsys_core::rerank::Ranker;
use recsys_core::segment::{Router, Segment, Segments, Slot};
use std::path::Path;
use std::sync::Arc;

/// Reads a file of a bundle and holds it to its entry. Nothing is read where the length already differs.
pub fn checked(dir: &Path, entry: &FileEntry) -> Result<AlignedBytes> {
    let path = dir.join(&entry.file);
    let at = || path.display().to_string();
    let mut file = std::fs::File::open(&path).with_context(|| {
        format!(
            "{}: cannot open it, though the manifest names it; rebuild the bundle",
            at()
        )
    })?;
    let length = file.metadata().with_context(at)?.len();
    if length != entry.bytes {
        bail!(
            "{}: expected {} bytes, found {length}; fetch it again or rebuild the bundle",
            at(),
            entry.bytes
        );
    }
    let mut bytes = AlignedBytes::zeroed(usize::try_from(length).with_context(at)?);
    std::io::Read::read_exact(&mut file, bytes.as_mut_slice()).with_context(at)?;
    entry.check(bytes.as_slice()).with_context(at)?;
    Ok(bytes)
}

/// The dictionaries and all segments.
pub fn segments(dir: &Path, manifest: &Manifest) -> Result<(Dictionaries, Segments)> {
    let at = |entry: &FileEntry| dir.join(&entry.file).display().to_string();
    let entry = &manifest.dictionaries;
    let dictionaries = DictionaryFile::open(checked(dir, entry)?).with_context(|| at(entry))?;
    let removed = match &manifest.removed {
        Some(entry) => {
            let file = checked(dir, entry)?;
            Some(Removed::open(file, manifest.segments.len()).with_context(|| at(entry))?)
        }
        None => None,
    };
    let slot = |(number, entry): (usize, &SegmentEntry)| {
        let segment = segment(dir, manifest.dim, dictionaries.counts(), entry)?;
        let rows = removed.as_ref().map(|removed| removed.rows(number));
        let slot = Slot::new(Arc::new(segment), entry, rows.unwrap_or_default());
        Ok(Some(slot.with_context(|| format!("segment {number}"))?))
    };
    let slots = manifest
        .segments
        .iter()
        .enumerate()
        .map(slot)
        .collect::<Result<_>>()?;
    let router = match &manifest.cells {
        Some(cells) => {
            let centroids = checked(dir, &cells.centroids)?;
            let router = Router::open(cells, manifest.dim, centroids);
            Some(router.with_context(|| at(&cells.centroids))?)
        }
        None => None,
    };
    Ok((dictionaries.to_lists(), Segments::new(manifest, slots, router)))
}

fn segment(dir: &Path, dim: u32, counts: Counts, entry: &SegmentEntry) -> Result<Segment> {
    let at = |entry: &FileEntry| dir.join(&entry.file).display().to_string();
    let items = checked(dir, &entry.items)?;
    let mut segment = Segment::open(entry, counts, items).with_context(|| at(&entry.items))?;
    let shard = checked(dir, &entry.shard)?;
    segment
        .add_shard(entry, dim, shard)
        .with_context(|| at(&entry.shard))?;
    if let Some(file) = &entry.co_watch {
        segment
            .add_co_watch(checked(dir, file)?)
            .with_context(|| at(file))?;
    }
    Ok(segment)
}

/// The ranking model, where there is one.
pub fn ranker(dir: &Path, manifest: &Manifest) -> Result<Option<Ranker>> {
    let Some(entry) = &manifest.ranker else {
        return Ok(None);
    };
    let bytes = checked(dir, entry)?;
    let ranker = Ranker::from_bytes(bytes.as_slice());
    Ok(Some(
        ranker.with_context(|| dir.join(&entry.file).display().to_string())?,
    ))
}
