//! `recsys privacy-audit`: an adversary with the catalogue, the wire and the server's view, and what it finds out in each
//! mode.
//!
//! Viewers are simulated, or those of a log; what each mode lets out of the browser is made by the core's own mechanisms. The attacks that
//! must succeed (controls) are part of the table: where one of them fails, the auditor is blind, and the command says so.

mod attacks;
mod belief;
mod controls;
mod epsilon;
mod membership;
mod report;
mod simulate;
mod utility;
mod wire;
mod world;

use crate::bundle::Bundle;
use crate::progress;
use crate::replay::Catalogue;
use anyhow::{Result, ensure};
use attacks::{GUESSES, Observed};
use recsys_core::metrics::bootstrap_ratio;
use recsys_core::privacy::bucket;
use recsys_core::rng::SplitMix64;
use report::{Estimate, Report};
use std::path::PathBuf;
use wire::{Setting, View};
use world::{REQUESTS, Session, Viewer, World};

/// Which catalogue, which viewers, which settings.
#[derive(clap::Args)]
pub struct Args {
    /// Bundle with clusters, as `recsys index --shards 16` makes it, with a ranker
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Events whose viewers are attacked, JSON Lines; simulated viewers where not given
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Viewers at most
    #[arg(long, default_value_t = 1_000)]
    viewers: usize,
    /// ε of a report in noised mode, several separated by commas
    #[arg(long, default_value = "1,2,4", value_delimiter = ',')]
    epsilon: Vec<f64>,
    /// Clusters of a set in bucket mode
    #[arg(long, default_value_t = bucket::DEFAULT_SIZE)]
    bucket: usize,
    /// Bootstrap resamples of viewers
    #[arg(long, default_value_t = 500)]
    resamples: usize,
    /// Seed of everything that is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Requests after which an adversary is asked.
const AFTER: [usize; 3] = [1, 3, REQUESTS];
const CONTROL: &str = "control";

/// Attacks every mode.
pub fn run(args: &Args) -> Result<()> {
    let bundle = Bundle::open(&args.bundle)?;
    let catalogue = Catalogue::of(&bundle)?;
    let mut world = World::of(&bundle, &catalogue)?;
    ensure!(
        (1..=6).contains(&args.bucket),
        "--bucket {}: expected 1 to 6 clusters",
        args.bucket
    );
    let viewers = match &args.events {
        Some(events) => world::viewers(events, &catalogue, args.viewers)?,
        None => simulate::viewers(&world, args.viewers, args.seed),
    };
    world::check(&viewers)?;
    world.learn_prior(&viewers)?;
    eprintln!(
        "{} viewers, {} videos in {} clusters",
        viewers.len(),
        world.vectors.len(),
        world.clusters.len()
    );
    let mut audit = Audit {
        world: &world,
        viewers: &viewers,
        args,
        report: Report::new(args.resamples, args.seed),
        random: SplitMix64::new(args.seed),
    };
    audit.controls()?;
    let settings = audit.settings();
    let bar = progress::bar("attacking", settings.len());
    let standard = utility::ndcg(&world, &viewers, Setting::Standard, &mut audit.random)?;
    for setting in settings {
        audit.attack(setting)?;
        audit.utility(setting, &standard)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let tied = controls::batches_tied(&world, &viewers);
    audit.report.add_mean(
        "aggregates",
        "batch of counts tied to its standard session, times chance",
        REQUESTS,
        &tied,
    );
    let report = audit.report;
    match args.json {
        true => println!("{}", report.to_json()?),
        false => print!("{}", report.to_markdown()),
    }
    check_controls(&report, args)
}

struct Audit<'a> {
    world: &'a World<'a>,
    viewers: &'a [Viewer],
    args: &'a Args,
    report: Report,
    random: SplitMix64,
}

impl Audit<'_> {
    fn settings(&self) -> Vec<Setting> {
        let noised = self.args.epsilon.iter().map(|epsilon| Setting::Noised(*epsilon));
        [Setting::Standard]
            .into_iter()
            .chain(noised)
            .chain([Setting::Bucket(self.args.bucket), Setting::Local])
            .collect()
    }

