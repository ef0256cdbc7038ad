//! `recsys milvus`: a bundle's videos in Milvus, for a worker with `CANDIDATES = "milvus"`.

use crate::bundle::Bundle;
use crate::milvus::{Client, Done, Load, Options, load};
use anyhow::{Result, ensure};
use recsys_core::milvus::{Head, Metric, collection, contents, contents_of};
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

/// Loads a bundle into Milvus and looks after what was loaded (docs/milvus.md).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Load a bundle into a collection of its own, and check it; then publish the bundle
    Load(LoadArgs),
    /// List the collections of bundles, the newest first
    List(ListArgs),
    /// Remove a collection
    Drop(DropArgs),
    /// Remove the collections of all but the newest bundles, once these are published
    Prune(PruneArgs),
}

#[derive(Debug, clap::Args)]
struct LoadArgs {
    /// The bundle's folder
    bundle: PathBuf,
    #[command(flatten)]
    milvus: Options,
    /// How vectors are compared; they are of unit length, so both find the same
    #[arg(long, default_value = "COSINE", value_parser = ["COSINE", "IP"])]
    metric: String,
    /// Videos of one request
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    batch: u16,
    /// Remove the bundle's collection first, where it is there
    #[arg(long)]
    replace: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    milvus: Options,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct DropArgs {
    /// The collection, as `list` shows it
    name: String,
    #[command(flatten)]
    milvus: Options,
}

#[derive(Debug, clap::Args)]
struct PruneArgs {
    /// How many stay, those of the highest sequences
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    keep: u16,
    /// Folder of a bundle whose collection stays beside them, such as one that was published again; may be given several times
    #[arg(long, value_name = "BUNDLE")]
    in_use: Vec<PathBuf>,
    #[command(flatten)]
    milvus: Options,
    /// Print what was removed as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// A damaged bundle, no Milvus, one that refuses, or a collection in the way.
pub fn run(args: &Args) -> Result<()> {
    match &args.command {
        Command::Load(args) => run_load(args),
        Command::List(args) => run_list(args),
        Command::Drop(args) => run_drop(args),
        Command::Prune(args) => run_prune(args),
    }
}

fn run_load(args: &LoadArgs) -> Result<()> {
    let begun = Instant::now();
    let bundle = Bundle::open(&args.bundle)?;
    let client = Client::open(&args.milvus)?;
    let collection = collection(&args.milvus.collection, &contents(bundle.manifest()));
    let metric = match args.metric.as_str() {
        "IP" => Metric::Ip,
        _ => Metric::Cosine,
    };
    let done = load(&Load {
        client: &client,
        bundle: &bundle,
        collection: &collection,
        metric,
        batch: args.batch.into(),
        replace: args.replace,
    })?;
    let (videos, api, seconds) = (bundle.len(), client.api.name(), begun.elapsed().as_secs_f64());
    let what = match done {
        Done::Loaded => "loaded",
        Done::Replaced => "replaced",
        Done::ThereAlready => "there already",
    };
    if args.json {
        let report = json!({
            "collection": collection, "bundle": bundle.id(), "sequence": bundle.manifest().sequence, "api": api,
            "metric": metric.name(), "dim": bundle.dim(), "videos": videos, "done": what, "seconds": seconds,
        });
        println!("{report}");
    } else {
        println!(
            "{collection}: {videos} videos {what} and checked, API {api}, {seconds:.1} s; now publish the bundle"
        );
    }
    Ok(())
}

/// A bundle's collection; one that was not loaded to its end has no head.
struct Known {
    name: String,
    head: Option<Head>,
}

/// The collections of bundles, that of the highest sequence first.
fn known(client: &Client, name: &str) -> Result<Vec<Known>> {
    let known = |collection: String| {
        contents_of(name, &collection)?;
        let head = client.head(&collection);
        Some(head.map(|head| Known {
            head,
            name: collection,
        }))
    };
    let mut all = client
        .collections()?
        .into_iter()
        .filter_map(known)
        .collect::<Result<Vec<Known>>>()?;
    all.sort_by_key(|known| std::cmp::Reverse(known.head.as_ref().map(|head| head.sequence)));
    Ok(all)
}

fn run_list(args: &ListArgs) -> Result<()> {
    let client = Client::open(&args.milvus)?;
    let known = known(&client, &args.milvus.collection)?;
    if args.json {
        let entry = |known: &Known| {
            json!({
                "collection": known.name, "whole": known.head.is_some(),
                "sequence": known.head.as_ref().map(|head| head.sequence),
                "videos": known.head.as_ref().map(|head| head.items),
            })
        };
        println!("{}", json!(known.iter().map(entry).collect::<Vec<_>>()));
        return Ok(());
    }
    for Known { name, head, .. } in known {
        match head {
            Some(head) => println!("{name}: sequence {}, {} videos", head.sequence, head.items),
            None => println!("{name}: not loaded to its end"),
        }
    }
    Ok(())
}

fn run_drop(args: &DropArgs) -> Result<()> {
    let client = Client::open(&args.milvus)?;
    let name = &args.name;
    ensure!(
        contents_of(&args.milvus.collection, name).is_some() && client.collections()?.contains(name),
        "{name}: there is no such collection of bundles; `recsys milvus list` shows those that are there"
    );
    client.remove(name)?;
    println!("{name}: removed");
    Ok(())
}

fn run_prune(args: &PruneArgs) -> Result<()> {
    let client = Client::open(&args.milvus)?;
    let known = known(&client, &args.milvus.collection)?;
    let in_use = args
        .in_use
        .iter()
        .map(|folder| {
            Ok(collection(
                &args.milvus.collection,
                &contents(Bundle::open(folder)?.manifest()),
            ))
        })
        .collect::<Result<Vec<String>>>()?;
    // One without a head may be loading at present.
    let whole = known.iter().filter(|known| known.head.is_some());
    let mut removed = Vec::new();
    let old = whole.skip(args.keep.into());
    for Known { name, .. } in old.filter(|known| !in_use.contains(&known.name)) {
        client.remove(name)?;
        if !args.json {
            println!("{name}: removed");
        }
        removed.push(name);
    }
    if args.json {
        println!("{}", json!({ "removed": removed }));
    }
    Ok(())
}
