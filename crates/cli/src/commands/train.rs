//! `recsys train`: events → features → LightGBM → the bundle's ranker and statistics.

pub mod bias;
mod card;
pub mod dataset;

use super::log::{LogArgs, bar, share};
use super::python::Python;
use super::slates::SlateFile;
use crate::bundle::{Bundle, BundleWriter, Trainable};
use crate::clock;
use crate::replay::{Catalogue, Moment, Replay, Statistics};
use crate::signing::Signing;
use anyhow::{Context, Result, ensure};
use bias::Examination;
use card::{Card, Data};
use clap::{Args as ClapArgs, ValueEnum};
use dataset::Dataset;
use recsys_core::features::FEATURES;
use recsys_core::manifest::sha256_hex;
use recsys_core::npy;
use recsys_core::rerank::Ranker;
use recsys_core::trees::{format, import};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Trains the ranking model on logged events and puts it, with the item statistics, into the bundle.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    log: LogArgs,
    /// Bundle of the same catalogue, as `recsys index` made it; it is published anew with the ranker.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Share of the slates, the earliest ones, to train on; the rest is for `recsys eval`.
    #[arg(long, default_value_t = 0.8, value_parser = share)]
    train_share: f64,
    /// Leave out this share of the slates, the earliest ones: those of the time that the bundle's vectors were made from, if
    /// they know what viewers chose. There the vectors give away the answers, and the ranker would trust them too much.
    #[arg(long, default_value_t = 0.0)]
    train_from: f64,
    /// Weigh clicks by the inverse of how often their position is looked at, as the slates of the arm `uniform` show
    /// it, or not at all.
    #[arg(long, value_enum, default_value_t = BiasArg::Uniform)]
    position_bias: BiasArg,
    /// Seed of LightGBM's sampling.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Python with LightGBM and NumPy; without it the command sets one up in the user's cache folder.
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Train on at most this many slates, evenly spread over the training share.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..))]
    max_slates: Option<u32>,
    /// Write the training slates here as JSON Lines.
    #[arg(long, value_name = "FILE")]
    save_slates: Option<PathBuf>,
    /// Also keep what LightGBM reads in this folder, for other rankers (models/ranker/neural.py).
    #[arg(long, value_name = "DIR")]
    save_data: Option<PathBuf>,
    /// Also keep LightGBM's own model file here.
    #[arg(long, value_name = "FILE")]
    save_model: Option<PathBuf>,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BiasArg {
    /// From the slates of the arm `uniform`.
    Uniform,
    /// All clicks weigh the same.
    None,
}

/// Rows that LightGBM scores as well, to hold the import to.
const TOLERANCE: f32 = 1e-4;

/// What train.py is told.
#[derive(Serialize)]
struct Task {
    features: Vec<&'static str>,
    categorical: Vec<&'static str>,
    fit_slates: usize,
    seed: u32,
    rounds: u32,
    patience: u32,
    learning_rate: f64,
    leaves: u32,
    min_data_in_leaf: u32,
}

/// What train.py prints.
#[derive(Deserialize)]
struct Trained {
    rounds: u32,
    validation_ndcg: f64,
    parameters: BTreeMap<String, serde_json::Value>,
    libraries: BTreeMap<String, String>,
    gain: BTreeMap<String, f64>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    slates: usize,
    rows: usize,
    positives: usize,
    rounds: u32,
    validation_ndcg_at_10: f64,
    examination: Option<Vec<f64>>,
    ranker_bytes: usize,
    gain: BTreeMap<String, f64>,
    bundle: String,
}