    /// What must be found, or the auditor is blind.
    fn controls(&mut self) -> Result<()> {
        let (world, clusters) = (self.world, self.world.clusters.len());
        let seed = self.args.seed;
        self.report.add_mean(
            CONTROL,
            "standard: single click found, or one of its vector",
            1,
            &controls::one_click(world, self.viewers),
        );
        for epsilon in &self.args.epsilon {
            let name = format!("noised ε {epsilon}");
            let once = epsilon::empirical(clusters, *epsilon, 1, seed);
            self.report.add(&name, "empirical ε of one epoch", 1, once);
            let three = epsilon::empirical(clusters, *epsilon, 3, seed);
            self.report.add(&name, "empirical ε of 3 epochs", 3, three);
        }
        let doubled = epsilon::empirical(clusters, 2.0, 1, seed);
        self.report.add(
            CONTROL,
            "noised, a build with twice the declared ε 1: empirical ε",
            1,
            doubled,
        );
        let (size, random) = (self.args.bucket, &mut self.random);
        let forgetful =
            controls::intersected_over_epochs(world, self.viewers, (size, REQUESTS as i64), random)?;
        self.report.add_mean(
            CONTROL,
            "bucket, a build with fresh dummies each time: true cluster named",
            REQUESTS,
            &forgetful,
        );
        Ok(())
    }

    fn attack(&mut self, setting: Setting) -> Result<()> {
        let name = setting.name();
        for requests in AFTER {
            let mut observe = |session| {
                Observed::new(
                    self.world,
                    self.viewers,
                    setting,
                    (session, requests),
                    &mut self.random,
                )
            };
            let (first, second) = (observe(Session::First)?, observe(Session::Second)?);
            let recovered = first.recovered();
            let popular = first.recovered_by_popularity();
            self.report
                .add_mean(&name, "clicked videos found: recall@5", requests, &recovered);
            let pairs: Vec<(usize, f64, f64)> = recovered
                .iter()
                .zip(&popular)
                .enumerate()
                .map(|(viewer, (found, popular))| (viewer, *found, *popular))
                .collect();
            if let Some(lift) = bootstrap_ratio(&pairs, self.args.resamples, self.args.seed) {
                self.report.add(
                    &name,
                    "the same over the five most popular ones",
                    requests,
                    lift.into(),
                );
            }
            self.membership(&name, &first);
            let linked = attacks::linked(&first, &second);
            self.report
                .add_mean(&name, "two sessions linked, times chance", requests, &linked);
            self.report
                .add_mean(&name, "main category guessed", requests, &first.category());
            self.report.add_mean(
                &name,
                "cosine of the best guess at the query's vector",
                requests,
                &first.inverted(),
            );
            let timed: Vec<f64> = first
                .views
                .iter()
                .map(|view| view.requests() as f64 / requests as f64)
                .collect();
            self.report
                .add_mean(&name, "clicks whose time shows on the wire", requests, &timed);
            self.crowd(&name, setting, &first);
            let transferred = utility::transferred(self.world, setting, &first.views, requests);
            let (counts, bytes): (Vec<f64>, Vec<f64>) = transferred.into_iter().unzip();
            self.report
                .add_mean(&name, "cost: HTTP requests", requests, &counts);
            let kilobytes: Vec<f64> = bytes.iter().map(|bytes| bytes / 1e3).collect();
            self.report
                .add_mean(&name, "cost: kB both ways", requests, &kilobytes);
        }
        self.side_channels(setting)
    }

    fn membership(&mut self, name: &str, observed: &Observed<'_>) {
        let (resamples, seed) = (self.args.resamples.min(200), self.args.seed);
        let scores = membership::scores(observed, false, &mut self.random);
        let requests = observed.requests;
        if let Some(auc) = membership::auc(&scores, resamples, seed) {
            self.report
                .add(name, "membership of a video: AUC", requests, auc.into());
        }
        if let Some(found) = membership::true_positives(&scores, resamples, seed) {
            self.report.add(
                name,
                "the same: found at 1 % false positives",
                requests,
                found.into(),
            );
        }
        let scores = membership::scores(observed, true, &mut self.random);
        if let Some(auc) = membership::auc(&scores, resamples, seed) {
            self.report.add(
                name,
                "membership within the video's cluster: AUC",
                requests,
                auc.into(),
            );
        }
    }

