//! Publishing a bundle to where readers fetch it, as a list of steps. After any number of them a reader sees the old bundle
//! or the new one: a file's name holds its hash, so that adding files changes nothing, and the manifest is replaced at once.

mod folder;
mod r2;
#[cfg(test)]
mod tests;

pub use folder::Folder;
pub use r2::{Place, R2};

use crate::bundle::{Bundle, Replaced, is_bundle_file};
use crate::clock;
use crate::signing::Signer;
use anyhow::{Context, Result, ensure};
use recsys_core::envelope::Envelope;
use recsys_core::manifest::{self, FileEntry, Manifest};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Where readers fetch a bundle.
pub trait Destination {
    /// Its name in messages.
    fn name(&self) -> String;

    /// `manifest.json`; `None` where nothing was published yet.
    ///
    /// # Errors
    /// It cannot be read.
    fn manifest(&self) -> Result<Option<Vec<u8>>>;

    /// Whether a file is there that the manifest names.
    ///
    /// # Errors
    /// That cannot be found out.
    fn holds(&self, entry: &FileEntry) -> Result<bool>;

    /// Adds or replaces a file, at once.
    ///
    /// # Errors
    /// It cannot be written; what was there before stays.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove(&self, name: &str) -> Result<()>;

    /// The names of all files; `None` where they cannot be listed.
    ///
    /// # Errors
    /// They could be, but that failed.
    fn names(&self) -> Result<Option<Vec<String>>>;
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Add a file that the new manifest names.
    Add(FileEntry),
    /// Make the new manifest the published one.
    ReplaceManifest,
    /// Remove a file that neither the new manifest names nor the one before it, which readers may still hold.
    Remove(String),
}

/// What it takes to publish a bundle.
pub struct Plan {
    source: PathBuf,
    old: Option<Vec<u8>>,
    new: Vec<u8>,
    /// The bundle's name.
    pub id: String,
    /// Its sequence.
    pub sequence: u64,
    /// The steps, of which each must be done before the next.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Plans to publish the bundle in a folder; with `as_new`, its content under the next sequence of the destination.
    ///
    /// # Errors
    /// The bundle is damaged, what is published has its sequence or a higher one and is not the same, or is signed where the
    /// new one is not.
    pub fn new(source: &Path, to: &dyn Destination, signer: &Signer, as_new: bool) -> Result<Self> {
        let bundle = Bundle::open(source)?;
        let path = source.join(manifest::FILE_NAME);
        let file = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let envelope = Envelope::parse(&file).with_context(|| path.display().to_string())?;
        let old = to.manifest()?;
        let at = format!("{}: {}", to.name(), manifest::FILE_NAME);
        let replaced = old.as_deref().map(|old| Replaced::parse(old, &at)).transpose()?;

        let mut manifest = bundle.manifest().clone();
        let new = if as_new {
            if let Some(old) = &replaced {
                manifest.sequence = old.sequence.saturating_add(1);
            }
            manifest.created = clock::now_rfc3339();
            signer.check_signs(!envelope.signatures().is_empty(), &path.display().to_string())?;
            signer.seal(&manifest.to_bytes())
        } else if signer.has_keys() || signer.is_unsigned() {
            signer.seal(envelope.manifest_bytes())
        } else {
            file.clone()
        };
        let new_envelope =
            Envelope::parse(&new).context("the new manifest is not valid: this is a bug in recsys")?;
        // `None` where it is of an older version.
        let old_envelope = old.as_deref().and_then(|old| Envelope::parse(old).ok());
        if let Some(replaced) = &replaced {
            signer.check_replaces(replaced.signed, new_envelope.signatures().len(), &to.name())?;
            let same = |old: &Envelope<'_>| old.manifest_bytes() == new_envelope.manifest_bytes();
            ensure!(
                replaced.sequence < manifest.sequence || old_envelope.as_ref().is_some_and(same),
                "{}: expected a published bundle with a sequence below {}, found sequence {} of another bundle, and readers \
                refuse a lower one than they have seen; publish this content under the next sequence with --as-new",
                to.name(),
                manifest.sequence,
                replaced.sequence
            );
        }
        let old_manifest = old_envelope.and_then(|old| Manifest::parse(old.manifest_bytes()).ok());
        let published = match (&old, &old_manifest) {
            (None, _) => Published::Nothing,
            (Some(_), None) => Published::Unreadable,
            (Some(file), Some(old)) => Published::Bundle(old, *file == new),
        };
        let id = manifest::bundle_id(new_envelope.manifest_bytes());
        let steps = steps(to, &manifest, &published)?;
        Ok(Self {
            source: source.to_owned(),
            id,
            sequence: manifest.sequence,
            steps,
            old,
            new,
        })
    }

    /// Does one step.
    ///
    /// # Errors
    /// The file to be added is not what the manifest says, somebody else has published meanwhile, or the destination fails.
    pub fn run(&self, step: &Step, to: &dyn Destination) -> Result<()> {
        match step {
            Step::Add(entry) => {
                let path = self.source.join(&entry.file);
                let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
                entry.check(&bytes).with_context(|| path.display().to_string())?;
                to.put(&entry.file, &bytes)
            }
            Step::ReplaceManifest => {
                ensure!(
                    to.manifest()? == self.old,
                    "{}: expected the manifest that was there before, found another: somebody else is publishing; try again",
                    to.name()
                );
                to.put(manifest::FILE_NAME, &self.new)
            }
            Step::Remove(name) => to.remove(name),
        }
    }
}

/// What is at a destination.
enum Published<'a> {
    Nothing,
    /// A bundle of another version, or a damaged one.
    Unreadable,
    /// A bundle, and whether it is the new one.
    Bundle(&'a Manifest, bool),
}

fn steps(to: &dyn Destination, new: &Manifest, published: &Published<'_>) -> Result<Vec<Step>> {
    let names = |manifest: &Manifest| manifest.files().map(|entry| entry.file.clone()).collect();
    let of_new: HashSet<String> = names(new);
    let of_old: HashSet<String> = match published {
        Published::Bundle(old, _) => names(old),
        Published::Nothing | Published::Unreadable => HashSet::new(),
    };
    let mut steps = Vec::new();
    let mut added = HashSet::new();
    for entry in new.files() {
        if added.insert(&entry.file) && !(of_old.contains(&entry.file) && to.holds(entry)?) {
            steps.push(Step::Add(entry.clone()));
        }
    }
    if !matches!(published, Published::Bundle(_, true)) {
        steps.push(Step::ReplaceManifest);
    }
    // What readers of an unreadable bundle still ask for is not known.
    if !matches!(published, Published::Unreadable) {
        let stale = to.names()?.unwrap_or_default().into_iter();
        let stale =
            stale.filter(|name| is_bundle_file(name) && !of_old.contains(name) && !of_new.contains(name));
        steps.extend(stale.map(Step::Remove));
    }
    Ok(steps)
}
