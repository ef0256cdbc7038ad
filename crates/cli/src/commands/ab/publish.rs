//! `recsys ab publish`: experiments in a bundle.

use crate::bundle::Bundle;
use crate::commands::policy::codes;
use crate::signing::Signing;
use anyhow::{Context, Result};
use recsys_core::experiments::{Experiment, assign};
use recsys_core::json;
use std::path::PathBuf;

/// Publishes a bundle again with other experiments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// JSON list of the experiments that run from now on (docs/experiments.md); those of the bundle end.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "clear",
        conflicts_with = "clear"
    )]
    experiments: Option<PathBuf>,
    /// End all experiments.
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    signing: Signing,
}

/// Runs the command.
///
/// # Errors
/// An unreadable bundle or file, an experiment that cannot run, or a name in its rules that the bundle does not know.
pub fn run(args: &Args) -> Result<()> {
    let bundle = Bundle::open(&args.bundle)?;
    let mut manifest = bundle.manifest().clone();
    manifest.experiments = match &args.experiments {
        None => Vec::new(),
        Some(path) => read(path).with_context(|| path.display().to_string())?,
    };
    manifest.policy_codes = codes(&bundle, manifest.rules())?;
    bundle.republish(manifest, &args.signing)?;
    let new = Bundle::open(&args.bundle)?;
    let names: Vec<&str> = new
        .manifest()
        .experiments
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    let running = if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    };
    println!(
        "bundle {}, sequence {}: experiments: {running}",
        new.id(),
        new.manifest().sequence
    );
    Ok(())
}

fn read(path: &std::path::Path) -> Result<Vec<Experiment>> {
    let bytes = std::fs::read(path).context("cannot read the experiments")?;
    let experiments: Vec<Experiment> = json::read_bytes(&bytes)
        .context("expected a JSON list of experiments as docs/experiments.md describes them")?;
    assign::check_all(&experiments)?;
    Ok(experiments)
}