    /// Among how many viewers one hides: the fewest that ask for a cluster in an epoch.
    fn crowd(&mut self, name: &str, setting: Setting, observed: &Observed<'_>) {
        if !matches!(setting, Setting::Noised(_) | Setting::Bucket(_)) {
            return;
        }
        let mut crowd = vec![0usize; self.world.clusters.len()];
        for cluster in observed.views.iter().flat_map(View::asked) {
            crowd[cluster as usize] += 1;
        }
        let fewest = crowd.into_iter().min().unwrap_or_default();
        self.report.add(
            name,
            "fewest viewers of a cluster in an epoch",
            observed.requests,
            Estimate::exact(fewest as f64),
        );
    }

    fn side_channels(&mut self, setting: Setting) -> Result<()> {
        let name = setting.name();
        let (world, viewers) = (self.world, self.viewers);
        match setting {
            Setting::Standard => {
                let (by_length, by_slate) = controls::by_answer(world, viewers)?;
                self.report.add_mean(
                    &name,
                    "single click told by the answer's length alone",
                    1,
                    &by_length,
                );
                self.report.add_mean(
                    &name,
                    "clicked videos found in the answer's first five",
                    1,
                    &by_slate,
                );
            }
            Setting::Bucket(size) => {
                for requests in AFTER {
                    let told = controls::intersected(world, viewers, (size, requests), &mut self.random)?;
                    self.report.add_mean(
                        &name,
                        "true cluster of the last request named, one epoch",
                        requests,
                        &told,
                    );
                    let epochs = (size, requests as i64);
                    let told = controls::intersected_over_epochs(world, viewers, epochs, &mut self.random)?;
                    self.report.add_mean(
                        &name,
                        "the same, a request in each of so many epochs",
                        requests,
                        &told,
                    );
                }
            }
            Setting::Noised(_) | Setting::Local => {}
        }
        Ok(())
    }

    fn utility(&mut self, setting: Setting, standard: &[f64]) -> Result<()> {
        let own = match setting {
            Setting::Standard => standard.to_vec(),
            _ => utility::ndcg(self.world, self.viewers, setting, &mut self.random)?,
        };
        let pairs: Vec<(usize, f64, f64)> = own
            .iter()
            .zip(standard)
            .enumerate()
            .map(|(viewer, (own, standard))| (viewer, *own, *standard))
            .collect();
        let name = setting.name();
        self.report.add_mean(&name, "NDCG@10", REQUESTS, &own);
        if let Some(ratio) = bootstrap_ratio(&pairs, self.args.resamples, self.args.seed) {
            self.report
                .add(&name, "NDCG@10 relative to standard", REQUESTS, ratio.into());
        }
        Ok(())
    }
}

/// The attacks that must succeed.
fn check_controls(report: &Report, args: &Args) -> Result<()> {
    let at_least = |mode: &str, attack: &str, requests, least: f64| {
        let low = report
            .figure(mode, attack, requests)
            .map_or(f64::NAN, |figure| figure.low);
        ensure!(
            low >= least,
            "the auditor is blind: {mode}, {attack}: expected at least {least}, found {low}; do not trust this table"
        );
        Ok(())
    };
    at_least(
        CONTROL,
        "standard: single click found, or one of its vector",
        1,
        0.95,
    )?;
    at_least(
        CONTROL,
        "noised, a build with twice the declared ε 1: empirical ε",
        1,
        1.0,
    )?;
    for epsilon in &args.epsilon {
        at_least(
            &format!("noised ε {epsilon}"),
            "empirical ε of one epoch",
            1,
            0.8 * epsilon,
        )?;
    }
    Ok(())
}

const _: () = assert!(GUESSES == 5, "the table names it");
