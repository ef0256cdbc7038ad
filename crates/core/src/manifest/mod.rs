//! The bundle's manifest: a small JSON file that names every other file by its SHA-256.

mod error;
mod files;
mod parts;
#[cfg(test)]
mod tests;

pub use error::ManifestError;
pub use files::{FileDigest, FileEntry, bundle_id, sha256_hex};
pub use parts::{Cells, EncoderRef, SearchSettings, SegmentEntry, Sprites};

use crate::experiments::{Experiment, assign};
use crate::json::{self, FromJson, Json, JsonError};
use crate::policy;
use serde::Serialize;

/// The manifest's file name inside a bundle.
pub const FILE_NAME: &str = "manifest.json";
/// The most bytes of a manifest.
pub const MAX_BYTES: usize = 4 << 20;
/// The most values of a manifest, so that a small text of small values does not become a large tree: every opening
/// bracket and every comma counts as one.
pub const MAX_VALUES: usize = 1 << 18;
/// The most bytes of one file of a bundle.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
/// The most segments of a bundle.
pub const MAX_SEGMENTS: u32 = 4096;

const FORMAT: &str = "recsys-bundle";
const VERSION: u32 = 2;

/// A bundle's manifest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    format: String,
    version: u32,
    /// Rises with every publish; a reader refuses a lower one than it has seen.
    pub sequence: u64,
    /// When the bundle was made, RFC 3339, for people.
    pub created: String,
    /// Dimensions of the vectors.
    pub dim: u32,
    /// Number of videos, each counted once and without those that were removed.
    pub items: u32,
    /// How the segments are searched.
    pub search: SearchSettings,
    /// What the codes of the item tables name.
    pub dictionaries: FileEntry,
    /// The pieces of the catalogue.
    pub segments: Vec<SegmentEntry>,
    /// Which segments a query is asked of; all where this is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<Cells>,
    /// Tombstones: which rows of the segments no longer count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<FileEntry>,
    /// The compact ranking model, where one was trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranker: Option<FileEntry>,
    /// The ranker's model card for people, where one was trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_card: Option<FileEntry>,
    /// Stills of the videos, where their media was at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sprites: Option<Sprites>,
    /// The encoder of the vectors, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderRef>,
    /// The page's rules; without them the defaults hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<policy::Settings>,
    /// The codes of the names in the rules, here and in the experiments.
    #[serde(skip_serializing_if = "policy::Codes::is_empty")]
    pub policy_codes: policy::Codes,
    /// The experiments that run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub experiments: Vec<Experiment>,
}

impl<'a> FromJson<'a> for Manifest {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                format: fields.get("format")?,
                version: fields.get("version")?,
                sequence: fields.get("sequence")?,
                created: fields.get("created")?,
                dim: fields.get("dim")?,
                items: fields.get("items")?,
                search: fields.get("search")?,
                dictionaries: fields.get("dictionaries")?,
                segments: fields.get("segments")?,
                cells: fields.get("cells")?,
                removed: fields.get("removed")?,
                ranker: fields.get("ranker")?,
                model_card: fields.get("modelCard")?,
                sprites: fields.get("sprites")?,
                encoder: fields.get("encoder")?,
                policy: fields.get("policy")?,
                policy_codes: fields.get_or("policyCodes", policy::Codes::default())?,
                experiments: fields.get_or("experiments", Vec::new())?,
            })
        })
    }
}

