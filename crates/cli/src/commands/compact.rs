//! `recsys compact`.

use crate::bundle::{Bundle, BundleWriter, Contents, Neighbours, Partitioning, write_segments};
use crate::graph;
use crate::signing::Signing;
use anyhow::Result;
use recsys_core::items::{ItemRecord, NO_CELL};
use recsys_core::manifest::Sprites;
use recsys_core::vector::UnitVector;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Which bundle, and into how many shards.
#[derive(clap::Args)]
pub struct Args {
    /// The bundle
    #[arg(long)]
    bundle: PathBuf,
    #[command(flatten)]
    partitioning: Partitioning,
    #[command(flatten)]
    signing: Signing,
}

/// Writes all segments anew, without what was removed and with what was added in its place in the partition. Codes, ranker
/// and rules stay.
pub fn run(args: Args) -> Result<()> {
    let bundle = Bundle::open(&args.bundle)?;
    let dim = bundle.dim();
    let mut vectors = vec![0.0; bundle.len() * dim];
    for (row, vector) in vectors.chunks_exact_mut(dim).enumerate() {
        bundle.vector(row, vector);
        // Quantised once already, they are a little off unit length.
        vector.copy_from_slice(UnitVector::new(vector.to_vec())?.as_slice());
    }
    let mut records = (0..bundle.len())
        .map(|row| bundle.record(row))
        .collect::<Result<Vec<ItemRecord>>>()?;
    let mut changed = bundle.manifest().clone();
    if let Some(sprites) = &mut changed.sprites {
        drop_unused(sprites, &mut records);
    }
    let neighbours: Neighbours<'_> = &|row| bundle.neighbours(row as usize);
    let contents = Contents {
        records: &records,
        counts: bundle.dictionaries().counts(),
        vectors: &vectors,
        mean: &graph::mean(&vectors, dim),
        graph_above: Some(changed.search.flat_up_to),
        neighbours: bundle.has_co_watch().then_some(neighbours),
    };
    let writer = BundleWriter::new(bundle.dir(), &args.signing)?;
    let before = changed.segments.len();
    (changed.segments, changed.cells) = write_segments(&writer, &contents, args.partitioning)?;
    let after = changed.segments.len();
    let sequence = writer.publish_removed(changed, vec![Vec::new(); after])?;
    eprintln!(
        "{}: {} videos, from {before} into {after} segment(s), sequence {sequence}",
        args.bundle.display(),
        records.len(),
    );
    Ok(())
}

/// Takes out the sheets that no video has its still on, and numbers the cells anew.
fn drop_unused(sprites: &mut Sprites, records: &mut [ItemRecord]) {
    let cells = (sprites.columns * sprites.rows).max(1);
    let known = |record: &&mut ItemRecord| record.cell != NO_CELL;
    let used: BTreeSet<u32> = records
        .iter()
        .filter(|record| record.cell != NO_CELL)
        .map(|record| record.cell / cells)
        .collect();
    let new: Vec<u32> = used.iter().copied().collect();
    for record in records.iter_mut().filter(known) {
        if let Ok(sheet) = new.binary_search(&(record.cell / cells)) {
            record.cell = sheet as u32 * cells + record.cell % cells;
        }
    }
    let mut number = 0..;
    sprites
        .sheets
        .retain(|_| number.next().is_some_and(|sheet| used.contains(&sheet)));
}
