//! Files of a bundle, named by their hashes.

use super::{MAX_FILE_BYTES, ManifestError};
use crate::json::{FromJson, Json, JsonError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One file of a bundle, whose name holds the start of its hash, so that a name never means other bytes; or one of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        let mut digest = FileDigest::default();
        digest.add(bytes);
        self.check_digest(digest)
    }

    /// Checks a digest of the bytes that were fetched under this entry.
    ///
    /// # Errors
    /// Another length or another hash.
    pub fn check_digest(&self, digest: FileDigest) -> Result<(), ManifestError> {
        if digest.bytes != self.bytes {
            let (file, expected, found) = (self.file.clone(), self.bytes, digest.bytes);
            return Err(ManifestError::FileLength {
                file,
                expected,
                found,
            });
        }
        let found = hex(&digest.hash.finalize());
        if found != self.sha256 {
            return Err(ManifestError::FileHash {
                file: self.file.clone(),
                expected: self.sha256.clone(),
                found,
            });
        }
        Ok(())
    }

    pub(super) fn validate(&self) -> Result<(), ManifestError> {
        match self.fault() {
            None => Ok(()),
            Some((field, expected, found)) => Err(ManifestError::Field {
                field,
                expected,
                found,
            }),
        }
    }

    /// The first field that is none of an entry, what it may be, and what it is.
    pub(crate) fn fault(&self) -> Option<(&'static str, &'static str, String)> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.file.is_empty()
            || self.file.len() > 128
            || self.file.starts_with('.')
            || !self.file.chars().all(plain)
        {
            let expected = "a plain name of letters, digits, '-', '_' and '.'";
            return Some(("file", expected, self.file.clone()));
        }
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if self.sha256.len() != 64 || !self.sha256.chars().all(hex) {
            let expected = "64 lower-case hexadecimal digits";
            return Some(("sha256", expected, self.sha256.clone()));
        }
        let found = || format!("{} for {}", self.bytes, self.file);
        (self.bytes == 0 || self.bytes > MAX_FILE_BYTES).then(|| ("bytes", "1 to 2^30", found()))
    }
}

/// Length and hash of bytes that come piece by piece.
#[derive(Clone, Debug, Default)]
pub struct FileDigest {
    bytes: u64,
    hash: Sha256,
}

impl FileDigest {
    /// Takes in the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    /// How many bytes came.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of what came, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
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
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let digits = String::with_capacity(2 * bytes.len());
    bytes.iter().fold(digits, |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
