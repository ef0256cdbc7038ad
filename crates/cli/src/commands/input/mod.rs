//! Videos as `recsys index` and `recsys add` take them: a catalogue with its media, a folder of videos, or vectors that the
//! user already has.

mod catalogue;
mod encode;
mod folder;
mod vector;

use crate::cache::Cache;
use crate::files;
use anyhow::{Context, Result, ensure};
use image::RgbImage;
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::items::dictionaries::Dictionaries;
use recsys_core::items::{ItemRecord, NO_CELL};
use recsys_core::manifest::EncoderRef;
use recsys_core::npy::Matrix;
use recsys_core::vector::UnitVector;
use std::path::{Path, PathBuf};

/// A catalogue, a folder of videos, or vectors and ids.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("input").required(true).multiple(true).args(["catalogue", "media", "vectors"])))]
pub struct InputArgs {
    /// The catalogue: schema.org VideoObjects as JSON Lines; media paths are relative to its folder. With --vectors no
    /// media is read
    #[arg(long)]
    catalogue: Option<PathBuf>,
    /// A folder of videos, read with all folders below it; paths become ids. With --catalogue, the folder that its media
    /// paths are relative to
    #[arg(long, conflicts_with = "vectors", value_name = "DIR")]
    media: Option<PathBuf>,
    /// Vectors as a NumPy .npy file, f32, n × d
    #[arg(long, requires = "ids")]
    vectors: Option<PathBuf>,
    /// Ids of the vectors, one a line
    #[arg(long, requires = "vectors")]
    ids: Option<PathBuf>,
    /// Directory of the CLIP model
    #[arg(long, default_value = "models/mini-clip")]
    model: PathBuf,
    /// The most key frames a video
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    frames: u16,
    /// Share of the title in a video's vector, 0 to 1
    #[arg(long, default_value_t = 0.3, value_name = "SHARE")]
    title_weight: f32,
    /// Share of the description; together with the title's at most 1
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    description_weight: f32,
    /// Seconds that reading one video may take
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    media_timeout: u32,
    /// Leave out videos whose media cannot be read, instead of stopping
    #[arg(long)]
    skip_bad: bool,
    /// Where encoded videos are kept for the next run; ~/.cache/recsys where not given
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Encode everything, and keep nothing
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
    /// Worker threads; the number of cores where not given
    #[arg(long)]
    threads: Option<usize>,
}

impl InputArgs {
    /// The cache that was asked for.
    fn cache(&self) -> Result<Cache> {
        if self.no_cache {
            return Ok(Cache::none());
        }
        if let Some(folder) = &self.cache {
            return Cache::open(folder);
        }
        let Ok(own) = files::cache_folder("--cache DIR") else {
            return Ok(Cache::none());
        };
        Ok(Cache::open(&own).unwrap_or_else(|error| {
            eprintln!("warning: {error:#}");
            Cache::none()
        }))
    }
}

/// Videos that were read.
pub struct Input {
    pub records: Vec<ItemRecord>,
    /// What their codes name.
    pub dictionaries: Dictionaries,
    /// n × dim, unit length.
    pub vectors: Vec<f32>,
    pub dim: usize,
    /// The model that made the vectors, where one did.
    pub encoder: Option<EncoderRef>,
    /// Stills; the cell of a record is its number here.
    pub stills: Vec<RgbImage>,
}

/// Reads the videos. Codes go on from those of the dictionaries that are `known` already.
pub fn read(args: &InputArgs, known: Option<&Dictionaries>) -> Result<Input> {
    match (&args.catalogue, &args.media, &args.vectors, &args.ids) {
        (catalogue, _, Some(vectors), Some(ids)) => from_vectors(vectors, ids, catalogue.as_deref(), known),
        (Some(path), media, ..) => {
            let beside = path.parent().unwrap_or(Path::new("."));
            encode::catalogue(args, path, media.as_deref().unwrap_or(beside), known)
        }
        (None, Some(folder), ..) => encode::folder(args, folder, known),
        _ => anyhow::bail!("expected --catalogue, --media, or --vectors and --ids"),
    }
}

/// Vectors and ids; what else is known of a video from the catalogue, where there is one.
fn from_vectors(
    vectors: &Path,
    ids: &Path,
    videos: Option<&Path>,
    known: Option<&Dictionaries>,
) -> Result<Input> {
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
                min_age: None,
                cell: NO_CELL,
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
        Some(path) => described(&records, path, known)?,
        None => (records, known.cloned().unwrap_or_default()),
    };
    Ok(Input {
        records,
        dictionaries,
        vectors: unit,
        dim,
        encoder: None,
        stills: Vec::new(),
    })
}

/// The records of a catalogue's videos in the order of `records`, which name them all.
fn described(
    records: &[ItemRecord],
    path: &Path,
    known: Option<&Dictionaries>,
) -> Result<(Vec<ItemRecord>, Dictionaries)> {
    let videos = catalogue::read(path)?;
    let (described, dictionaries) = catalogue::records(&videos, &[], known)?;
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
