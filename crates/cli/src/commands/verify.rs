//! `recsys verify`.

use crate::bundle::Bundle;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;

/// Opens every file of a bundle as a reader would.
#[derive(clap::Args)]
pub struct Args {
    /// The bundle's folder
    bundle: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Checks hashes, lengths, bounds, links and that every video is at home in one segment. Bundles of this version carry
/// no signature, and the result says so.
pub fn run(args: Args) -> Result<()> {
    let bundle = Bundle::open(&args.bundle)?;
    let manifest = bundle.manifest();
    for sheet in manifest.sprites.iter().flat_map(|s| &s.sheets) {
        let path = args.bundle.join(&sheet.file);
        let bytes = std::fs::read(&path).with_context(|| format!("{}: cannot read it", path.display()))?;
        sheet.check(&bytes).with_context(|| path.display().to_string())?;
    }
    for row in 0..bundle.len() {
        let card = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(bundle.card(row));
        ensure!(
            card.is_ok(),
            "row {row}: expected a JSON object as card; rebuild the bundle"
        );
    }
    let bytes: u64 = manifest.files().map(|f| f.bytes).sum();
    if args.json {
        let report = serde_json::json!({
            "bundle": bundle.id(), "sequence": manifest.sequence, "items": bundle.len(), "dim": bundle.dim(),
            "segments": manifest.segments.len(), "bytes": bytes, "ranker": bundle.ranker().is_some(), "signed": false,
        });
        println!("{report}");
    } else {
        println!(
            "{}: bundle {}, sequence {}: {} videos of {} dimensions in {} segment(s), {bytes} bytes, {} ranker, not signed: all good",
            args.bundle.display(),
            bundle.id(),
            manifest.sequence,
            bundle.len(),
            bundle.dim(),
            manifest.segments.len(),
            if bundle.ranker().is_some() { "with a" } else { "no" },
        );
    }
    Ok(())
}
