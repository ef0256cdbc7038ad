//! `recsys model`: CLIP models for `recsys index` and the encoder.

use crate::model::fetch::{Place, Request, fetch, list};
use crate::model::{About, Source, import};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Makes a CLIP model ready (docs/models.md).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Fetch a known CLIP model and import it
    Fetch(FetchArgs),
    /// Import a CLIP model of Hugging Face's form, or a pair of ONNX graphs
    Import(ImportArgs),
}

#[derive(Debug, clap::Args)]
struct FetchArgs {
    /// The model's name, as --list shows it, or its repository's
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// The model's folder: new, empty, or an older model to be replaced
    #[arg(long, required_unless_present = "list")]
    out: Option<PathBuf>,
    /// Print the known models
    #[arg(long)]
    list: bool,
    /// Take the files from a folder laid out as the repository; nothing is downloaded
    #[arg(long, value_name = "DIR", conflicts_with = "mirror")]
    from: Option<PathBuf>,
    /// Another host with the same paths [default: HF_ENDPOINT, or https://huggingface.co]
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// Where downloads are kept, and continued after an interruption [default: the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// A list of models of your own, instead of the command's
    #[arg(long, value_name = "FILE")]
    models: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct ImportArgs {
    /// The folder: config.json, preprocessor_config.json and model.safetensors, or onnx/vision_model.onnx and
    /// onnx/text_model.onnx
    #[arg(required_unless_present = "image", conflicts_with_all = ["image", "text"])]
    dir: Option<PathBuf>,
    /// The image tower as an ONNX graph
    #[arg(long, value_name = "FILE", requires = "text")]
    image: Option<PathBuf>,
    /// The text tower as an ONNX graph
    #[arg(long, value_name = "FILE", requires = "image")]
    text: Option<PathBuf>,
    /// The model's folder: new, empty, or an older model to be replaced
    #[arg(long)]
    out: PathBuf,
    /// The model's name; that of the folder where not given
    #[arg(long)]
    name: Option<String>,
    /// The weights' licence, as an SPDX expression; kept in the model's manifest
    #[arg(long)]
    licence: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// A file is missing or refused, the host does not serve it, or the folder holds something else.
pub fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Fetch(args) if args.list => print!("{}", list(args.models.as_deref())?),
        Command::Fetch(args) => {
            let out = args.out.context("--out is missing")?;
            let request = Request {
                name: args.name.context("the model's name is missing")?,
                out: out.clone(),
                place: args.from.map_or(Place::Host(args.mirror), Place::Folder),
                cache: args.cache,
                models: args.models,
            };
            eprintln!("{}: {}", out.display(), fetch(&request)?);
        }
        Command::Import(args) => {
            let source = match (args.dir, args.image, args.text) {
                (_, Some(image), Some(text)) => Source::pair(image, text),
                (dir, ..) => Source::folder(&dir.context("the folder is missing")?)?,
            };
            let about = About {
                name: args.name,
                licence: args.licence,
                source: None,
            };
            let written = import(&source, &args.out, &about)?;
            eprintln!("{}: {written}", args.out.display());
        }
    }
    Ok(())
}
