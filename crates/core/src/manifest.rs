//! The bundle's manifest: a small JSON file that names every other file by its SHA-256.

use crate::experiments::{Experiment, ExperimentError, assign};
use crate::json::{self, FromJson, Json, JsonError};
use crate::policy::{self, PolicyError};
use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The manifest's file name inside a bundle.
pub const FILE_NAME: &str = "manifest.json";
/// The most bytes of a manifest.
pub const MAX_BYTES: usize = 4 << 20;
/// The most values of a manifest, so that a small text of small values does not become a large tree: every opening
/// bracket and every comma counts as one.
pub const MAX_VALUES: usize = 1 << 18;
/// The most bytes of one file of a bundle.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

const FORMAT: &str = "recsys-bundle";
const VERSION: u32 = 1;

/// One file of a bundle. Its name holds the start of its hash, so that a name never means other bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEntry {
    /// Name inside the bundle's folder: letters, digits, `-`, `_` and `.` alone.
    pub file: String,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

impl<'a> FromJson<'a> for FileEntry {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                file: fields.get("file")?,
                sha256: fields.get("sha256")?,
                bytes: fields.get("bytes")?,
            })
        })
    }
}

impl FileEntry {
    /// The entry of a file with these bytes: `{stem}-{first 16 digits of the hash}.{extension}`.
    #[must_use]
    pub fn of(stem: &str, extension: &str, bytes: &[u8]) -> Self {
        let sha256 = sha256_hex(bytes);
        let start = sha256.get(..16).unwrap_or_default();
        Self {
            file: format!("{stem}-{start}.{extension}"),
            bytes: bytes.len() as u64,
            sha256,
        }
    }

    /// Checks bytes that were fetched under this entry.
    ///
    /// # Errors
    /// Another length or another hash.
    pub fn check(&self, bytes: &[u8]) -> Result<(), ManifestError> {
        if bytes.len() as u64 != self.bytes {
            let (file, expected, found) = (self.file.clone(), self.bytes, bytes.len() as u64);
            return Err(ManifestError::FileLength {
                file,
                expected,
                found,
            });
        }
        let found = sha256_hex(bytes);
        if found != self.sha256 {
            return Err(ManifestError::FileHash {
                file: self.file.clone(),
                expected: self.sha256.clone(),
                found,
            });
        }
        Ok(())
    }

    fn validate(&self) -> Result<(), ManifestError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.file.is_empty()
            || self.file.len() > 128
            || self.file.starts_with('.')
            || !self.file.chars().all(plain)
        {
            return Err(ManifestError::Field {
                field: "file",
                expected: "a plain name of letters, digits, '-', '_' and '.'",
                found: self.file.clone(),
            });
        }
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if self.sha256.len() != 64 || !self.sha256.chars().all(hex) {
            return Err(ManifestError::Field {
                field: "sha256",
                expected: "64 lower-case hexadecimal digits",
                found: self.sha256.clone(),
            });
        }
        if self.bytes == 0 || self.bytes > MAX_FILE_BYTES {
            return Err(ManifestError::Field {
                field: "bytes",
                expected: "1 to 2^30",
                found: format!("{} for {}", self.bytes, self.file),
            });
        }
        Ok(())
    }
}

/// How the shards are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchSettings {
    /// Width of the graph walk, 1 to 4,096.
    pub ef: u32,
    /// Shards of at most this many videos are scanned instead of walked.
    pub flat_up_to: u32,
}

impl<'a> FromJson<'a> for SearchSettings {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                ef: fields.get("ef")?,
                flat_up_to: fields.get("flatUpTo")?,
            })
        })
    }
}

impl SearchSettings {
    /// The settings as options for `k` results; at least `k` are kept open.
    #[must_use]
    pub const fn options(&self, k: usize) -> crate::shard::SearchOptions {
        let strategy = crate::shard::Strategy::Auto {
            flat_up_to: self.flat_up_to as usize,
        };
        crate::shard::SearchOptions {
            k,
            ef: self.ef as usize,
            strategy,
        }
    }
}

