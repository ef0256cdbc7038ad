//! `recsys add`.

use super::input;
use crate::bundle::{Bundle, BundleWriter, Contents, write_segment};
use crate::signing::Signing;
use crate::{progress, sprites};
use anyhow::{Context, Result, ensure};
use recsys_core::manifest::{EncoderRef, Manifest, SegmentEntry, Sprites};
use std::path::PathBuf;

/// Segments of added videos that a bundle may have: every query is asked of all of them.
const MAX_DELTAS: usize = 64;

/// Videos as `recsys index` takes them.
#[derive(clap::Args)]
pub struct Args {
    /// The bundle that they are added to
    #[arg(long)]
    bundle: PathBuf,
    #[command(flatten)]
    input: input::InputArgs,
    #[command(flatten)]
    signing: Signing,
}

/// Publishes the bundle again with one more small segment; the files of the others stay as they are. A video that is there
/// already is replaced.
pub fn run(args: Args) -> Result<()> {
    let bundle = Bundle::open(&args.bundle)?;
    let manifest = bundle.manifest();
    let deltas = manifest.segments.iter().filter(|segment| segment.delta).count();
    ensure!(
        deltas < MAX_DELTAS,
        "{}: {deltas} segments were added already; join them first with `recsys compact`",
        args.bundle.display()
    );
    let mut input = input::read(&args.input, Some(bundle.dictionaries()))?;
    ensure!(
        input.dim == bundle.dim(),
        "the videos' vectors have {} dimensions, those of {} have {}; encode them with the same model",
        input.dim,
        args.bundle.display(),
        bundle.dim()
    );
    check_encoder(manifest.encoder.as_ref(), input.encoder.as_ref())?;

    let writer = BundleWriter::new(bundle.dir(), &args.signing)?;
    let mut changed = manifest.clone();
    if !input.stills.is_empty() {
        let sheets = sprites::write(&writer, &input.stills)?;
        let first = add_sheets(&mut changed, sheets)?;
        let cells = input.records.iter_mut().map(|record| &mut record.cell);
        let known = cells.filter(|cell| **cell != recsys_core::items::NO_CELL);
        known.for_each(|cell| *cell = cell.saturating_add(first));
    }
    let counts = input.dictionaries.counts();
    if input.dictionaries != *bundle.dictionaries() {
        changed.dictionaries = writer.add("dictionaries", "bin", &input.dictionaries.to_bytes())?;
    }
    let contents = Contents {
        records: &input.records,
        counts,
        vectors: &input.vectors,
        mean: bundle.mean(),
        graph_above: Some(manifest.search.flat_up_to),
        neighbours: None,
    };
    let rows: Vec<u32> = (0..u32::try_from(input.records.len())?).collect();
    let bar = progress::bar("graph", rows.len());
    let segment = write_segment(&writer, &contents, &rows, &[], &bar)?;
    bar.finish_and_clear();
    let replaced: Vec<&str> = input.records.iter().map(|record| record.id.as_str()).collect();
    let (mut removed, count) = bundle.removed_with(&replaced);
    removed.push(Vec::new());
    changed.segments.push(SegmentEntry {
        delta: true,
        ..segment
    });
    changed.items = u32::try_from(bundle.len() - count + rows.len())?;
    let sequence = writer.publish_removed(changed, removed)?;
    eprintln!(
        "{}: {} videos added, {count} of them in place of earlier ones, sequence {sequence}",
        args.bundle.display(),
        rows.len()
    );
    Ok(())
}

fn check_encoder(bundle: Option<&EncoderRef>, input: Option<&EncoderRef>) -> Result<()> {
    match (bundle, input) {
        (Some(own), Some(other)) => ensure!(
            own == other,
            "the bundle's vectors were made by the model {} ({}), not by {} ({}); choose it with --model DIR",
            own.name,
            own.sha256,
            other.name,
            other.sha256
        ),
        (None, Some(_)) => anyhow::bail!(
            "the bundle was made from vectors, not by a model: add videos with --vectors and --ids too"
        ),
        (_, None) => {}
    }
    Ok(())
}

/// Adds sheets behind those that there are, and gives the number of their first cell.
fn add_sheets(manifest: &mut Manifest, added: Sprites) -> Result<u32> {
    let Some(sprites) = &mut manifest.sprites else {
        manifest.sprites = Some(added);
        return Ok(0);
    };
    let form = |s: &Sprites| (s.columns, s.rows, s.width, s.height);
    ensure!(
        form(sprites) == form(&added),
        "the bundle's stills have another form than this version makes; rebuild it with `recsys index`"
    );
    let first = u32::try_from(sprites.sheets.len())?.checked_mul(sprites.columns * sprites.rows);
    sprites.sheets.extend(added.sheets);
    first.context("the bundle has too many stills; rebuild it with `recsys index`")
}
