//! `recsys model`: CLIP models for `recsys index` and the encoder.

use crate::model;
use anyhow::Result;
use std::path::PathBuf;

/// Makes a CLIP model ready (docs/models.md).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Quantise a CLIP model of Hugging Face's form: config.json, preprocessor_config.json and model.safetensors
    Import {
        /// The folder of the three files
        dir: PathBuf,
        /// The model's folder: new, empty, or an older model to be replaced
        #[arg(long)]
        out: PathBuf,
        /// The model's name; that of the folder where not given
        #[arg(long)]
        name: Option<String>,
        /// The weights' licence, as an SPDX expression; kept in the model's manifest
        #[arg(long)]
        licence: Option<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// A file is missing or refused, or the folder holds something else.
pub fn run(args: Args) -> Result<()> {
    let Command::Import {
        dir,
        out,
        name,
        licence,
    } = args.command;
    let written = model::import(&dir, &out, name, licence)?;
    eprintln!("{}: {written}", out.display());
    Ok(())
}
