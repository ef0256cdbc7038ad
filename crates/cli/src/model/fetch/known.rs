//! The list of known models: each file by its SHA-256.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The list that comes with the command.
const OWN: &str = include_str!("models.json");

/// A file of a model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFile {
    /// Path inside the repository.
    pub path: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Length, where it is known.
    pub bytes: Option<u64>,
}

/// A model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    pub name: String,
    /// OWNER/NAME at the host.
    pub repository: String,
    /// The commit.
    pub revision: String,
    /// SPDX expression.
    pub licence: String,
    /// What else a user should know.
    pub note: Option<String>,
    pub files: Vec<KnownFile>,
}

/// One name of a path: no separator, nothing that means another folder.
fn plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl Known {
    fn check(&self) -> Result<()> {
        let check = |ok: bool, field: &str, expected: &str, found: &str| {
            ensure!(ok, "{}: {field}: expected {expected}, found {found:?}", self.name);
            Ok(())
        };
        let path = |text: &str| text.split('/').all(plain);
        let names = self.repository.split('/').count();
        check(
            names == 2 && path(&self.repository),
            "repository",
            "OWNER/NAME",
            &self.repository,
        )?;
        check(plain(&self.revision), "revision", "a commit", &self.revision)?;
        for file in &self.files {
            check(
                path(&file.path),
                "path",
                "a path inside the repository",
                &file.path,
            )?;
            check(
                is_sha256(&file.sha256),
                "sha256",
                "64 lower-case hexadecimal digits",
                &file.sha256,
            )?;
        }
        Ok(())
    }

    /// Whether a user means this one.
    fn is(&self, name: &str) -> bool {
        let last = self.repository.rsplit('/').next().unwrap_or_default();
        [&self.name, &self.repository, last]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Where its files lie in a cache.
    pub fn folder(&self, cache: &Path) -> PathBuf {
        cache
            .join(self.repository.replace('/', "--"))
            .join(&self.revision)
    }

    fn runs(&self) -> &'static str {
        match self.files.iter().any(|file| file.path.ends_with(".safetensors")) {
            true => "everywhere",
            false => "natively alone",
        }
    }
}

/// All models of a list, or of the command's own.
pub fn models(file: Option<&Path>) -> Result<Vec<Known>> {
    let name = file.map_or_else(
        || "the command's list".to_owned(),
        |file| file.display().to_string(),
    );
    let read = || -> Result<Vec<Known>> {
        let text = match file {
            Some(file) => std::fs::read_to_string(file)?,
            None => OWN.to_owned(),
        };
        let models: Vec<Known> = serde_json::from_str(&text)?;
        for model in &models {
            model.check()?;
        }
        Ok(models)
    };
    read().with_context(|| format!("{name}: expected a list of models as in docs/models.md"))
}

/// The model of a name.
pub fn find(file: Option<&Path>, name: &str) -> Result<Known> {
    let mut all = models(file)?;
    match all.iter().position(|model| model.is(name)) {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let names: Vec<String> = all.into_iter().map(|model| model.name).collect();
            bail!(
                "{name}: not a known model; expected one of {}. Others are imported from their folder: `recsys model import DIR`",
                names.join(", ")
            );
        }
    }
}

/// A table of the models, a line each.
///
/// # Errors
/// The list is refused.
pub fn list(file: Option<&Path>) -> Result<String> {
    let row = |model: &Known| {
        let bytes: u64 = model.files.iter().filter_map(|file| file.bytes).sum();
        let note = model.note.as_deref().unwrap_or_default();
        [
            model.name.clone(),
            format!("{:.0} MB", bytes as f64 / 1e6),
            model.runs().to_owned(),
            model.licence.clone(),
            format!("{} {note}", model.repository),
        ]
    };
    let head = ["name", "download", "runs", "licence", "repository"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head)
        .chain(models(file)?.iter().map(row))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    Ok(rows.iter().map(line).collect())
}