impl Manifest {
    /// A manifest without optional parts.
    #[must_use]
    pub fn new(
        sequence: u64,
        created: String,
        dim: u32,
        items: u32,
        search: SearchSettings,
        dictionaries: FileEntry,
        segments: Vec<SegmentEntry>,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            sequence,
            created,
            dim,
            items,
            search,
            dictionaries,
            segments,
            cells: None,
            removed: None,
            ranker: None,
            model_card: None,
            sprites: None,
            encoder: None,
            policy: None,
            policy_codes: policy::Codes::default(),
            experiments: Vec::new(),
        }
    }

    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// Not JSON, another format or version, or a field outside its limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_BYTES {
            return Err(ManifestError::TooLong(bytes.len()));
        }
        let values = json::values_at_most(bytes);
        if values > MAX_VALUES {
            return Err(ManifestError::TooManyValues(values));
        }
        let manifest: Self = json::read_bytes(bytes)?;
        manifest.check_header()?;
        manifest.check_segments()?;
        manifest.policy.as_ref().map_or(Ok(()), policy::Settings::check)?;
        assign::check_all(&manifest.experiments)?;
        manifest.files().try_for_each(FileEntry::validate)?;
        Ok(manifest)
    }

    fn check_header(&self) -> Result<(), ManifestError> {
        check(self.format == FORMAT, "format", FORMAT, &self.format)?;
        check(self.version == VERSION, "version", "2", &self.version)?;
        let dims = 8..=crate::shard::MAX_DIM;
        check(dims.contains(&self.dim), "dim", "8 to 2048", &self.dim)?;
        let ef = self.search.ef;
        check((1..=4096).contains(&ef), "search.ef", "1 to 4096", &ef)
    }

    fn check_segments(&self) -> Result<(), ManifestError> {
        let count = self.segments.len();
        let some = (1..=MAX_SEGMENTS as usize).contains(&count);
        check(some, "segments", "1 to 4096 segments", &count)?;
        for segment in &self.segments {
            let rows = segment.rows;
            check((1..=1 << 24).contains(&rows), "segments.rows", "1 to 2^24", &rows)?;
            let home = segment.home;
            check(
                (1..=rows).contains(&home),
                "segments.home",
                "1 to the number of rows",
                &home,
            )?;
        }
        let home: u64 = self.segments.iter().map(|segment| u64::from(segment.home)).sum();
        let items_ok = (1..=home.min(1 << 24)).contains(&u64::from(self.items));
        check(
            items_ok,
            "items",
            "1 to the rows at home in the segments, at most 2^24",
            &self.items,
        )?;
        if let Some(cells) = &self.cells {
            let number = cells.segments.len();
            let number_ok = (1..=1 << 16).contains(&number);
            check(number_ok, "cells.segments", "1 to 65,536 cells", &number)?;
            if let Some(other) = cells.segments.iter().find(|segment| **segment as usize >= count) {
                check(false, "cells.segments", "numbers of segments", other)?;
            }
            let weights = cells.public.len();
            check(
                weights <= count,
                "cells.public",
                "at most one weight a segment",
                &weights,
            )?;
            let probes = cells.probes;
            check(
                (1..=MAX_SEGMENTS).contains(&probes),
                "cells.probes",
                "1 to 4096",
                &probes,
            )?;
        }
        self.check_sprites()
    }

    fn check_sprites(&self) -> Result<(), ManifestError> {
        let Some(s) = &self.sprites else {
            return Ok(());
        };
        let cells = u64::from(s.columns) * u64::from(s.rows);
        check(
            (1..=10_000).contains(&cells),
            "sprites",
            "1 to 10,000 cells a sheet",
            &cells,
        )?;
        check(
            (1..=1024).contains(&s.width),
            "sprites.width",
            "1 to 1024 pixels",
            &s.width,
        )?;
        check(
            (1..=1024).contains(&s.height),
            "sprites.height",
            "1 to 1024 pixels",
            &s.height,
        )
    }

    /// The manifest's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Every set of rules: the page's, and those of the experiments' arms.
    pub fn rules(&self) -> impl Iterator<Item = &policy::Settings> {
        let arms = self.experiments.iter().flat_map(|experiment| &experiment.arms);
        self.policy
            .iter()
            .chain(arms.filter_map(|arm| arm.policy.as_ref()))
    }

    /// The ids of the videos that any of the rules pins. Whoever finds candidates adds them: a page can only pin what it
    /// has.
    pub fn pinned(&self) -> impl Iterator<Item = &str> {
        self.rules()
            .flat_map(|rules| &rules.pins)
            .map(|pin| pin.item.as_str())
    }

    /// Every file that the manifest names.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        let segments = self.segments.iter().flat_map(SegmentEntry::files);
        let sheets = self.sprites.iter().flat_map(|sprites| &sprites.sheets);
        let centroids = self.cells.iter().map(|cells| &cells.centroids);
        segments
            .chain(centroids)
            .chain([&self.dictionaries])
            .chain(&self.removed)
            .chain(&self.ranker)
            .chain(&self.model_card)
            .chain(sheets)
    }
}

fn check(
    ok: bool,
    field: &'static str,
    expected: &'static str,
    found: &dyn ToString,
) -> Result<(), ManifestError> {
    match ok {
        true => Ok(()),
        false => Err(ManifestError::Field {
            field,
            expected,
            found: found.to_string(),
        }),
    }
}
