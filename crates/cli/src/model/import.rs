//! Writing a model directory.

use crate::files;
use anyhow::{Context, Result, bail};
use recsys_core::clip::import::{Files, Imported, hugging_face};
use recsys_core::clip::model::{FILE_NAME, Model};
use recsys_core::clip::tower::Activation;
use recsys_core::manifest::sha256_hex;
use serde_json::{Value, json};
use std::path::Path;

/// Quantises the model in `dir` into the folder `out`; says what was written.
///
/// # Errors
/// A file is missing or refused, or `out` holds something else than a model.
pub fn import(dir: &Path, out: &Path, name: Option<String>, licence: Option<String>) -> Result<String> {
    let own_name = || {
        let name = std::fs::canonicalize(dir).ok()?.file_name()?.to_str()?.to_owned();
        Some(name)
    };
    let name = name
        .or_else(own_name)
        .context("the folder has no name; give one with --name")?;
    let config = read(dir, "config.json")?;
    let preprocessor = match read(dir, "preprocessor_config.json") {
        Ok(bytes) => Some(bytes),
        Err(_) if !dir.join("preprocessor_config.json").exists() => None,
        Err(error) => return Err(error),
    };
    let weights = read(dir, "model.safetensors")?;
    let model = hugging_face(&Files {
        config: &config,
        preprocessor: preprocessor.as_deref(),
        weights: &weights,
    })
    .with_context(|| dir.display().to_string())?;
    write(out, &model, &name, licence.as_deref())?;
    Ok(format!(
        "{name}, {} dimensions; image tower {:.1} MB, text tower {:.1} MB and {:.1} MB of tokens",
        model.dim,
        model.image.len() as f64 / 1e6,
        model.text.len() as f64 / 1e6,
        model.tokens.len() as f64 / 1e6,
    ))
}

fn read(dir: &Path, name: &str) -> Result<Vec<u8>> {
    let path = dir.join(name);
    std::fs::read(&path).with_context(|| {
        format!(
            "{}: cannot read it; expected a CLIP model of Hugging Face's form: config.json, preprocessor_config.json and \
             model.safetensors",
            path.display()
        )
    })
}

/// Writes the files, each at once, and the manifest last; other files of the folder stay.
fn write(out: &Path, model: &Imported, name: &str, licence: Option<&str>) -> Result<()> {
    check_replaceable(out)?;
    let put = |file: &str, bytes: &[u8]| -> Result<Value> {
        files::put(out, file, bytes)?;
        Ok(json!({ "file": file, "sha256": sha256_hex(bytes), "bytes": bytes.len() }))
    };
    let mut image = put("image.tower", model.image.as_slice())?;
    let mut text = put("text.tower", model.text.as_slice())?;
    let [of_text, of_image] = model.activations.map(|activation| match activation {
        Activation::QuickGelu => "quick_gelu",
        Activation::Gelu => "gelu",
    });
    for (tower, more) in [
        (
            &mut image,
            json!({ "size": model.size, "mean": model.mean, "std": model.std, "activation": of_image }),
        ),
        (
            &mut text,
            json!({
                "context": model.context,
                "activation": of_text,
                "unknown_tokens": "drop",
                "tokens": put("tokens.bin", &model.tokens)?,
            }),
        ),
    ] {
        if let (Value::Object(tower), Value::Object(more)) = (tower, more) {
            tower.extend(more);
        }
    }
    let manifest = json!({
        "name": name,
        "version": 1,
        "licence": licence,
        "dim": model.dim,
        "weights": "int8, one f32 scale for each output",
        "image": image,
        "text": text,
    });
    let manifest = format!("{manifest:#}\n");
    Model::parse(manifest.as_bytes())?;
    put(FILE_NAME, manifest.as_bytes())?;
    Ok(())
}

/// Refuses a folder with files of others.
fn check_replaceable(out: &Path) -> Result<()> {
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
