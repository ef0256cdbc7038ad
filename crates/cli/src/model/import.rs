//! Models of others as a model directory.

use super::write::{About, Part, Parts, check_replaceable, write};
use anyhow::{Context, Result, bail};
use recsys_core::clip::import::{Files, Imported, OnnxFiles, hugging_face, onnx_pair};
use recsys_core::clip::tower::{Activation, MOST_IN_WASM, MOST_OF_BOTH, Shape};
use serde_json::json;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
pub const WEIGHTS: &str = "model.safetensors";
/// Names that exporters give the graphs, in the folder or in `onnx` below it.
const IMAGES: [&str; 4] = ["vision_model.onnx", "image.onnx", "visual.onnx", "vision.onnx"];
const TEXTS: [&str; 3] = ["text_model.onnx", "text.onnx", "textual.onnx"];

/// The files of a pair of ONNX graphs; what is none stays open.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// The image tower.
    pub image: PathBuf,
    /// The text tower.
    pub text: PathBuf,
    /// `config.json`.
    pub config: Option<PathBuf>,
    /// `preprocessor_config.json`.
    pub preprocessor: Option<PathBuf>,
    /// `tokens.bin`, of a text tower that reads rows of it.
    pub tokens: Option<PathBuf>,
}

/// What a model is made of.
#[derive(Clone, Debug)]
pub enum Source {
    /// A folder of Hugging Face's form.
    HuggingFace(PathBuf),
    /// A pair of graphs.
    Onnx(Pair),
}

impl Source {
    /// What a folder holds. Weights come before graphs: their towers run everywhere.
    ///
    /// # Errors
    /// It holds neither.
    pub fn folder(dir: &Path) -> Result<Self> {
        if dir.join(WEIGHTS).is_file() {
            return Ok(Self::HuggingFace(dir.to_owned()));
        }
        let folders = [dir.join("onnx"), dir.to_owned()];
        let find = |names: &[&str]| {
            let paths = folders
                .iter()
                .flat_map(|folder| names.iter().map(|name| folder.join(name)));
            paths.into_iter().find(|path| path.is_file())
        };
        match (find(&IMAGES), find(&TEXTS)) {
            (Some(image), Some(text)) => Ok(Self::pair(image, text)),
            _ => bail!(
                "{}: expected a CLIP model: {CONFIG}, {PREPROCESSOR} and {WEIGHTS}, or a pair of ONNX graphs, onnx/{} and \
                 onnx/{}; name graphs of other names with --image FILE and --text FILE",
                dir.display(),
                IMAGES[0],
                TEXTS[0]
            ),
        }
    }

    /// Two graphs, with what lies beside them or one folder up.
    #[must_use]
    pub fn pair(image: PathBuf, text: PathBuf) -> Self {
        let beside = |graph: &Path, name: &str| {
            let folders = graph.ancestors().skip(1).take(2);
            let paths = folders.map(|folder| folder.join(name));
            paths.into_iter().find(|path| path.is_file())
        };
        Self::Onnx(Pair {
            config: beside(&image, CONFIG),
            preprocessor: beside(&image, PREPROCESSOR),
            tokens: beside(&text, "tokens.bin"),
            image,
            text,
        })
    }

    /// A name for a model that has none.
    fn name(&self) -> Option<String> {
        let (path, file) = match self {
            Self::HuggingFace(dir) => (dir, false),
            Self::Onnx(pair) => (&pair.image, true),
        };
        let path = std::fs::canonicalize(path).ok()?;
        let mut folder = if file { path.parent()? } else { &path };
        if file && folder.ends_with("onnx") {
            folder = folder.parent()?;
        }
        Some(folder.file_name()?.to_str()?.to_owned())
    }
}

