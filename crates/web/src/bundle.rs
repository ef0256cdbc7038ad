//! What every mode holds of the published bundle: the manifest and the ranker.

use crate::failure::Failure;
use crate::net::{FOR_EVERYBODY, Net};
use crate::trust::Trust;
use recsys_core::bytes::AlignedBytes;
use recsys_core::manifest::Manifest;
use recsys_core::rerank::Ranker;

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
            Some(entry) => ranker(Some(net.file(entry, FOR_EVERYBODY).await)),
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

/// The ranker of its file, or why there is none.
pub fn ranker(fetched: Option<Result<AlignedBytes, Failure>>) -> Result<Ranker, String> {
    let bytes = fetched
        .ok_or("this bundle has none")?
        .map_err(|failure| failure.message)?;
    Ranker::from_bytes(bytes.as_slice()).map_err(|error| error.to_string())
}
