//! Writing a bundle so that readers see the old one or the new one.

use super::Bundle;
use crate::files::UNFINISHED;
use crate::signing::{Signer, Signing};
use anyhow::{Context, Result, ensure};
use recsys_core::catalogue::ItemFacts;
use recsys_core::cowatch::{self, Neighbour};
use recsys_core::items;
use recsys_core::manifest::{self, FileEntry, Manifest, SegmentEntry};
use recsys_core::removed;
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Collects the files of a bundle in a folder beside its destination, and moves them there in one go.
///
/// Where it is dropped before [`BundleWriter::publish`], nothing is left and the destination is as it was.
pub struct BundleWriter {
    out: PathBuf,
    stage: TempDir,
    signer: Signer,
}

impl BundleWriter {
    /// Starts a bundle for `out`, which may hold an older bundle, be empty, or not exist. It will be signed.
    ///
    /// # Errors
    /// `out` holds something else, or a signed bundle where this one is not to be signed; a key cannot be read; or the folder
    /// beside `out` cannot be made.
    pub fn new(out: &Path, signing: &Signing) -> Result<Self> {
        check_replaceable(out, "--out")?;
        let signer = signing.signer()?;
        if let Some(old) = Replaced::of(out)? {
            signer.check_signs(old.signed, &out.display().to_string())?;
        }
        let parent = match out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent)
            .with_context(|| format!("{}: cannot make the folder", parent.display()))?;
        let stage = tempfile::Builder::new()
            .prefix(".recsys-bundle-")
            .tempdir_in(parent)
            .with_context(|| format!("{}: cannot make a folder in it", parent.display()))?;
        Ok(Self {
            out: out.to_owned(),
            stage,
            signer,
        })
    }

    /// One more than the sequence of the bundle that `out` holds; 1 where it holds none.
    pub fn next_sequence(&self) -> Result<u64> {
        Ok(Replaced::of(&self.out)?.map_or(1, |old| old.sequence.saturating_add(1)))
    }

    /// Writes a file under a name that holds its hash.
    pub fn add(&self, stem: &str, extension: &str, bytes: &[u8]) -> Result<FileEntry> {
        let entry = FileEntry::of(stem, extension, bytes);
        let path = self.stage.path().join(&entry.file);
        std::fs::write(&path, bytes).with_context(|| format!("{}: cannot write", path.display()))?;
        Ok(entry)
    }

    /// [`BundleWriter::publish`] under the next sequence, with the time of now. Gives the sequence.
    fn republish(self, mut manifest: Manifest) -> Result<u64> {
        manifest.sequence = self.next_sequence()?;
        manifest.created = crate::clock::now_rfc3339();
        self.publish(&manifest)?;
        Ok(manifest.sequence)
    }

    /// [`BundleWriter::republish`] with these rows of each segment as removed. Added segments of which nothing is left are
    /// left out.
    pub fn publish_removed(self, mut manifest: Manifest, removed: Vec<Vec<u32>>) -> Result<u64> {
        let is_left =
            |segment: &SegmentEntry, rows: &Vec<u32>| !segment.delta || rows.len() < segment.rows as usize;
        let segments = manifest.segments.into_iter().zip(removed);
        let (segments, removed): (Vec<SegmentEntry>, Vec<Vec<u32>>) =
            segments.filter(|(segment, rows)| is_left(segment, rows)).unzip();
        manifest.segments = segments;
        if let Some(cells) = &mut manifest.cells {
            cells.public.truncate(manifest.segments.len());
        }
        manifest.removed = match removed.iter().all(Vec::is_empty) {
            true => None,
            false => Some(self.add("removed", "bin", &removed::to_bytes(&removed))?),
        };
        self.republish(manifest)
    }

    /// Signs the manifest and moves the files to the destination, the manifest last, and removes files that no longer belong to it.
    /// Files that the manifest names and that are not in the stage must already be there.
    pub fn publish(self, manifest: &Manifest) -> Result<()> {
        let bytes = manifest.to_bytes();
        Manifest::parse(&bytes).context("the new manifest is not valid: this is a bug in recsys")?;
        let bytes = self.signer.seal(&bytes);
        std::fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        for entry in manifest.files() {
            let (from, to) = (self.stage.path().join(&entry.file), self.out.join(&entry.file));
            if from.exists() {
                std::fs::rename(&from, &to).with_context(|| format!("{}: cannot write", to.display()))?;
            }
            ensure!(
                to.is_file(),
                "{}: missing, though the manifest names it",
                to.display()
            );
        }
        let staged = self.stage.path().join(manifest::FILE_NAME);
        std::fs::write(&staged, &bytes).with_context(|| staged.display().to_string())?;
        let target = self.out.join(manifest::FILE_NAME);
        std::fs::rename(&staged, &target).with_context(|| format!("{}: cannot write", target.display()))?;
        remove_unnamed(&self.out, manifest)
    }
}

/// Refuses a folder that holds something else than a bundle; `option` names it.
///
/// # Errors
/// It does.
pub fn check_replaceable(folder: &Path, option: &str) -> Result<()> {
    if !folder.exists() || folder.join(manifest::FILE_NAME).is_file() {
        return Ok(());
    }
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{}: expected a folder for the bundle", folder.display()))?;
    for entry in entries {
        let name = entry.with_context(|| folder.display().to_string())?.file_name();
        // What a publisher left that was interrupted before there was a manifest.
        let ours = name.to_str().is_some_and(is_bundle_file);
        ensure!(
            ours,
            "{}: expected a bundle, an empty folder or nothing, found other files; choose another {option}",
            folder.display()
        );
    }
    Ok(())
}

