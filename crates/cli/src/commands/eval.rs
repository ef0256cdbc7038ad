//! `recsys eval`: how good each stage's rankings are on the newest events.

pub(super) mod paths;
mod report;
pub(super) mod samples;

use super::log::{LogArgs, bar, share};
use super::slates::SlateFile;
use super::train::dataset::Dataset;
use crate::bundle::Bundle;
use crate::replay::{Catalogue, Moment, SAMPLED_ARM};
use anyhow::{Context, Result, ensure};
use clap::{Args as ClapArgs, ValueEnum};
use paths::{Paths, Task};
use recsys_core::events::{Slate, UNIFORM_ARM};
use recsys_core::policy::{Lambda, Policy};
use samples::{CandidateSet, Samples};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Compares rankings on the newest events: random, popularity, similarity and the full path.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    log: LogArgs,
    /// Bundle with a ranker, as `recsys train` left it.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Share of the slates, the earliest ones, that `recsys train` used; the rest is evaluated.
    #[arg(long, default_value_t = 0.8, value_parser = share)]
    train_share: f64,
    /// Which slates count: those drawn uniformly at random (arm `uniform`), or all.
    #[arg(long, value_enum, default_value_t = ArmArg::Uniform)]
    arm: ArmArg,
    /// Lengths of the ranking at which to measure, separated by commas.
    #[arg(short, default_value = "10", value_delimiter = ',')]
    k: Vec<usize>,
    /// Candidates that retrieval hands to the ranker.
    #[arg(long, default_value_t = 200)]
    candidates: usize,
    /// Weight of relevance against variety in the full path, 0 to 1; the bundle's policy if absent.
    #[arg(long, value_name = "WEIGHT")]
    lambda: Option<f32>,
    /// Bootstrap resamples of viewers.
    #[arg(long, default_value_t = 2_000)]
    resamples: usize,
    /// Seed of the random baseline, of ties and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the evaluated slates here as JSON Lines, with each path's NDCG at the smallest -k.
    #[arg(long, value_name = "FILE")]
    save_slates: Option<PathBuf>,
    /// Write the evaluated slates' features here in the layout of `train --save-data`, with slates.jsonl beside them.
    #[arg(long, value_name = "DIR", conflicts_with = "save_slates")]
    save_data: Option<PathBuf>,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ArmArg {
    /// Slates drawn uniformly at random.
    Uniform,
    /// All slates.
    All,
}

impl ArmArg {
    fn takes(self, slate: &Slate) -> bool {
        self == Self::All || slate.arm.as_deref() == Some(UNIFORM_ARM)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Uniform => UNIFORM_ARM,
            Self::All => "all",
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Unreadable events or bundle, bad options, or no slate to evaluate.
pub fn run(args: &Args) -> Result<()> {
    check(args)?;
    let lambda = args.lambda.map(Lambda::new).transpose().context("--lambda")?;
    let bundle = Bundle::open(&args.bundle)?;
    let mut policy = policy_of(&bundle);
    policy.lambda = lambda.unwrap_or(policy.lambda);
    if bundle.ranker().is_none() {
        eprintln!(
            "warning: the bundle has no ranker, so the full path ranks by similarity; run `recsys train` first"
        );
    }
    let catalogue = Catalogue::of(&bundle)?;
    let replay = args.log.replay(&catalogue)?;
    let split_ms = replay.split_ms(args.train_share);
    let mut samples = Samples::new(args.k.clone(), args.candidates);
    let mut paths = Paths::new(&bundle, &catalogue, policy, args.candidates, args.seed);
    let mut slates = SlateFile::create(args.slates_file()?.as_deref())?;
    let mut dataset = Dataset::default();
    let longest = args.k.iter().copied().max().unwrap_or(1);
    let evaluate = |moment: Moment<'_>| -> Result<()> {
        let slate = moment.slate;
        if slate.ts_ms < split_ms || !(replay.sampled() || args.arm.takes(slate)) {
            return Ok(());
        }
        if let Some(ndcg) = measure(&moment, &catalogue, &mut paths, &mut samples, longest)? {
            // A slate of positives alone is in neither.
            if args.save_data.is_none() || dataset.add(&moment, &catalogue, i64::MAX)? {
                slates.add(&moment, &moment.unseen(&catalogue), ndcg, &catalogue)?;
            }
        }
        Ok(())
    };
    let progress = bar("evaluating", false);
    progress.set_length(replay.len() as u64);
    replay.run(evaluate, |done| progress.inc(done))?;
    progress.finish_and_clear();
    slates.finish()?;
    if let Some(folder) = &args.save_data {
        dataset.write(folder, None)?;
    }
    ensure!(
        !samples.is_empty(),
        "{}: none of the newest slates of arm `{}` has a positive and a viewer with an earlier click; log more, or \
         pass --arm all or a smaller --train-share",
        args.log.events.display(),
        args.arm.name()
    );
    let arm = if replay.sampled() {
        SAMPLED_ARM
    } else {
        args.arm.name()
    };
    let rows = report::rows(&samples, arm, args.resamples, args.seed);
    report::print(&rows, args.json)
}

/// The policy of a bundle's page; experiments do not count.
pub(in crate::commands) fn policy_of(bundle: &Bundle) -> Policy {
    let manifest = bundle.manifest();
    let settings = manifest.policy.clone().unwrap_or_default();
    let (policy, unknown) = settings.resolve(&manifest.policy_codes);
    for name in unknown {
        eprintln!("warning: the bundle does not know {name:?} of its policy; that rule is left out");
    }
    policy
}

impl Args {
    /// Where slates are written, if anywhere.
    fn slates_file(&self) -> Result<Option<PathBuf>> {
        let Some(folder) = &self.save_data else {
            return Ok(self.save_slates.clone());
        };
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        Ok(Some(folder.join("slates.jsonl")))
    }
}

fn check(args: &Args) -> Result<()> {
    let Args {
        k,
        candidates,
        resamples,
        ..
    } = args;
    ensure!(
        k.iter().all(|k| (1..=1_000).contains(k)),
        "-k {k:?}: expected 1 to 1000"
    );
    ensure!(
        (1..=100_000).contains(candidates),
        "--candidates {candidates}: expected 1 to 100000"
    );
    ensure!(
        (1..=1_000_000).contains(resamples),
        "--resamples {resamples}: expected 1 to 1000000"
    );
    Ok(())
}

/// Ranks a slate by every path and measures the rankings, unless none of its unseen items is a positive. Gives each path's
/// NDCG on the slate itself.
fn measure(
    moment: &Moment<'_>,
    catalogue: &Catalogue,
    paths: &mut Paths<'_>,
    samples: &mut Samples,
    k: usize,
) -> Result<Option<BTreeMap<&'static str, f64>>> {
    let shown = moment.unseen(catalogue);
    if moment.session.clicks().is_empty() || shown.iter().all(|item| !item.positive) {
        return Ok(None);
    }
    for set in CandidateSet::ALL {
        let task = Task {
            moment,
            set,
            shown: &shown,
            k,
        };
        samples.add(&task, &paths.rankings(&task)?, catalogue);
    }
    Ok(Some(samples.newest_ndcg(CandidateSet::Slate)))
}

#[cfg(test)]
mod tests;
