//! Attacks whose outcome is known beforehand, so that the auditor itself is tested; and those on bucket mode's dummies.

use super::belief;
use super::wire::{self, Asked};
use super::world::{REQUESTS, Session, Viewer, World};
use anyhow::Result;
use recsys_core::candidates::{Answer, Source};
use recsys_core::privacy::Memo;
use recsys_core::privacy::standard::CANDIDATES;
use recsys_core::rng::SplitMix64;
use recsys_core::segment::{Filter, Wanted};
use recsys_core::shard::Scratch;
use recsys_core::vector::{UnitVector, dot};
use std::collections::HashMap;

/// How often the one click behind a standard query is told, for the viewers' newest clicks. A video of the very same vector
/// counts as found: nobody could tell the two apart.
pub(super) fn one_click(world: &World<'_>, viewers: &[Viewer]) -> Vec<f64> {
    let one = |viewer: &Viewer| {
        let own = viewer.clicks.last().copied()?;
        let query = world.query(&[own])?;
        let score = |vector: &UnitVector| dot(query.as_slice(), vector.as_slice());
        let best = world.vectors.iter().map(score).fold(f32::MIN, f32::max);
        Some(f64::from(u8::from(score(world.vectors.get(own)?) == best)))
    };
    viewers.iter().filter_map(one).collect()
}

/// The probability that a video is told from the length of the answer to its one-click query alone, which whoever watches the
/// line sees, and from its answer's first five videos.
///
/// # Errors
/// A query does not fit the bundle.
pub(super) fn by_answer(world: &World<'_>, viewers: &[Viewer]) -> Result<(Vec<f64>, Vec<f64>)> {
    let (bundle, scratch) = (world.bundle, &mut Scratch::default());
    let wanted = Wanted {
        k: CANDIDATES as usize,
        filter: &Filter::default(),
        exclude: &[],
    };
    let settings = bundle.manifest().search;
    let mut lengths = Vec::with_capacity(world.vectors.len());
    for vector in &world.vectors {
        let nearest = bundle
            .segments()
            .nearest(vector.as_slice(), &settings, &wanted, scratch)?;
        let answer = Answer {
            dim: bundle.dim(),
            entries: &nearest.found,
            source: Source::Personal,
            bundle: bundle.id(),
            degraded: None,
        };
        lengths.push(answer.to_bytes().len());
    }
    let mut of_length: HashMap<usize, f64> = HashMap::new();
    for length in &lengths {
        *of_length.entry(*length).or_default() += 1.0;
    }
    let by_length = lengths.iter().map(|length| 1.0 / of_length[length]).collect();
    let mut by_slate = Vec::with_capacity(viewers.len());
    for viewer in viewers {
        let window = viewer
            .windows(Session::First, REQUESTS)
            .last()
            .unwrap_or_default();
        let Some(query) = world.query(window) else {
            continue;
        };
        let nearest = bundle
            .segments()
            .nearest(query.as_slice(), &settings, &wanted, scratch)?;
        let first = nearest.found.iter().take(super::attacks::GUESSES);
        let hits = first.filter(|located| bundle.row(located.id()).is_some_and(|row| window.contains(&row)));
        by_slate.push(hits.count() as f64 / window.len().clamp(1, super::attacks::GUESSES) as f64);
    }
    Ok((by_length, by_slate))
}

/// How often the true cluster of a viewer's last request is named, from its sets in one epoch.
///
/// # Errors
/// A query does not fit the bundle.
pub(super) fn intersected(
    world: &World<'_>,
    viewers: &[Viewer],
    (size, requests): (usize, usize),
    random: &mut SplitMix64,
) -> Result<Vec<f64>> {
    let scratch = &mut Scratch::default();
    let mut told = Vec::with_capacity(viewers.len());
    for viewer in viewers {
        let mut kept = Memo::default();
        let mut sets: Vec<Asked> = Vec::new();
        let mut last = 0;
        for query in viewer
            .windows(Session::First, requests)
            .filter_map(|window| world.query(window))
        {
            last = world.truth(&query, scratch)?;
            sets.extend(wire::ask(world, &mut kept, (0, last), size, random));
        }
        // The newest set is the likeliest to be about it.
        let beliefs = sets
            .last()
            .map(|set| belief::of_set(world, set))
            .unwrap_or_default();
        told.push(share_of_best(&beliefs, last));
    }
    Ok(told)
}

/// The same where one true cluster is asked for in so many epochs, each with its own dummies. It is also what a build without
/// a kept set would leak within one epoch.
pub(super) fn intersected_over_epochs(
    world: &World<'_>,
    viewers: &[Viewer],
    (size, epochs): (usize, i64),
    random: &mut SplitMix64,
) -> Result<Vec<f64>> {
    let scratch = &mut Scratch::default();
    let mut told = Vec::with_capacity(viewers.len());
    for viewer in viewers {
        let window = viewer.windows(Session::First, 1).last().unwrap_or_default();
        let Some(query) = world.query(window) else {
            continue;
        };
        let truth = world.truth(&query, scratch)?;
        let (mut kept, mut beliefs) = (Memo::default(), vec![1.0; world.prior.len()]);
        for epoch in 0..epochs {
            if let Some(set) = wire::ask(world, &mut kept, (epoch, truth), size, random) {
                let of_set = belief::of_set(world, &set);
                let updated = beliefs.iter().zip(of_set).zip(&world.prior);
                beliefs = belief::normalised(updated.map(|((a, b), prior)| a * b / prior).collect());
            }
        }
        let posterior: Vec<f64> = beliefs
            .iter()
            .zip(&world.prior)
            .map(|(b, prior)| b * prior)
            .collect();
        told.push(share_of_best(&posterior, truth));
    }
    Ok(told)
}

/// For each viewer the probability that the counts which its browser hands in are tied to its session in standard mode, times the
/// number of viewers: 1 is chance. Neither time nor address is used, only what the batch counts.
pub(super) fn batches_tied(world: &World<'_>, viewers: &[Viewer]) -> Vec<f64> {
    let last = |viewer: &Viewer| {
        let window = viewer
            .windows(Session::First, REQUESTS)
            .last()
            .unwrap_or_default();
        world.query(window)
    };
    let counted = |viewer: &Viewer| world.query(&viewer.clicked(Session::First, REQUESTS));
    let queries: Vec<Option<UnitVector>> = viewers.iter().map(last).collect();
    let one = |(own, viewer): (usize, &Viewer)| {
        let batch = counted(viewer)?;
        let score = |query: &Option<UnitVector>| {
            query
                .as_ref()
                .map_or(f32::MIN, |query| dot(query.as_slice(), batch.as_slice()))
        };
        let best = queries.iter().map(score).fold(f32::MIN, f32::max);
        let hit = queries.get(own).is_some_and(|query| score(query) == best);
        Some(if hit { viewers.len() as f64 } else { 0.0 })
    };
    viewers.iter().enumerate().filter_map(one).collect()
}

/// The probability that the best guess is right, equals being drawn among.
fn share_of_best(beliefs: &[f64], truth: u32) -> f64 {
    let best = beliefs.iter().copied().fold(0.0, f64::max);
    let equals = |belief: &f64| (*belief - best).abs() <= 1e-9 * best;
    let ties = beliefs.iter().filter(|belief| equals(belief)).count();
    let hit = beliefs.get(truth as usize).is_some_and(equals);
    if hit { 1.0 / ties.max(1) as f64 } else { 0.0 }
}
