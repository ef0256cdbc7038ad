//! Known models from their host, from a mirror, or from a folder.

mod download;
mod host;
mod known;
mod part;
#[cfg(test)]
mod tests;

pub use known::list;

use super::import::{Pair, Source, WEIGHTS, import};
use super::write::{About, check_replaceable};
use crate::{files, progress};
use anyhow::{Context, Result, ensure};
use download::{Patience, Want, download};
use host::Host;
use known::{Known, find};
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Where the files are taken from.
pub enum Place {
    /// A folder laid out as the repository.
    Folder(PathBuf),
    /// A host with the paths of Hugging Face's, by its address; none for Hugging Face.
    Host(Option<String>),
}

/// What the user asks for.
pub struct Request {
    pub name: String,
    pub out: PathBuf,
    pub place: Place,
    /// Where downloads are kept; none for the user's cache folder.
    pub cache: Option<PathBuf>,
    /// A list of models instead of the one that comes with the command.
    pub models: Option<PathBuf>,
}

/// Fetches a model and imports it; says what was written.
///
/// # Errors
/// The model is not known, a file cannot be had or is another than the list says, or the import fails.
pub fn fetch(request: &Request) -> Result<String> {
    let known = find(request.models.as_deref(), &request.name)?;
    check_replaceable(&request.out)?;
    let (folder, kept) = match &request.place {
        Place::Folder(folder) => {
            verify(&known, folder)?;
            (folder.clone(), String::new())
        }
        Place::Host(address) => {
            let base = match &request.cache {
                Some(cache) => cache.clone(),
                None => files::cache_folder("--cache DIR")?.join("models"),
            };
            let folder = known.folder(&base);
            download_all(&known, &Host::new(address.as_deref())?, &folder)?;
            let kept = format!("; the downloads stay in {}", folder.display());
            (folder, kept)
        }
    };
    let about = About {
        name: Some(known.name.clone()),
        licence: Some(known.licence.clone()),
        source: Some(json!({
            "repository": known.repository,
            "revision": known.revision,
            "files": known.files.iter().map(|file| json!({ "path": file.path, "sha256": file.sha256 })).collect::<Vec<_>>(),
        })),
    };
    let written = import(&source(&known, &folder)?, &request.out, &about)?;
    let note = known.note.iter().map(|note| format!(" ({note})"));
    Ok(format!(
        "{written}; licence {}{}{kept}",
        known.licence,
        note.collect::<String>()
    ))
}

/// What the files make.
fn source(known: &Known, folder: &Path) -> Result<Source> {
    let path = |end: &str| {
        let file = known.files.iter().find(|file| file.path.ends_with(end));
        file.map(|file| folder.join(&file.path))
    };
    if path(WEIGHTS).is_some() {
        return Ok(Source::HuggingFace(folder.to_owned()));
    }
    let graph =
        |name| path(name).with_context(|| format!("{}: the list of its files has no {name}", known.name));
    Ok(Source::Onnx(Pair {
        image: graph("vision_model.onnx")?,
        text: graph("text_model.onnx")?,
        config: path("/config.json"),
        preprocessor: path("preprocessor_config.json"),
        tokens: None,
    }))
}

/// Checks that a folder has all files as the list has them.
fn verify(known: &Known, folder: &Path) -> Result<()> {
    for file in &known.files {
        let path = folder.join(&file.path);
        let digest = File::open(&path).and_then(files::digest).with_context(|| {
            let all: Vec<&str> = known.files.iter().map(|file| &*file.path).collect();
            format!(
                "{}: cannot read it; expected the files of {} at revision {}: {}",
                path.display(),
                known.repository,
                known.revision,
                all.join(", ")
            )
        })?;
        let found = digest.sha256();
        ensure!(
            found == file.sha256,
            "{}: expected SHA-256 {}, found {found} ({} bytes); take the file of revision {} of {}, or import the folder as it \
             is with `recsys model import`",
            path.display(),
            file.sha256,
            digest.bytes(),
            known.revision,
            known.repository
        );
    }
    Ok(())
}

/// Downloads what is not in the folder yet.
fn download_all(known: &Known, host: &Host, folder: &Path) -> Result<()> {
    for file in &known.files {
        let url = host.url(&known.repository, &known.revision, &file.path);
        let want = Want {
            url: &url,
            bytes: file.bytes,
            sha256: &file.sha256,
        };
        let bar = progress::download(file.path.clone(), file.bytes.unwrap_or(0));
        let done = download(host, &want, &folder.join(&file.path), &Patience::default(), &bar);
        bar.finish_and_clear();
        done.with_context(|| format!("{}: {}", known.name, file.path))?;
    }
    Ok(())
}
