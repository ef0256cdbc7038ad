//! Where the files of a bundle come from: an R2 bucket, or the static assets of the site.

use futures_util::StreamExt;
use recsys_core::bytes::AlignedBytes;
use recsys_core::manifest::{self, FileDigest, FileEntry};
use worker::{Bucket, ByteStream, Env, Fetcher};

/// Where the files are.
pub enum Source {
    R2(Bucket),
    Assets(Fetcher),
}

impl Source {
    /// Its kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::R2(_) => "r2",
            Self::Assets(_) => "assets",
        }
    }

    /// The R2 bucket `BUNDLE`, or without one the static assets `ASSETS`.
    ///
    /// # Errors
    /// Neither is bound.
    pub fn of(env: &Env) -> Result<Self, String> {
        if let Ok(bucket) = env.bucket("BUNDLE") {
            return Ok(Self::R2(bucket));
        }
        let assets = env.assets("ASSETS");
        assets
            .map(Self::Assets)
            .map_err(|e| format!("no R2 binding BUNDLE, and {e}"))
    }
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
pub async fn whole(source: &Source, name: &str) -> Result<Vec<u8>, String> {
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
pub async fn file(source: &Source, entry: &FileEntry) -> Result<AlignedBytes, String> {
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