/// Sprite sheets of stills: row r of the item table is cell r mod (columns × rows) of sheet r div (columns × rows),
/// cells row by row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sprites {
    /// Cells beside each other.
    pub columns: u32,
    /// Cells below each other.
    pub rows: u32,
    /// Width of a cell in pixels.
    pub width: u32,
    /// Height of a cell in pixels.
    pub height: u32,
    /// The JPEG files, in order.
    pub sheets: Vec<FileEntry>,
}

impl<'a> FromJson<'a> for Sprites {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                columns: fields.get("columns")?,
                rows: fields.get("rows")?,
                width: fields.get("width")?,
                height: fields.get("height")?,
                sheets: fields.get("sheets")?,
            })
        })
    }
}

/// The partition of the catalogue: cells around centroids. A shard holds the videos of neighbouring cells, and those near
/// their border.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cells {
    /// The centroids, as a shard without a graph whose rows are the cells.
    pub centroids: FileEntry,
    /// The number of each cell's shard.
    pub shards: Vec<u32>,
    /// How many shards a query is asked of, 1 to 4,096.
    pub probes: u32,
}

impl<'a> FromJson<'a> for Cells {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                centroids: fields.get("centroids")?,
                shards: fields.get("shards")?,
                probes: fields.get("probes")?,
            })
        })
    }
}

/// Which encoder made the vectors; a query in words must come from the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EncoderRef {
    /// Name in the model's own manifest.
    pub name: String,
    /// SHA-256 of the model's manifest, hexadecimal.
    pub sha256: String,
}

impl<'a> FromJson<'a> for EncoderRef {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                name: fields.get("name")?,
                sha256: fields.get("sha256")?,
            })
        })
    }
}

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
    /// Number of videos.
    pub items: u32,
    /// How the shards are searched.
    pub search: SearchSettings,
    /// The shards.
    pub shards: Vec<FileEntry>,
    /// Which shards a query is asked of; all where this is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<Cells>,
    /// The item table.
    pub item_table: FileEntry,
    /// The compact ranking model, where one was trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranker: Option<FileEntry>,
    /// What is watched along with what, where events were at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub co_watch: Option<FileEntry>,
    /// The ranker's model card for people, where one was trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_card: Option<FileEntry>,
    /// Stills of every video, where the media was at hand.
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
                shards: fields.get("shards")?,
                cells: fields.get("cells")?,
                item_table: fields.get("itemTable")?,
                ranker: fields.get("ranker")?,
                co_watch: fields.get("coWatch")?,
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