/// Runs the command.
///
/// # Errors
/// Unreadable or unusable events, too few of them, no Python, a failed training, or a bundle that cannot be written.
pub fn run(args: &Args) -> Result<()> {
    ensure!(
        (0.0..args.train_share).contains(&args.train_from),
        "--train-from {}: expected a share from 0 to below --train-share",
        args.train_from
    );
    let bundle = Bundle::open(&args.bundle)?;
    // A key that is missing is told before the training, not after it.
    drop(BundleWriter::new(&args.bundle, &args.signing)?);
    let catalogue = Catalogue::of(&bundle)?;
    let replay = args.log.replay(&catalogue)?;
    let (dataset, counts) = collect(args, &replay, &catalogue)?;
    dataset
        .check()
        .with_context(|| args.log.events.display().to_string())?;
    let examination = match args.position_bias {
        BiasArg::Uniform => Examination::estimate(dataset.uniform_clicks()),
        BiasArg::None => None,
    };
    let (trained, ranker) = train(args, &dataset, examination.as_ref())?;

    let end_ms = replay.end_ms();
    let card = card(args, &replay, &dataset, &trained, &ranker)?;
    bundle.replace_ranker(&Trainable {
        ranker: &ranker,
        card: &serde_json::to_vec_pretty(&card)?,
        facts: &|row, facts| counts.apply(facts, row, end_ms),
        neighbours: &|row| counts.neighbours(&catalogue, row),
        signing: &args.signing,
    })?;
    write(&args.bundle.join(CARD_FILE), card.markdown().as_bytes())?;
    let report = Report {
        slates: dataset.slates(),
        rows: dataset.rows(),
        positives: dataset.positives(),
        rounds: trained.rounds,
        validation_ndcg_at_10: trained.validation_ndcg,
        examination: examination.map(Examination::into_shares),
        ranker_bytes: ranker.len(),
        gain: trained.gain,
        bundle: Bundle::open(&args.bundle)?.id().to_owned(),
    };
    print(&report, args.json)
}

/// The model card for people, beside the manifest; the bundle names its JSON form.
const CARD_FILE: &str = "MODEL_CARD.md";

fn card(
    args: &Args,
    replay: &Replay<'_>,
    dataset: &Dataset,
    trained: &Trained,
    ranker: &[u8],
) -> Result<Card> {
    let (from_ms, to_ms) = dataset.times_ms();
    let sampling = &args.log.sampling;
    Ok(Card {
        created: clock::now_rfc3339(),
        recsys: env!("CARGO_PKG_VERSION"),
        ranker_sha256: sha256_hex(ranker),
        data: Data {
            events_sha256: sha256_hex(&read(&args.log.events)?),
            events: replay.len(),
            from_ms,
            to_ms,
            label: args.log.label.name(),
            negatives: sampling.negatives,
            slates: dataset.slates(),
            rows: dataset.rows(),
            positives: dataset.positives(),
        },
        parameters: trained.parameters.clone(),
        libraries: trained.libraries.clone(),
        rounds: trained.rounds,
        validation_ndcg_at_10: trained.validation_ndcg,
        features: card::inputs(&trained.gain),
    })
}

/// The rows of the slates before the split, and every item's counts after the last event.
fn collect(args: &Args, replay: &Replay<'_>, catalogue: &Catalogue) -> Result<(Dataset, Statistics)> {
    let split_ms = replay.split_ms(args.train_share);
    let from_ms = replay.split_ms(args.train_from);
    let all = replay
        .slates_before(split_ms)
        .saturating_sub(replay.slates_before(from_ms));
    let wanted = args.max_slates.map_or(all, |most| all.min(most as usize));
    let mut dataset = Dataset::default();
    let mut slates = SlateFile::create(args.save_slates.as_deref())?;
    let progress = bar("replaying events", false);
    progress.set_length(replay.len() as u64);
    let mut met = 0;
    let add = |moment: Moment<'_>| {
        if moment.slate.ts_ms < from_ms {
            return Ok(());
        }
        // The slates at which `wanted` of `all` grows by one, to whole numbers.
        let due = met * wanted / all.max(1) != (met + 1) * wanted / all.max(1);
        met += 1;
        if due && dataset.add(&moment, catalogue, split_ms)? {
            slates.add(&moment, &moment.unseen(catalogue), BTreeMap::new(), catalogue)?;
        }
        Ok(())
    };
    let counts = replay.run(add, |done| progress.inc(done))?;
    progress.finish_and_clear();
    slates.finish()?;
    Ok((dataset, counts))
}

