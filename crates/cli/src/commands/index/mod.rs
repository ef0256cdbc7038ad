//! `recsys index`.

mod catalogue;
mod encode;
mod shards;

use crate::bundle::BundleWriter;
use crate::signing::Signing;
use crate::{clock, sprites};
use anyhow::{Context, Result, ensure};
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::items::{self, Dictionaries, ItemRecord};
use recsys_core::manifest::{EncoderRef, Manifest, SearchSettings};
use recsys_core::npy::Matrix;
use recsys_core::vector::UnitVector;
use std::path::{Path, PathBuf};

/// A catalogue, or vectors and ids.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("input").required(true).multiple(true).args(["catalogue", "vectors"])))]
pub struct Args {
    /// The catalogue: schema.org VideoObjects as JSON Lines; media paths are relative to its folder. With --vectors no
    /// media is read
    #[arg(long)]
    catalogue: Option<PathBuf>,
    /// Vectors as a NumPy .npy file, f32, n × d
    #[arg(long, requires = "ids")]
    vectors: Option<PathBuf>,
    /// Ids of the vectors, one a line
    #[arg(long, requires = "vectors")]
    ids: Option<PathBuf>,
    /// The bundle's folder: new, empty, or an older bundle to be replaced
    #[arg(long)]
    out: PathBuf,
    /// Directory of the CLIP model
    #[arg(long, default_value = "models/mini-clip")]
    model: PathBuf,
    /// Key frames a video
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    frames: u16,
    /// Share of the title in a video's vector, 0 to 1
    #[arg(long, default_value_t = 0.3)]
    title_weight: f32,
    /// Leave out videos whose media cannot be read, instead of stopping
    #[arg(long)]
    skip_bad: bool,
    /// Width of the graph walk, written into the manifest
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    ef: u32,
    /// Shards of at most this many videos are scanned, not walked; written into the manifest
    #[arg(long, default_value_t = 5000)]
    flat_up_to: u32,
    /// Shards; one for each 100,000 videos where not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    shards: Option<u16>,
    /// Shards that a query is asked of, those of the nearest cells; written into the manifest
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    probes: u32,
    /// Worker threads; the number of cores where not given
    #[arg(long)]
    threads: Option<usize>,
    #[command(flatten)]
    signing: Signing,
}

/// What both ways of indexing lead to.
struct Indexed {
    records: Vec<ItemRecord>,
    dictionaries: Dictionaries,
    /// n × dim, unit length.
    vectors: Vec<f32>,
    dim: usize,
    encoder: Option<EncoderRef>,
    /// A still a video; empty where there is no media.
    stills: Vec<Option<RgbImage>>,
}

/// Makes the bundle.
pub fn run(args: Args) -> Result<()> {
    let writer = BundleWriter::new(&args.out, &args.signing)?;
    let indexed = match (&args.catalogue, &args.vectors, &args.ids) {
        (catalogue, Some(vectors), Some(ids)) => from_vectors(vectors, ids, catalogue.as_deref())?,
        (Some(path), ..) => encode::catalogue(&args, path)?,
        _ => anyhow::bail!("expected --catalogue, or --vectors and --ids"),
    };
    let (shards, cells) = shards::write(
        &writer,
        &indexed.vectors,
        indexed.dim,
        args.shards.map(usize::from),
        args.probes,
    )?;
    let table = writer.add(
        "items",
        "bin",
        &items::to_bytes(&indexed.records, &indexed.dictionaries),
    )?;
    let search = SearchSettings {
        ef: args.ef,
        flat_up_to: args.flat_up_to,
    };
    let (dim, n) = (u32::try_from(indexed.dim)?, u32::try_from(indexed.records.len())?);
    let mut manifest = Manifest::new(
        writer.next_sequence()?,
        clock::now_rfc3339(),
        dim,
        n,
        search,
        shards,
        table,
    );
    manifest.cells = cells;
    manifest.encoder = indexed.encoder;
    if indexed.stills.iter().any(Option::is_some) {
        manifest.sprites = Some(sprites::write(&writer, &indexed.stills)?);
    }
    writer.publish(&manifest)?;
    eprintln!(
        "{}: {n} videos of {dim} dimensions, sequence {}",
        args.out.display(),
        manifest.sequence
    );
    Ok(())
}

