//! `recsys policy`: the page's rules in a bundle.

use crate::bundle::Bundle;
use crate::signing::Signing;
use anyhow::{Context, Result, bail};
use recsys_core::policy::{Codes, Settings};
use std::path::PathBuf;

/// Shows the rules of a bundle's page, or publishes the bundle again with others.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Publish the bundle again with the rules of this JSON file (docs/ranking.md).
    #[arg(long, value_name = "FILE", conflicts_with = "clear")]
    set: Option<PathBuf>,
    /// Publish the bundle again with the default rules.
    #[arg(long)]
    clear: bool,
    /// Print the rules as JSON; the default where nothing else is asked for.
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    signing: Signing,
}

/// Runs the command.
///
/// # Errors
/// An unreadable bundle or file, a rule that cannot be kept, or a name that the bundle does not know.
pub fn run(args: &Args) -> Result<()> {
    let bundle = Bundle::open(&args.bundle)?;
    if let Some(path) = &args.set {
        let at = || path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("{}: cannot read the rules", at()))?;
        let settings = Settings::parse(&bytes).with_context(at)?;
        publish(&bundle, Some(settings), &args.signing).with_context(at)?;
    } else if args.clear {
        publish(&bundle, None, &args.signing)?;
    }
    let changed = args.set.is_some() || args.clear;
    if args.show || !changed {
        let shown = Bundle::open(&args.bundle)?
            .manifest()
            .policy
            .clone()
            .unwrap_or_default();
        println!("{}", serde_json::to_string_pretty(&shown)?);
    }
    if changed {
        let new = Bundle::open(&args.bundle)?;
        eprintln!(
            "bundle {}, sequence {}, has the new rules",
            new.id(),
            new.manifest().sequence
        );
    }
    Ok(())
}

fn publish(bundle: &Bundle, policy: Option<Settings>, signing: &Signing) -> Result<()> {
    let mut manifest = bundle.manifest().clone();
    manifest.policy = policy;
    manifest.policy_codes = codes(bundle, manifest.rules())?;
    bundle.republish(manifest, signing)
}

/// The codes of all names in some rules.
///
/// # Errors
/// The bundle has no such category, creator, language or video.
pub fn codes<'a>(bundle: &Bundle, rules: impl Iterator<Item = &'a Settings>) -> Result<Codes> {
    let known = bundle.dictionaries();
    let mut codes = Codes::default();
    for settings in rules {
        let [categories, creators, languages] = settings.names();
        look_up("category", &categories, &known.categories, &mut codes.categories)?;
        look_up("creator", &creators, &known.creators, &mut codes.creators)?;
        look_up("language", &languages, &known.languages, &mut codes.languages)?;
        if let Some(item) = settings.items().find(|id| bundle.row(id).is_none()) {
            bail!("policy: the bundle has no video {item:?}; take the rule out, or index the video first");
        }
    }
    Ok(codes)
}

/// Names that an error lists at most.
const LISTED: usize = 12;

fn look_up(what: &str, names: &[&str], known: &[String], codes: &mut Vec<(String, u32)>) -> Result<()> {
    for &name in names {
        let Some(code) = known.iter().position(|other| other == name) else {
            let mut some: Vec<&str> = known.iter().take(LISTED).map(String::as_str).collect();
            if known.len() > LISTED {
                some.push("…");
            }
            bail!(
                "policy: the bundle has no {what} {name:?}; it has {}",
                some.join(", ")
            );
        };
        let pair = (name.to_owned(), u32::try_from(code)?);
        if !codes.contains(&pair) {
            codes.push(pair);
        }
    }
    Ok(())
}
