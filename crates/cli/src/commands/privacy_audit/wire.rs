//! What a server sees of a session in each mode, by the mechanisms of the core.

use super::world::{Session, Viewer, World};
use anyhow::Result;
use recsys_core::privacy::noised::{Ledger, Terms};
use recsys_core::privacy::{Memo, Random, bucket};
use recsys_core::rng::SplitMix64;
use recsys_core::shard::Scratch;
use recsys_core::vector::UnitVector;

/// A mode with its settings, as the table names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Setting {
    Standard,
    Noised(f64),
    Bucket(usize),
    Local,
}

impl Setting {
    pub(super) fn name(self) -> String {
        match self {
            Self::Standard => "standard".to_owned(),
            Self::Noised(epsilon) => format!("noised ε {epsilon}"),
            Self::Bucket(size) => format!("bucket of {size}"),
            Self::Local => "local".to_owned(),
        }
    }
}

/// What a server sees.
#[derive(Clone, Debug)]
pub(super) enum View {
    /// The query of each request.
    Vectors(Vec<UnitVector>),
    /// One cluster, of this ε.
    Report(u32, f64),
    /// The clusters that each request asked for anew, with those asked for before it.
    Sets(Vec<Asked>),
    /// Nothing that depends on the viewer.
    Nothing,
}

impl View {
    /// The clusters that were asked for.
    pub(super) fn asked(&self) -> Vec<u32> {
        match self {
            Self::Report(cluster, _) => vec![*cluster],
            Self::Sets(sets) => sets.iter().flat_map(|asked| asked.set.iter().copied()).collect(),
            Self::Vectors(_) | Self::Nothing => Vec::new(),
        }
    }

    /// How many times something was sent.
    pub(super) fn requests(&self) -> usize {
        match self {
            Self::Vectors(queries) => queries.len(),
            Self::Report(..) => 1,
            Self::Sets(sets) => sets.len(),
            Self::Nothing => 0,
        }
    }
}

/// A set of bucket mode.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) before: Vec<u32>,
    pub(super) set: Vec<u32>,
}

const EPOCH_MS: i64 = 1_000;

/// What a session of so many requests shows.
///
/// # Errors
/// A query does not fit the bundle.
pub(super) fn observe(
    world: &World<'_>,
    setting: Setting,
    (viewer, session, requests): (&Viewer, Session, usize),
    random: &mut SplitMix64,
) -> Result<View> {
    let queries: Vec<UnitVector> = viewer
        .windows(session, requests)
        .filter_map(|window| world.query(window))
        .collect();
    let scratch = &mut Scratch::default();
    Ok(match setting {
        Setting::Standard => View::Vectors(queries),
        Setting::Local => View::Nothing,
        Setting::Noised(epsilon) => {
            let mut ledger = Ledger::default();
            let mut reported = None;
            for query in &queries {
                reported =
                    report(world, &mut ledger, epsilon, world.truth(query, scratch)?, random).or(reported);
            }
            reported.map_or(View::Nothing, |cluster| View::Report(cluster, epsilon))
        }
        Setting::Bucket(size) => {
            let mut kept = Memo::default();
            let mut asked = Vec::new();
            for query in &queries {
                let truth = world.truth(query, scratch)?;
                asked.extend(ask(world, &mut kept, (0, truth), size, random));
            }
            View::Sets(asked)
        }
    })
}

fn report(
    world: &World<'_>,
    ledger: &mut Ledger,
    epsilon: f64,
    truth: u32,
    random: &mut impl Random,
) -> Option<u32> {
    let terms = Terms {
        epsilon,
        budget: f64::INFINITY,
        epoch_ms: EPOCH_MS,
    };
    ledger.report(&world.clusters, &terms, 0, truth, random).ok()
}

/// What one request of bucket mode asks for anew in an epoch, if anything.
pub(super) fn ask(
    world: &World<'_>,
    kept: &mut Memo,
    (epoch, truth): (i64, u32),
    size: usize,
    random: &mut impl Random,
) -> Option<Asked> {
    let now = (EPOCH_MS, epoch * EPOCH_MS);
    let before = kept.asked(&world.clusters, now).to_vec();
    let mut set = bucket::ask(kept, &world.clusters, now, truth, size, random).to_vec();
    set.retain(|cluster| !before.contains(cluster));
    (!set.is_empty()).then_some(Asked { before, set })
}
