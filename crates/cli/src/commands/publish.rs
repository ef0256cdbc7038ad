//! `recsys publish`.

use crate::publish::{Destination, Folder, Place, Plan, R2, Step};
use crate::signing::Signing;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// Publishes a bundle where readers fetch it; they see the old bundle or the new one, never a mix (docs/trust.md).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle's folder
    bundle: PathBuf,
    /// A folder, or r2://BUCKET[/PREFIX]
    #[arg(long, value_name = "DEST")]
    to: String,
    /// Publish the bundle's content under the sequence after the published one: with an older bundle, a roll-back
    #[arg(long)]
    as_new: bool,
    #[command(flatten)]
    signing: Signing,
    /// How wrangler is run, for r2://
    #[arg(long, value_name = "COMMAND", default_value = "npx wrangler")]
    wrangler: String,
    /// For r2://: the folder of a local R2, as `wrangler dev --persist-to DIR` keeps it, instead of Cloudflare's
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// A damaged bundle, one that must not replace what is published, or a destination that fails.
pub fn run(args: &Args) -> Result<()> {
    let to: Box<dyn Destination> = match args.to.strip_prefix("r2://") {
        Some(path) => {
            let place = args.local.clone().map_or(Place::Remote, Place::Local);
            Box::new(R2::new(path, &args.wrangler, place)?)
        }
        None => {
            ensure!(
                args.local.is_none(),
                "--local: expected --to r2://BUCKET, found a folder"
            );
            Box::new(Folder::new(Path::new(&args.to))?)
        }
    };
    let plan = Plan::new(&args.bundle, &*to, &args.signing.signer()?, args.as_new)?;
    for step in &plan.steps {
        plan.run(step, &*to)?;
    }
    let count = |kind: fn(&Step) -> bool| plan.steps.iter().filter(|step| kind(step)).count();
    let added = count(|step| matches!(step, Step::Add(_)));
    let removed = count(|step| matches!(step, Step::Remove(_)));
    let changed = plan.steps.contains(&Step::ReplaceManifest);
    let unlisted = to.names()?.is_none();
    if args.json {
        let report = serde_json::json!({
            "bundle": plan.id, "sequence": plan.sequence, "published": changed, "added": added, "removed": removed,
            "cleaned": !unlisted,
        });
        println!("{report}");
        return Ok(());
    }
    println!(
        "{}: bundle {}, sequence {}: {}, {added} file(s) added, {removed} removed",
        to.name(),
        plan.id,
        plan.sequence,
        if changed {
            "published"
        } else {
            "was published already"
        },
    );
    if unlisted {
        eprintln!(
            "files of bundles before the last one stay: wrangler lists no objects. A name never means other bytes, so they do \
            no harm; delete them in the dashboard, or publish to a new prefix now and then"
        );
    }
    Ok(())
}