/// Why a manifest, or a file under it, was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ManifestError {
    /// Too long to be one.
    #[error("manifest.json has {0} bytes, at most {MAX_BYTES} are allowed; rebuild the bundle")]
    TooLong(usize),
    /// Not JSON of the right form.
    #[error("manifest.json: {0}; rebuild the bundle with `recsys index`")]
    Json(#[from] JsonError),
    /// Too many values to be one.
    #[error("manifest.json has {0} values, at most {MAX_VALUES} are allowed; rebuild the bundle")]
    TooManyValues(usize),
    /// A field outside its limits.
    #[error("manifest.json: {field}: expected {expected}, found {found}; rebuild the bundle")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// A rule that cannot be kept.
    #[error("manifest.json: {0}; publish a correct one with `recsys policy`")]
    Policy(#[from] PolicyError),
    /// An experiment that cannot run.
    #[error("manifest.json: {0}; publish a correct one with `recsys ab publish`")]
    Experiment(#[from] ExperimentError),
    /// A file of another length.
    #[error("{file}: expected {expected} bytes, found {found}; fetch it again or rebuild the bundle")]
    FileLength {
        /// The file.
        file: String,
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes at hand.
        found: u64,
    },
    /// A file with other content.
    #[error("{file}: expected SHA-256 {expected}, found {found}; fetch it again or rebuild the bundle")]
    FileHash {
        /// The file.
        file: String,
        /// Hash by the manifest.
        expected: String,
        /// Hash of what is at hand.
        found: String,
    },
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
        shards: Vec<FileEntry>,
        item_table: FileEntry,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            sequence,
            created,
            dim,
            items,
            search,
            shards,
            cells: None,
            item_table,
            ranker: None,
            co_watch: None,
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
        let values = bytes.iter().filter(|byte| b"{[,".contains(byte)).count();
        if values > MAX_VALUES {
            return Err(ManifestError::TooManyValues(values));
        }
        let manifest: Self = json::read_bytes(bytes)?;
        let check = |ok: bool, field: &'static str, expected: &'static str, found: &dyn ToString| match ok {
            true => Ok(()),
            false => Err(ManifestError::Field {
                field,
                expected,
                found: found.to_string(),
            }),
        };
        check(manifest.format == FORMAT, "format", FORMAT, &manifest.format)?;
        check(manifest.version == VERSION, "version", "1", &manifest.version)?;
        check(
            (8..=crate::shard::MAX_DIM).contains(&manifest.dim),
            "dim",
            "8 to 2048",
            &manifest.dim,
        )?;
        check(
            (1..=1 << 24).contains(&manifest.items),
            "items",
            "1 to 2^24",
            &manifest.items,
        )?;
        check(
            (1..=4096).contains(&manifest.search.ef),
            "search.ef",
            "1 to 4096",
            &manifest.search.ef,
        )?;
        check(
            (1..=4096).contains(&manifest.shards.len()),
            "shards",
            "1 to 4096 files",
            &manifest.shards.len(),
        )?;
        if let Some(cells) = &manifest.cells {
            check(
                (1..=1 << 16).contains(&cells.shards.len()),
                "cells.shards",
                "1 to 65,536 cells",
                &cells.shards.len(),
            )?;
            let shards = manifest.shards.len();
            if let Some(other) = cells.shards.iter().find(|shard| **shard as usize >= shards) {
                check(false, "cells.shards", "numbers of shards", other)?;
            }
            check(
                (1..=4096).contains(&cells.probes),
                "cells.probes",
                "1 to 4096",
                &cells.probes,
            )?;
        }
        if let Some(s) = &manifest.sprites {
            let cells = u64::from(s.columns) * u64::from(s.rows);
            check(
                (1..=10_000).contains(&cells),
                "sprites",
                "1 to 10,000 cells a sheet",
                &cells,
            )?;
            let needed = u64::from(manifest.items).div_ceil(cells.max(1));
            check(
                s.sheets.len() as u64 == needed,
                "sprites.sheets",
                "a cell for every video",
                &s.sheets.len(),
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
            )?;
        }
        manifest.policy.as_ref().map_or(Ok(()), policy::Settings::check)?;
        assign::check_all(&manifest.experiments)?;
        manifest.files().try_for_each(FileEntry::validate)?;
        Ok(manifest)
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
        let sheets = self.sprites.iter().flat_map(|s| &s.sheets);
        let centroids = self.cells.iter().map(|cells| &cells.centroids);
        self.shards
            .iter()
            .chain(centroids)
            .chain([&self.item_table])
            .chain(&self.ranker)
            .chain(&self.co_watch)
            .chain(&self.model_card)
            .chain(sheets)
    }
}

/// A bundle's name: the first 16 hexadecimal digits of its manifest's SHA-256.
#[must_use]
pub fn bundle_id(manifest_bytes: &[u8]) -> String {
    sha256_hex(manifest_bytes).chars().take(16).collect()
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let search = SearchSettings {
            ef: 64,
            flat_up_to: 5000,
        };
        let shard = FileEntry::of("shard", "bin", b"one");
        Manifest::new(
            3,
            "2026-01-01T00:00:00Z".into(),
            128,
            10,
            search,
            vec![shard],
            FileEntry::of("items", "bin", b"two"),
        )
    }

    #[test]
    fn round_trips() {
        let manifest = manifest();
        assert_eq!(Manifest::parse(&manifest.to_bytes()).unwrap(), manifest);
        assert_eq!(bundle_id(b""), "e3b0c44298fc1c14");
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let change = |from: &str, to: &str| {
            let text = String::from_utf8(manifest().to_bytes()).unwrap();
            assert!(text.contains(from), "{from} in {text}");
            Manifest::parse(text.replacen(from, to, 1).as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(change("recsys-bundle", "other").contains("format"));
        assert!(change("\"version\": 1", "\"version\": 2").contains("version"));
        assert!(change("\"dim\": 128", "\"dim\": 0").contains("dim"));
        assert!(change("shard-", "../shard-").contains("file"));
        assert!(change("\"bytes\": 3", "\"bytes\": 9999999999").contains("bytes"));
        assert!(change("\"sha256\": \"", "\"sha256\": \"Z").contains("sha256"));
        assert!(change("{", "[").contains("manifest.json"));
    }

    #[test]
    fn rules_and_experiments_are_held_to_their_limits() {
        let with = |field: &str| {
            let text = String::from_utf8(manifest().to_bytes()).unwrap();
            Manifest::parse(text.replacen('{', &format!("{{{field},"), 1).as_bytes())
        };
        let rules = r#""policy":{"caps":{"perCreator":2},"boosts":[{"category":"a","add":0.5}]}"#;
        let read = with(&format!(r#"{rules},"policyCodes":{{"categories":[["a",3]]}}"#)).unwrap();
        assert_eq!(Manifest::parse(&read.to_bytes()).unwrap(), read);
        let (policy, unknown) = read.policy.unwrap().resolve(&read.policy_codes);
        assert_eq!(
            (policy.caps.per_creator, policy.boosts[0].category, unknown.len()),
            (Some(2), Some(3), 0)
        );
        let refused = |field: &str| with(field).unwrap_err().to_string();
        let pins = |item: &str| format!(r#""policy":{{"pins":[{{"item":"{item}","position":1}}]}}"#);
        let arm = format!(r#"{{"name":"a"}},{{"name":"b",{}}}"#, pins("v2"));
        let both = format!(r#"{},"experiments":[{{"name":"t","arms":[{arm}]}}]"#, pins("v1"));
        assert_eq!(with(&both).unwrap().pinned().collect::<Vec<_>>(), ["v1", "v2"]);
        assert!(refused(r#""policy":{"lambda":2}"#).contains("policy: lambda"));
        assert!(refused(r#""policy":{"capz":{}}"#).contains("unknown field `capz`"));
        let arms = |arms: &str| format!(r#""experiments":[{{"name":"t","arms":[{arms}]}}]"#);
        assert!(with(&arms(r#"{"name":"a"},{"name":"b","policy":{"lambda":1}}"#)).is_ok());
        assert!(refused(&arms(r#"{"name":"a"}"#)).contains("1 arms"));
        assert!(refused(&arms(r#"{"name":"a"},{"name":"b","policy":{"pool":0}}"#)).contains("policy: pool"));
    }

    #[test]
    fn cells_name_shards_that_there_are() {
        let with = |shards: Vec<u32>, probes: u32| {
            let mut manifest = manifest();
            manifest.cells = Some(Cells {
                centroids: FileEntry::of("cells", "bin", b"three"),
                shards,
                probes,
            });
            Manifest::parse(&manifest.to_bytes()).map(|read| assert_eq!(read, manifest))
        };
        with(vec![0, 0], 4).unwrap();
        for (shards, probes, field) in [
            (vec![0, 1], 4, "cells.shards"),
            (vec![], 4, "cells.shards"),
            (vec![0], 0, "cells.probes"),
        ] {
            assert!(
                with(shards, probes).unwrap_err().to_string().contains(field),
                "{field}"
            );
        }
    }

    #[test]
    fn a_file_is_held_to_its_length_and_hash() {
        let entry = FileEntry::of("x", "bin", b"abc");
        assert!(entry.check(b"abc").is_ok());
        assert!(matches!(
            entry.check(b"abcd"),
            Err(ManifestError::FileLength { .. })
        ));
        assert!(matches!(entry.check(b"abd"), Err(ManifestError::FileHash { .. })));
    }
}
