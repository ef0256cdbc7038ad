//! Files of the model, from the R2 bucket `MODEL` where one is bound, else from static assets, which may have 25 MiB each.

use crate::fault::Fault;
use futures_util::StreamExt;
use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::model::ModelFile;
use recsys_core::manifest::FileDigest;
use worker::{ByteStream, Env, Object};

/// The longest `model.json`, in bytes.
const MAX_MANIFEST: usize = 64 << 10;

async fn stream(env: &Env, name: &str) -> Result<ByteStream, Fault> {
    if let Ok(bucket) = env.bucket("MODEL") {
        let object = bucket.get(name).execute().await?;
        let body = object.as_ref().and_then(Object::body);
        let none = || {
            Fault::Model(format!(
                "{name}: not in the R2 bucket; put the model's files there"
            ))
        };
        return Ok(body.ok_or_else(none)?.stream()?);
    }
    let url = format!("http://assets.local/{name}");
    let mut response = env.assets("ASSETS")?.fetch(url, None).await?;
    let status = response.status_code();
    if status != 200 {
        let message =
            format!("{name}: status {status} from the static assets; deploy the model with the worker");
        return Err(Fault::Model(message));
    }
    Ok(response.stream()?)
}

/// The manifest: a file of unknown, but limited, length.
pub async fn manifest(env: &Env, name: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut stream = stream(env, name).await?;
    while let Some(chunk) = stream.next().await {
        bytes.extend(chunk?);
        if bytes.len() > MAX_MANIFEST {
            return Err(Fault::Model(format!("{name}: more than {MAX_MANIFEST} bytes")));
        }
    }
    Ok(bytes)
}

/// A file of the length that the manifest states, streamed into memory of that size and hashed as it comes.
pub async fn file(env: &Env, entry: &ModelFile) -> Result<AlignedBytes, Fault> {
    let at = |message: String| Fault::Model(format!("{}: {message}", entry.file));
    let length = usize::try_from(entry.bytes).map_err(|e| at(e.to_string()))?;
    let mut stream = stream(env, &entry.file).await?;
    let mut bytes = AlignedBytes::zeroed(length);
    let (mut filled, mut digest) = (0, FileDigest::default());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        let room = bytes.as_mut_slice().get_mut(filled..filled + chunk.len());
        room.ok_or_else(|| at(format!("more than {length} bytes")))?
            .copy_from_slice(&chunk);
        digest.add(&chunk);
        filled += chunk.len();
    }
    entry
        .check_digest(digest)
        .map_err(|error| Fault::Model(error.to_string()))?;
    Ok(bytes)
}
