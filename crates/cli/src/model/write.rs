//! Writing a model directory.

use crate::files;
use anyhow::{Result, bail};
use recsys_core::clip::model::{FILE_NAME, Model};
use recsys_core::manifest::sha256_hex;
use serde_json::{Value, json};
use std::path::Path;

/// A tower's file, and what the manifest says of it besides.
pub struct Part<'a> {
    pub file: &'static str,
    pub bytes: &'a [u8],
    pub fields: Value,
}

/// A model, ready to be written.
pub struct Parts<'a> {
    pub image: Part<'a>,
    pub text: Part<'a>,
    pub tokens: Option<&'a [u8]>,
    /// What the manifest says of the model besides.
    pub fields: Value,
}

/// What the user says of a model.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its name.
    pub name: Option<String>,
    /// The licence of the weights.
    pub licence: Option<String>,
    /// Where its files come from.
    pub source: Option<Value>,
}

fn add(to: &mut Value, more: Value) {
    if let (Value::Object(to), Value::Object(more)) = (to, more) {
        to.extend(more);
    }
}

/// Writes the files, each at once, and the manifest last; other files of the folder stay.
///
/// # Errors
/// A write fails, or the parts make no model.
pub fn write(out: &Path, parts: &Parts<'_>, name: &str, about: &About) -> Result<()> {
    let entry =
        |file: &str, bytes: &[u8]| json!({ "file": file, "sha256": sha256_hex(bytes), "bytes": bytes.len() });
    let tower = |part: &Part<'_>| {
        let mut tower = entry(part.file, part.bytes);
        add(&mut tower, part.fields.clone());
        tower
    };
    let (image, mut text) = (tower(&parts.image), tower(&parts.text));
    if let Some(tokens) = parts.tokens {
        let table = json!({ "tokens": entry("tokens.bin", tokens), "unknown_tokens": "drop" });
        add(&mut text, table);
    }
    let mut manifest = json!({
        "name": name,
        "version": 1,
        "licence": about.licence,
        "image": image,
        "text": text,
    });
    add(&mut manifest, parts.fields.clone());
    if let Some(source) = &about.source {
        add(&mut manifest, json!({ "source": source }));
    }
    let manifest = format!("{manifest:#}\n");
    Model::parse(manifest.as_bytes())?;
    files::put(out, parts.image.file, parts.image.bytes)?;
    files::put(out, parts.text.file, parts.text.bytes)?;
    if let Some(tokens) = parts.tokens {
        files::put(out, "tokens.bin", tokens)?;
    }
    files::put(out, FILE_NAME, manifest.as_bytes())
}

/// Refuses a folder with files of others.
///
/// # Errors
/// It has files, and is no model.
pub fn check_replaceable(out: &Path) -> Result<()> {
    let Ok(mut entries) = std::fs::read_dir(out) else {
        return Ok(());
    };
    if entries.next().is_some() && !out.join(FILE_NAME).is_file() {
        bail!(
            "{}: it has files, but no {FILE_NAME}, so it is no model; choose another folder with --out",
            out.display()
        );
    }
    Ok(())
}