/// LightGBM's report, and the model in its compact form.
fn train(args: &Args, dataset: &Dataset, examination: Option<&Examination>) -> Result<(Trained, Vec<u8>)> {
    let python = Python::find(args.python.as_deref())?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let task = Task {
        features: FEATURES.iter().map(|feature| feature.name).collect(),
        categorical: FEATURES
            .iter()
            .filter(|f| f.categorical)
            .map(|f| f.name)
            .collect(),
        fit_slates: dataset.write(folder.path(), examination)?,
        seed: args.seed,
        rounds: 600,
        patience: 50,
        learning_rate: 0.05,
        leaves: 15,
        min_data_in_leaf: 50,
    };
    let task_json = serde_json::to_vec_pretty(&task)?;
    write(&folder.path().join("task.json"), &task_json)?;
    if let Some(kept) = &args.save_data {
        dataset.write(kept, examination)?;
        write(&kept.join("task.json"), &task_json)?;
    }
    let trained = fit(&python, folder.path(), task.rounds)?;
    let text = read(&folder.path().join("model.txt"))?;
    let ranker = import_checked(&text, folder.path(), dataset)?;
    if let Some(path) = &args.save_model {
        write(path, &text)?;
    }
    Ok((trained, ranker))
}

/// A line that train.py prints while it trains.
#[derive(Deserialize)]
struct Round {
    round: u64,
    ndcg: f64,
}

fn fit(python: &Python, folder: &Path, rounds: u32) -> Result<Trained> {
    let progress = bar("training with LightGBM", false);
    progress.set_length(rounds.into());
    let mut report = String::new();
    python.run(
        include_str!("../../../../models/ranker/train.py"),
        folder,
        |line| match serde_json::from_str::<Round>(line) {
            Ok(Round { round, ndcg }) => {
                progress.set_position(round);
                progress.set_message(format!("training with LightGBM, validation NDCG@10 {ndcg:.4}"));
            }
            Err(_) => line.clone_into(&mut report),
        },
    )?;
    progress.finish_and_clear();
    serde_json::from_str(&report)
        .with_context(|| format!("train.py printed {report:?}, expected its JSON report"))
}

/// The model in its compact form, after its scores were held to LightGBM's own.
fn import_checked(text: &[u8], folder: &Path, dataset: &Dataset) -> Result<Vec<u8>> {
    let model = import::from_bytes(text).context("LightGBM's model.txt")?;
    let expected = npy::Matrix::parse(&read(&folder.join("scores.npy"))?)
        .context("scores.npy")?
        .values;
    let mut scores = vec![0.0; expected.len()];
    model.score(dataset.first_rows(expected.len()), &mut scores)?;
    let worst = scores
        .iter()
        .zip(&expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    ensure!(
        worst <= TOLERANCE,
        "the imported model's scores differ from LightGBM's by up to {worst}, expected at most {TOLERANCE}: this is a \
         bug in recsys"
    );
    let bytes = format::to_bytes(&model);
    // What serving will do with the file.
    Ranker::from_bytes(&bytes)?;
    Ok(bytes)
}

fn print(report: &Report, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    println!(
        "trained on {} slates ({} rows, {} positives)",
        report.slates, report.rows, report.positives
    );
    println!(
        "{} rounds, validation NDCG@10 {:.4}",
        report.rounds, report.validation_ndcg_at_10
    );
    match &report.examination {
        Some(shares) => {
            let shares: Vec<String> = shares.iter().map(|share| format!("{share:.2}")).collect();
            println!("examination by position: {}", shares.join(" "));
        }
        None => println!("clicks are not weighted by position"),
    }
    let mut gain: Vec<(&String, &f64)> = report.gain.iter().collect();
    gain.sort_by(|a, b| b.1.total_cmp(a.1));
    let strongest = gain
        .iter()
        .take(8)
        .map(|(name, share)| format!("{name} {:.0} %", *share * 100.0));
    println!("gain: {}", strongest.collect::<Vec<_>>().join(", "));
    println!(
        "bundle {} has a ranker of {} bytes",
        report.bundle, report.ranker_bytes
    );
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{}: cannot read", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("{}: cannot write", path.display()))
}
