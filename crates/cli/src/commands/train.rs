//! `recsys train`: events → features → LightGBM → the bundle's ranker and statistics.

mod bias;
mod dataset;
mod python;

use crate::bundle::Bundle;
use crate::replay::{Catalogue, Moment, Replay, read_events};
use anyhow::{Context, Result, ensure};
use bias::Examination;
use clap::{Args as ClapArgs, ValueEnum};
use dataset::Dataset;
use indicatif::{ProgressBar, ProgressStyle};
use python::Python;
use recsys_core::events::Label;
use recsys_core::features::{FEATURES, ItemStatistics};
use recsys_core::npy;
use recsys_core::rerank::Ranker;
use recsys_core::trees::{format, import};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Trains the ranking model on logged events and puts it, with the item statistics, into the bundle.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Events, JSON Lines (docs/events.md).
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// Bundle of the same catalogue, as `recsys index` made it; it is published anew with the ranker.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// What counts as a positive: a click, or a watch of at least 30 seconds.
    #[arg(long, value_enum, default_value_t = LabelArg::Click)]
    label: LabelArg,
    /// Share of the slates, the earliest ones, to train on; the rest is for `recsys eval`.
    #[arg(long, default_value_t = 0.8, value_parser = share)]
    train_share: f64,
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
    /// Also keep LightGBM's own model file here.
    #[arg(long, value_name = "FILE")]
    save_model: Option<PathBuf>,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

/// `--label` of `train` and `eval`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LabelArg {
    /// Clicks.
    Click,
    /// Watches of at least 30 seconds.
    Watch,
}

impl From<LabelArg> for Label {
    fn from(label: LabelArg) -> Self {
        match label {
            LabelArg::Click => Self::Click,
            LabelArg::Watch => Self::Watch,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BiasArg {
    /// From the slates of the arm `uniform`.
    Uniform,
    /// All clicks weigh the same.
    None,
}

/// Reads a share strictly between 0 and 1, or 1.
pub fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err("expected a share above 0 and at most 1".to_owned())
    }
}

/// Rows that LightGBM scores as well, to hold the import to.
const TOLERANCE: f32 = 1e-4;

/// What train.py is told.
#[derive(Serialize)]
struct Task {
    features: Vec<&'static str>,
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
    let bundle = Bundle::open(&args.bundle)?;
    let catalogue = Catalogue::of(&bundle)?;
    let replay = open_replay(&args.events, &catalogue, args.label)?;
    let (dataset, counts) = collect(&replay, &catalogue, args.train_share)?;
    dataset
        .check()
        .with_context(|| args.events.display().to_string())?;
    let examination = match args.position_bias {
        BiasArg::Uniform => Examination::estimate(dataset.uniform_clicks()),
        BiasArg::None => None,
    };
    let (trained, ranker) = train(args, &dataset, examination.as_ref())?;

    let end_ms = replay.end_ms();
    bundle.replace_ranker(&ranker, |row, mut facts| {
        if let Some(counts) = counts.get(row) {
            counts.apply(&mut facts, end_ms);
        }
        facts
    })?;
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

/// Reads and joins a file of events; says how many were left out because the catalogue lacks their item.
pub fn open_replay<'a>(events: &Path, catalogue: &'a Catalogue, label: LabelArg) -> Result<Replay<'a>> {
    let progress = bar("reading events", true);
    let list = read_events(events, &progress)?;
    progress.finish_and_clear();
    let replay = Replay::new(catalogue, list, label.into()).with_context(|| events.display().to_string())?;
    if replay.unknown() > 0 {
        let (unknown, all) = (replay.unknown(), replay.len());
        eprintln!("warning: {unknown} of {all} events name items that the bundle lacks; they are left out");
    }
    Ok(replay)
}

/// The rows of the slates before the split, and every item's counts after the last event.
fn collect(replay: &Replay<'_>, catalogue: &Catalogue, share: f64) -> Result<(Dataset, Vec<ItemStatistics>)> {
    let split_ms = replay.split_ms(share);
    let mut dataset = Dataset::default();
    let progress = bar("replaying events", false);
    progress.set_length(replay.len() as u64);
    let add = |moment: Moment<'_>| dataset.add(&moment, catalogue, split_ms);
    let counts = replay.run(add, |done| progress.inc(done))?;
    progress.finish_and_clear();
    Ok((dataset, counts))
}

/// LightGBM's report, and the model in its compact form.
fn train(args: &Args, dataset: &Dataset, examination: Option<&Examination>) -> Result<(Trained, Vec<u8>)> {
    let python = Python::find(args.python.as_deref())?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let task = Task {
        features: FEATURES.iter().map(|feature| feature.name).collect(),
        fit_slates: dataset.write(folder.path(), examination)?,
        seed: args.seed,
        rounds: 600,
        patience: 50,
        learning_rate: 0.05,
        leaves: 15,
        min_data_in_leaf: 50,
    };
    write(
        &folder.path().join("task.json"),
        &serde_json::to_vec_pretty(&task)?,
    )?;
    let trained = fit(&python, folder.path())?;
    let text = read(&folder.path().join("model.txt"))?;
    let ranker = import_checked(&text, folder.path(), dataset)?;
    if let Some(path) = &args.save_model {
        write(path, &text)?;
    }
    Ok((trained, ranker))
}

fn fit(python: &Python, folder: &Path) -> Result<Trained> {
    let progress = bar("training with LightGBM", false);
    progress.enable_steady_tick(Duration::from_millis(120));
    let output = python.run(include_str!("../../../../models/ranker/train.py"), folder)?;
    progress.finish_and_clear();
    let line = output.lines().last().unwrap_or_default();
    serde_json::from_str(line)
        .with_context(|| format!("train.py printed {output:?}, expected its JSON report"))
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

/// A progress bar on standard error; hidden where that is no terminal.
pub fn bar(what: &'static str, bytes: bool) -> ProgressBar {
    let count = if bytes {
        "{bytes}/{total_bytes}"
    } else {
        "{pos}/{len}"
    };
    let style = ProgressStyle::with_template(&format!("{{spinner}} {{msg}} {{wide_bar}} {count} {{eta}}"));
    ProgressBar::new(0)
        .with_message(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
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
