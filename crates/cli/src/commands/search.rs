//! `recsys search`.

use crate::bundle::{Bundle, Found};
use crate::media;
use crate::model::ModelDir;
use anyhow::{Context, Result, ensure};
use recsys_core::clip::tower;
use recsys_core::npy::Matrix;
use recsys_core::shard::{Scratch, SearchOptions, SearchStats};
use serde_json::json;
use std::path::{Path, PathBuf};

/// One query, or a file of them.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("query").required(true).args(["vectors", "text", "image"])))]
pub struct Args {
    /// The bundle's folder
    #[arg(long)]
    bundle: PathBuf,
    /// Queries as a NumPy .npy file, f32, n × d
    #[arg(long)]
    vectors: Option<PathBuf>,
    /// A query in words, through the model that made the bundle
    #[arg(long)]
    text: Option<String>,
    /// A picture as query, through the model that made the bundle
    #[arg(long)]
    image: Option<PathBuf>,
    /// Directory of the model, for --text and --image
    #[arg(long, default_value = "models/mini-clip")]
    model: PathBuf,
    /// Number of results
    #[arg(short, default_value_t = 10)]
    k: usize,
    /// Width of the graph walk; the manifest's where not given
    #[arg(long)]
    ef: Option<u32>,
    /// Shards that a query is asked of; the manifest's number where not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    probes: Option<u16>,
    /// Walk the graph however small the shard is
    #[arg(long)]
    graph: bool,
    /// One JSON array of {id, score} a query
    #[arg(long)]
    json: bool,
    /// Print on standard error how many inner products each query took
    #[arg(long)]
    stats: bool,
}

/// Prints the nearest videos of each query.
pub fn run(args: Args) -> Result<()> {
    let mut bundle = Bundle::open(&args.bundle)?;
    if let Some(probes) = args.probes {
        bundle.set_probes(probes.into());
    }
    ensure!(
        args.k > 0 && args.k <= 10_000,
        "-k {}: expected 1 to 10000",
        args.k
    );
    let mut settings = bundle.manifest().search;
    if let Some(ef) = args.ef {
        ensure!((1..=100_000).contains(&ef), "--ef {ef}: expected 1 to 100000");
        settings.ef = ef;
    }
    if args.graph {
        settings.flat_up_to = 0;
    }
    let queries = queries(&args, &bundle)?;
    let mut scratch = Scratch::default();
    for (number, query) in queries.iter().enumerate() {
        let found = bundle.search(query, &settings, args.k, &mut scratch);
        let (found, stats) = found.with_context(|| format!("query {}", number + 1))?;
        print(&args, &bundle, &found, settings.options(args.k), stats);
    }
    Ok(())
}

fn queries(args: &Args, bundle: &Bundle) -> Result<Matrix> {
    if let Some(path) = &args.vectors {
        let bytes = std::fs::read(path).with_context(|| format!("{}: cannot read it", path.display()))?;
        return Matrix::parse(&bytes).with_context(|| path.display().to_string());
    }
    let model = model_of(bundle, &args.model)?;
    let values = match (&args.text, &args.image) {
        (Some(text), _) => model.text()?.encode(text, &mut tower::Scratch::default())?,
        (_, Some(path)) => {
            let options = media::Options {
                frames: 1,
                side: model.model().image.size,
                timeout: std::time::Duration::from_secs(60),
            };
            let picture = media::picture(path, &options)?;
            let encoded = model.image()?.encode(
                &picture.rgb,
                picture.width,
                picture.height,
                &mut tower::Scratch::default(),
            );
            encoded.with_context(|| path.display().to_string())?
        }
        _ => anyhow::bail!("expected --vectors, --text or --image"),
    };
    Ok(Matrix {
        rows: 1,
        columns: values.len(),
        values,
    })
}

/// The model in `dir`, which must be the one that made the bundle's vectors.
fn model_of(bundle: &Bundle, dir: &Path) -> Result<ModelDir> {
    let model = ModelDir::open(dir)?;
    let Some(made_by) = &bundle.manifest().encoder else {
        anyhow::bail!(
            "the bundle was made from vectors, not by a model: words and pictures cannot be compared with it"
        );
    };
    ensure!(
        *made_by == model.reference(),
        "{}: expected the model that made the bundle, {} ({}), found {} ({}); choose it with --model DIR",
        dir.display(),
        made_by.name,
        made_by.sha256,
        model.reference().name,
        model.reference().sha256
    );
    Ok(model)
}

fn print(args: &Args, bundle: &Bundle, found: &[Found], options: SearchOptions, stats: SearchStats) {
    if args.stats {
        let how = if stats.graph { "graph" } else { "scan" };
        eprintln!(
            "{}",
            json!({ "strategy": how, "ef": options.ef.max(options.k), "distances": stats.distances })
        );
    }
    if args.json {
        let list = found
            .iter()
            .map(|f| json!({ "id": bundle.item_id(f.row), "score": f.score }));
        println!("{}", serde_json::Value::Array(list.collect()));
        return;
    }
    for hit in found {
        let card: serde_json::Value = serde_json::from_str(bundle.card(hit.row)).unwrap_or_default();
        let name = card
            .get("name")
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default();
        println!("{:.4}  {}  {name}", hit.score, bundle.item_id(hit.row));
    }
}
