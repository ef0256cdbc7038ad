//! `recsys index`.

use super::input;
use crate::bundle::{BundleWriter, Contents, Partitioning, write_segments};
use crate::signing::Signing;
use crate::{clock, graph, sprites};
use anyhow::Result;
use recsys_core::manifest::{Manifest, SearchSettings};
use recsys_core::shard::SearchOptions;
use std::path::PathBuf;

/// A catalogue, or vectors and ids.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    input: input::InputArgs,
    /// The bundle's folder: new, empty, or an older bundle to be replaced
    #[arg(long)]
    out: PathBuf,
    /// Width of the graph walk, written into the manifest
    #[arg(long, default_value_t = SearchOptions::DEFAULT_EF as u32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    ef: u32,
    /// Shards of at most this many videos have no graph and are scanned; written into the manifest
    #[arg(long, default_value_t = SearchOptions::DEFAULT_FLAT_UP_TO as u32)]
    flat_up_to: u32,
    /// Make no graphs: quick to index, and every search compares all videos of the shards that are asked
    #[arg(long)]
    no_graph: bool,
    #[command(flatten)]
    partitioning: Partitioning,
    #[command(flatten)]
    signing: Signing,
}

/// Makes the bundle.
pub fn run(args: Args) -> Result<()> {
    let writer = BundleWriter::new(&args.out, &args.signing)?;
    let input = input::read(&args.input, None)?;
    let contents = Contents {
        records: &input.records,
        counts: input.dictionaries.counts(),
        vectors: &input.vectors,
        mean: &graph::mean(&input.vectors, input.dim),
        graph_above: (!args.no_graph).then_some(args.flat_up_to),
        neighbours: None,
    };
    let (segments, cells) = write_segments(&writer, &contents, args.partitioning)?;
    let search = SearchSettings {
        ef: args.ef,
        flat_up_to: args.flat_up_to,
    };
    let (dim, n) = (u32::try_from(input.dim)?, u32::try_from(input.records.len())?);
    let mut manifest = Manifest::new(
        writer.next_sequence()?,
        clock::now_rfc3339(),
        dim,
        n,
        search,
        writer.add("dictionaries", "bin", &input.dictionaries.to_bytes())?,
        segments,
    );
    manifest.cells = cells;
    manifest.encoder = input.encoder;
    if !input.stills.is_empty() {
        manifest.sprites = Some(sprites::write(&writer, &input.stills)?);
    }
    writer.publish(&manifest)?;
    eprintln!(
        "{}: {n} videos of {dim} dimensions in {} segment(s), sequence {}",
        args.out.display(),
        manifest.segments.len(),
        manifest.sequence
    );
    Ok(())
}
