//! `recsys remove`.

use crate::bundle::{Bundle, BundleWriter};
use crate::signing::Signing;
use anyhow::{Context, Result, ensure};
use recsys_core::catalogue::ItemId;
use std::path::PathBuf;

/// Which videos.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).multiple(true).args(["id", "ids"])))]
pub struct Args {
    /// The bundle that they are removed from
    #[arg(long)]
    bundle: PathBuf,
    /// Ids of videos
    id: Vec<String>,
    /// A file of ids, one a line
    #[arg(long)]
    ids: Option<PathBuf>,
    /// Pass over ids that the bundle does not have, instead of stopping
    #[arg(long)]
    skip_unknown: bool,
    #[command(flatten)]
    signing: Signing,
}

/// Publishes the bundle again with tombstones for some videos; no other file changes.
pub fn run(args: Args) -> Result<()> {
    let bundle = Bundle::open(&args.bundle)?;
    let mut ids = args.id;
    if let Some(path) = &args.ids {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{}: cannot read it", path.display()))?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let id = ItemId::new(line).with_context(|| format!("{}, line {}", path.display(), number + 1))?;
            ids.push(id.into());
        }
    }
    if let Some(unknown) = ids.iter().find(|id| bundle.row(id).is_none()) {
        ensure!(
            args.skip_unknown,
            "{}: no video has the id {unknown:?}; leave it out, or pass over such ids with --skip-unknown",
            args.bundle.display()
        );
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (removed, count) = bundle.removed_with(&ids);
    ensure!(
        count < bundle.len(),
        "{}: these are all its videos, and a bundle has at least one; publish another bundle instead",
        args.bundle.display()
    );
    let mut changed = bundle.manifest().clone();
    for id in changed.pinned().filter(|id| ids.contains(id)) {
        eprintln!("warning: {id:?} is pinned by the page's rules; the pin has no effect from now on");
    }
    changed.items = u32::try_from(bundle.len() - count)?;
    let sequence = BundleWriter::new(bundle.dir(), &args.signing)?.publish_removed(changed, removed)?;
    eprintln!(
        "{}: {count} videos removed, sequence {sequence}",
        args.bundle.display()
    );
    Ok(())
}
