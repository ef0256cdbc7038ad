//! `recsys verify`.

use crate::bundle::Bundle;
use anyhow::{Context, Result, ensure};
use recsys_core::envelope::{Envelope, PublicKey};
use recsys_core::manifest;
use std::path::PathBuf;

/// Opens every file of a bundle as a reader would.
#[derive(clap::Args)]
pub struct Args {
    /// The bundle's folder
    bundle: PathBuf,
    /// A trusted public key, 64 hexadecimal digits; one of those given must have signed the bundle
    #[arg(long = "key", value_name = "HEX")]
    keys: Vec<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Checks hashes, lengths, bounds, links, that every video is at home in one segment, and with keys the signature.
///
/// # Errors
/// The first fault.
pub fn run(args: Args) -> Result<()> {
    let signature = signature(&args)?;
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
            "segments": manifest.segments.len(), "bytes": bytes, "ranker": bundle.ranker().is_some(),
            "signed": !signature.by.is_empty(), "keys": signature.by, "verified": signature.verified,
        });
        println!("{report}");
    } else {
        println!(
            "{}: bundle {}, sequence {}: {} videos of {} dimensions in {} segment(s), {bytes} bytes, {} ranker, {}: all good",
            args.bundle.display(),
            bundle.id(),
            manifest.sequence,
            bundle.len(),
            bundle.dim(),
            manifest.segments.len(),
            if bundle.ranker().is_some() { "with a" } else { "no" },
            signature.words(),
        );
    }
    Ok(())
}

/// What is known of the bundle's signatures.
struct SignedBy {
    /// The ids of the keys that the signatures name.
    by: Vec<String>,
    /// The id of the trusted key that has signed.
    verified: Option<String>,
}

impl SignedBy {
    fn words(&self) -> String {
        match &self.verified {
            Some(key) => format!("signed by the trusted key {key}"),
            None if self.by.is_empty() => "not signed".to_owned(),
            None => format!("signed as by {}, not verified (pass --key)", self.by.join(", ")),
        }
    }
}

fn signature(args: &Args) -> Result<SignedBy> {
    let keys = args.keys.iter().map(|key| PublicKey::parse(key));
    let keys = keys.collect::<Result<Vec<_>, _>>().context("--key")?;
    let path = args.bundle.join(manifest::FILE_NAME);
    let at = || path.display().to_string();
    let file = std::fs::read(&path).with_context(|| format!("{}: cannot read it", at()))?;
    let envelope = Envelope::parse(&file).with_context(at)?;
    let verified = match keys.as_slice() {
        [] => None,
        keys => Some(envelope.verify(keys).with_context(at)?.to_string()),
    };
    let signatures = envelope.signatures().iter();
    Ok(SignedBy {
        by: signatures.map(|signature| signature.key.to_string()).collect(),
        verified,
    })
}