/// Makes a model directory of a model; says what was written.
///
/// # Errors
/// A file is missing or refused, or `out` holds something else than a model.
pub fn import(source: &Source, out: &Path, about: &About) -> Result<String> {
    check_replaceable(out)?;
    let name = about
        .name
        .clone()
        .or_else(|| source.name())
        .context("the folder has no name; give one with --name")?;
    let written = match source {
        Source::HuggingFace(dir) => from_weights(dir, out, &name, about)?,
        Source::Onnx(pair) => from_graphs(pair, out, &name, about)?,
    };
    Ok(format!("{name}, {written}"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| {
        format!(
            "{}: cannot read it; expected a CLIP model of Hugging Face's form: {CONFIG}, {PREPROCESSOR} and {WEIGHTS}",
            path.display()
        )
    })
}

/// A file that need not be there.
fn read_if_there(path: Option<PathBuf>) -> Result<Option<Vec<u8>>> {
    path.filter(|path| path.exists())
        .map(|path| std::fs::read(&path).with_context(|| format!("{}: cannot read it", path.display())))
        .transpose()
}

fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Quantises a model of Hugging Face's form.
fn from_weights(dir: &Path, out: &Path, name: &str, about: &About) -> Result<String> {
    let config = read(&dir.join(CONFIG))?;
    let preprocessor = read_if_there(Some(dir.join(PREPROCESSOR)))?;
    let weights = read(&dir.join(WEIGHTS))?;
    let model = hugging_face(&Files {
        config: &config,
        preprocessor: preprocessor.as_deref(),
        weights: &weights,
    })
    .with_context(|| dir.display().to_string())?;
    write(out, &towers(&model), name, about)?;
    Ok(format!(
        "{} dimensions; image tower {}, text tower {} and {} of tokens; {}",
        model.dim,
        megabytes(model.image.len()),
        megabytes(model.text.len()),
        megabytes(model.tokens.len()),
        where_it_runs(&model),
    ))
}

/// Where there is memory enough for each tower.
fn where_it_runs(model: &Imported) -> String {
    let peak = |shape: &Shape, files: usize| shape.peak_bytes(files as u64);
    let towers = [
        ("image", peak(&model.image_shape, model.image.len())),
        (
            "text",
            peak(&model.text_shape, model.text.len() + model.tokens.len()),
        ),
    ];
    let mebibytes = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    let peaks = towers
        .map(|(name, peak)| format!("{name} tower {}", mebibytes(peak)))
        .join(", ");
    let most = mebibytes(MOST_IN_WASM);
    match towers.into_iter().find(|(_, peak)| *peak > MOST_IN_WASM) {
        None => {
            let files = model.image.len() + model.text.len() + model.tokens.len();
            let workers = if files as u64 > MOST_OF_BOTH {
                " (a worker for each tower)"
            } else {
                ""
            };
            format!("runs natively, at the edge{workers} and in the browser (at most {peaks}, of {most})")
        }
        Some((name, _)) => format!(
            "runs natively alone: at the edge and in the browser there are {most}, and the {name} tower may take more ({peaks})"
        ),
    }
}

fn towers(model: &Imported) -> Parts<'_> {
    let activation = |shape: &Shape| match shape.activation {
        Activation::QuickGelu => "quick_gelu",
        Activation::Gelu => "gelu",
    };
    Parts {
        image: Part {
            file: "image.tower",
            bytes: model.image.as_slice(),
            fields: json!({
                "size": model.size,
                "mean": model.mean,
                "std": model.std,
                "resize": model.filter.name(),
                "activation": activation(&model.image_shape),
            }),
        },
        text: Part {
            file: "text.tower",
            bytes: model.text.as_slice(),
            fields: json!({ "context": model.context, "activation": activation(&model.text_shape) }),
        },
        tokens: Some(&model.tokens),
        fields: json!({ "dim": model.dim, "weights": "int8, one f32 scale for each output" }),
    }
}

/// Checks two graphs by running each, and keeps them.
fn from_graphs(pair: &Pair, out: &Path, name: &str, about: &About) -> Result<String> {
    let graph =
        |path: &Path| std::fs::read(path).with_context(|| format!("{}: cannot read it", path.display()));
    let (image, text) = (graph(&pair.image)?, graph(&pair.text)?);
    let tokens = read_if_there(pair.tokens.clone())?;
    let found = onnx_pair(&OnnxFiles {
        image: &image,
        text: &text,
        tokens: tokens.as_deref(),
        config: read_if_there(pair.config.clone())?.as_deref(),
        preprocessor: read_if_there(pair.preprocessor.clone())?.as_deref(),
    })
    .with_context(|| format!("{} and {}", pair.image.display(), pair.text.display()))?;
    let input = match found.padded {
        Some(padded) => json!({ "context": found.context, "input": "ids", "padded": padded }),
        None => json!({ "context": found.context, "input": "rows" }),
    };
    let parts = Parts {
        image: Part {
            file: "image.onnx",
            bytes: &image,
            fields: json!({
                "size": found.size,
                "mean": found.mean,
                "std": found.std,
                "resize": found.filter.name(),
            }),
        },
        text: Part {
            file: "text.onnx",
            bytes: &text,
            fields: input,
        },
        tokens: tokens.as_deref().filter(|_| found.padded.is_none()),
        fields: json!({ "dim": found.dim }),
    };
    write(out, &parts, name, about)?;
    Ok(format!(
        "{} dimensions; image graph {}, text graph {}; ONNX, so it runs natively alone, neither at the edge nor in the browser",
        found.dim,
        megabytes(image.len()),
        megabytes(text.len()),
    ))
}