/// A progress bar with rate and remaining time; silent where standard error is no terminal.
fn progress(what: &'static str, n: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {per_sec} {eta} left");
    ProgressBar::new(n as u64)
        .with_prefix(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Vectors and ids; what else is known of a video from the catalogue, where there is one.
fn from_vectors(vectors: &Path, ids: &Path, videos: Option<&Path>) -> Result<Indexed> {
    let bytes = std::fs::read(vectors).with_context(|| format!("{}: cannot read it", vectors.display()))?;
    let matrix = Matrix::parse(&bytes).with_context(|| vectors.display().to_string())?;
    drop(bytes);
    let text = std::fs::read_to_string(ids).with_context(|| format!("{}: cannot read it", ids.display()))?;
    let at = |line: usize| format!("{}, line {}", ids.display(), line + 1);
    let records: Vec<ItemRecord> = text
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let id = ItemId::new(line).with_context(|| at(i))?;
            let card = serde_json::json!({ "name": line }).to_string();
            Ok(ItemRecord {
                id,
                facts: ItemFacts::unknown(),
                card,
            })
        })
        .collect::<Result<_>>()?;
    ensure!(
        records.len() == matrix.rows,
        "{}: expected {} ids, one for each row of {}, found {}",
        ids.display(),
        matrix.rows,
        vectors.display(),
        records.len()
    );
    check_unique(&records, at)?;
    let dim = matrix.columns;
    ensure!(
        (8..=2048).contains(&dim),
        "{}: expected 8 to 2048 columns, found {dim}",
        vectors.display()
    );
    let mut unit = Vec::with_capacity(matrix.values.len());
    for (row, vector) in matrix.iter().enumerate() {
        let found = UnitVector::new(vector.to_vec());
        let found = found.with_context(|| format!("{}, row {row}", vectors.display()))?;
        unit.extend(found.as_slice());
    }
    let (records, dictionaries) = match videos {
        Some(path) => described(&records, path)?,
        None => (records, Dictionaries::default()),
    };
    Ok(Indexed {
        records,
        dictionaries,
        vectors: unit,
        dim,
        encoder: None,
        stills: Vec::new(),
    })
}

/// The records of a catalogue's videos in the order of `records`, which name them all.
fn described(records: &[ItemRecord], path: &Path) -> Result<(Vec<ItemRecord>, Dictionaries)> {
    let videos = catalogue::read(path)?;
    let (described, dictionaries) = catalogue::records(&videos)?;
    let mut by_id: std::collections::HashMap<ItemId, ItemRecord> = described
        .into_iter()
        .map(|record| (record.id.clone(), record))
        .collect();
    let find = |record: &ItemRecord| {
        by_id.remove(&record.id).with_context(|| {
            format!(
                "{}: expected a video with id {:?}, for which there is a vector",
                path.display(),
                record.id.as_str()
            )
        })
    };
    let found = records.iter().map(find).collect::<Result<_>>()?;
    Ok((found, dictionaries))
}

/// Refuses an id that occurs twice.
fn check_unique(records: &[ItemRecord], at: impl Fn(usize) -> String) -> Result<()> {
    let mut seen = std::collections::HashMap::new();
    for (i, record) in records.iter().enumerate() {
        if let Some(first) = seen.insert(record.id.as_str(), i) {
            anyhow::bail!(
                "{}: id {:?} is that of {} already; ids must differ",
                at(i),
                record.id.as_str(),
                at(first)
            );
        }
    }
    Ok(())
}