/// What must be known of a bundle that is replaced, be it of an older version, whose other parts are not read any more.
pub struct Replaced {
    /// Its sequence.
    pub sequence: u64,
    /// Whether there are signatures in it, which may not hold.
    pub signed: bool,
}

impl Replaced {
    /// The bundle in a folder; `None` where there is none.
    fn of(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(manifest::FILE_NAME);
        match std::fs::read(&path) {
            Ok(bytes) => Self::parse(&bytes, &path.display().to_string()).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// The bundle of a `manifest.json`, which `path` names.
    ///
    /// # Errors
    /// It has no sequence.
    pub fn parse(file: &[u8], path: &str) -> Result<Self> {
        let file: Value = serde_json::from_slice(file).unwrap_or_default();
        // Version 1 had no envelope.
        let manifest = file.get("manifest").unwrap_or(&file);
        let sequence = manifest.get("sequence").and_then(Value::as_u64);
        let signatures = file.get("signatures").and_then(Value::as_array);
        Ok(Self {
            sequence: sequence.with_context(|| {
                format!(
                    "{path}: expected a bundle's manifest, found no sequence in it, and the new one must be higher; remove \
                    the damaged bundle, or choose another place"
                )
            })?,
            signed: signatures.is_some_and(|list| !list.is_empty()),
        })
    }
}

/// Whether a name is that of a bundle's file, by its start, or of one whose writer was interrupted.
pub fn is_bundle_file(name: &str) -> bool {
    [
        UNFINISHED,
        "shard-",
        "cells-",
        "items-",
        "ranker-",
        "sprites-",
        "cowatch-",
        "dictionaries-",
        "removed-",
        "modelcard-",
    ]
    .iter()
    .any(|stem| name.starts_with(stem))
}

/// Removes bundle files that the manifest does not name; files of other kinds stay.
fn remove_unnamed(out: &Path, manifest: &Manifest) -> Result<()> {
    let named: HashSet<&str> = manifest.files().map(|f| f.file.as_str()).collect();
    for entry in std::fs::read_dir(out).with_context(|| out.display().to_string())? {
        let path = entry.with_context(|| out.display().to_string())?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        if is_bundle_file(name) && !named.contains(name) {
            std::fs::remove_file(&path).with_context(|| format!("{}: cannot remove", path.display()))?;
        }
    }
    Ok(())
}

/// What training puts into a bundle.
pub struct Trainable<'a> {
    /// The compact model.
    pub ranker: &'a [u8],
    /// The model card, JSON.
    pub card: &'a [u8],
    /// Changes the facts of a row: its statistics.
    pub facts: &'a dyn Fn(usize, &mut ItemFacts),
    /// What is watched along with a row.
    pub neighbours: &'a dyn Fn(usize) -> Vec<Neighbour>,
    /// With which keys the bundle is signed.
    pub signing: &'a Signing,
}

/// The weights of the segments in the public distribution; none where there are no cells.
fn public_weights(manifest: &mut Manifest) -> &mut [u32] {
    let count = manifest.segments.len();
    match &mut manifest.cells {
        Some(cells) => {
            cells.public.resize(count, 1);
            &mut cells.public
        }
        None => &mut [],
    }
}

impl Bundle {
    /// Publishes this bundle again under the next sequence with another ranker, other co-watch lists and changed facts;
    /// vectors and stills stay as they are.
    pub fn replace_ranker(&self, trained: &Trainable<'_>) -> Result<()> {
        let writer = BundleWriter::new(self.dir(), trained.signing)?;
        let mut manifest = self.manifest().clone();
        for (number, slot) in self.segments().at_hand() {
            let segment = slot.segment();
            let rows = 0..segment.items().len();
            let own: Vec<Option<usize>> = rows.map(|row| self.row_of(number, row)).collect();
            let record = |(row, own): (usize, &Option<usize>)| {
                let mut record = super::record(segment, row)?;
                if let Some(own) = own {
                    (trained.facts)(*own, &mut record.facts);
                }
                Ok(record)
            };
            let records = own.iter().enumerate().map(record).collect::<Result<Vec<_>>>()?;
            if let Some(weight) = public_weights(&mut manifest).get_mut(number) {
                *weight = super::public_weight(records.iter().take(segment.home()));
            }
            let table = items::to_bytes(&records, segment.items().counts());
            let lists = own
                .iter()
                .map(|own| own.map_or_else(Vec::new, trained.neighbours));
            let Some(entry) = manifest.segments.get_mut(number) else {
                continue;
            };
            entry.items = writer.add("items", "bin", &table)?;
            entry.co_watch = Some(writer.add("cowatch", "bin", &cowatch::to_bytes(lists))?);
        }
        manifest.ranker = Some(writer.add("ranker", "bin", trained.ranker)?);
        manifest.model_card = Some(writer.add("modelcard", "json", trained.card)?);
        writer.republish(manifest).map(drop)
    }

    /// Publishes this bundle again under the next sequence, with a manifest that names the same files.
    pub fn republish(&self, manifest: Manifest, signing: &Signing) -> Result<()> {
        BundleWriter::new(self.dir(), signing)?
            .republish(manifest)
            .map(drop)
    }
}
