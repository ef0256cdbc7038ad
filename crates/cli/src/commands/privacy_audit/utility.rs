//! What a mode costs: how good its slates are beside those of standard mode, and what is transferred.

use super::wire::{Setting, View, observe};
use super::world::{Session, Viewer, World};
use crate::commands::eval::policy_of;
use crate::replay::candidates;
use anyhow::Result;
use recsys_core::catalogue::ItemFacts;
use recsys_core::cowatch::Neighbour;
use recsys_core::features::UserFeatures;
use recsys_core::metrics::{Gain, Judged};
use recsys_core::policy::Policy;
use recsys_core::privacy::{common_files, local, standard};
use recsys_core::rerank::{Page, rerank};
use recsys_core::rng::SplitMix64;
use recsys_core::segment::{Filter, Segments, Wanted};
use recsys_core::session::{Click, Session as Clicks, WINDOW};
use recsys_core::shard::Scratch;
use std::collections::HashSet;

const K: usize = 10;
/// Milliseconds between two clicks, for the features that read times.
const STEP_MS: i64 = 60_000;

/// NDCG@10 of each viewer's slate after its first session, where the videos of the second one are what it wants.
///
/// # Errors
/// A query does not fit the bundle.
pub(super) fn ndcg(
    world: &World<'_>,
    viewers: &[Viewer],
    setting: Setting,
    random: &mut SplitMix64,
) -> Result<Vec<f64>> {
    let policy = policy_of(world.bundle);
    let scratch = &mut Scratch::default();
    let mut all = Vec::with_capacity(viewers.len());
    for viewer in viewers {
        let (past, future) = viewer.past_and_future();
        let view = observe(world, setting, (viewer, Session::First, 1), random)?;
        // The last request of the session is what the slate is for.
        let newest = past.get(past.len().saturating_sub(WINDOW)..).unwrap_or_default();
        let segments = at_hand(world, setting, newest, &view, random)?;
        let slate = slate(world, &policy, past, &segments, scratch)?;
        let gain = |row: &usize| f64::from(u8::from(future.contains(row)));
        let ranked: Vec<f64> = slate.iter().map(gain).collect();
        let judged =
            Judged::new(&ranked, &vec![1.0; future.len()]).map(|judged| judged.ndcg(K, Gain::Linear));
        all.push(judged.unwrap_or_default());
    }
    Ok(all)
}

/// The segments that are searched: those of the whole catalogue, or those that the mode has fetched.
fn at_hand(
    world: &World<'_>,
    setting: Setting,
    newest: &[usize],
    view: &View,
    random: &mut SplitMix64,
) -> Result<Segments> {
    let manifest = world.bundle.manifest();
    let Some(query) = world.query(newest) else {
        return Ok(world.bundle.segments().clone());
    };
    let wanted: HashSet<usize> = match (setting, view) {
        (Setting::Standard | Setting::Local, _) => return Ok(world.bundle.segments().clone()),
        (_, View::Report(cluster, _)) => [world.clusters.segments[*cluster as usize]].into(),
        (Setting::Bucket(size), _) => {
            let truth = world.truth(&query, &mut Scratch::default())?;
            let mut kept = Default::default();
            let asked = super::wire::ask(world, &mut kept, (0, truth), size, random);
            let set = asked.map(|asked| asked.set).unwrap_or_default();
            set.iter()
                .map(|cluster| world.clusters.segments[*cluster as usize])
                .collect()
        }
        _ => HashSet::new(),
    };
    let common: HashSet<usize> = world.clusters.common_segments(manifest).collect();
    let mut slots = vec![None; manifest.segments.len()];
    for (number, slot) in world.bundle.segments().at_hand() {
        if wanted.contains(&number) || common.contains(&number) {
            slots[number] = Some(slot.clone());
        }
    }
    Ok(Segments::new(manifest, slots, None))
}

/// The rows of the best ten, as the browser ranks them.
fn slate(
    world: &World<'_>,
    policy: &Policy,
    past: &[usize],
    segments: &Segments,
    scratch: &mut Scratch,
) -> Result<Vec<usize>> {
    let (bundle, catalogue) = (world.bundle, world.catalogue);
    let mut session = Clicks::new();
    for (step, row) in (0..).zip(past) {
        let neighbours: Vec<Neighbour> = bundle.neighbours(*row);
        session.click(Click {
            item: catalogue.id(*row).clone(),
            ts_ms: step * STEP_MS,
            vector: world.vectors[*row].clone(),
            facts: catalogue.facts(*row),
            neighbours,
            after_search: false,
            watch_seconds: None,
        })?;
    }
    let Some(query) = session.query(WINDOW) else {
        return Ok(Vec::new());
    };
    let exclude: Vec<&str> = past.iter().map(|row| catalogue.id(*row).as_str()).collect();
    let wanted = Wanted {
        k: standard::CANDIDATES as usize,
        filter: &Filter::default(),
        exclude: &exclude,
    };
    let found = segments
        .nearest(&query, &bundle.manifest().search, &wanted, scratch)?
        .found;
    let rows: Vec<usize> = found
        .iter()
        .filter_map(|located| bundle.row(located.id()))
        .collect();
    let facts: Vec<ItemFacts> = rows.iter().map(|row| catalogue.facts(*row)).collect();
    let list = candidates(catalogue, &rows, &facts);
    let page = Page {
        policy,
        k: K,
        seed: 1,
    };
    let now_ms = past.len() as i64 * STEP_MS;
    let ranked = rerank(
        &session,
        &UserFeatures::default(),
        now_ms,
        &list,
        bundle.ranker(),
        &page,
    )?;
    Ok(ranked.into_iter().map(|ranked| rows[ranked.index]).collect())
}

/// Requests and bytes, both ways without headers, of a session of so many requests, from an empty cache: by viewer.
pub(super) fn transferred(
    world: &World<'_>,
    setting: Setting,
    views: &[View],
    requests: usize,
) -> Vec<(f64, f64)> {
    let manifest = world.bundle.manifest();
    let common = || {
        let files = common_files(manifest, Some(&world.clusters));
        files.iter().fold((0.0, 0.0), |(count, bytes), file| {
            (count + 1.0, bytes + file.bytes as f64)
        })
    };
    let cluster = |cluster: &u32| {
        let segment = manifest.segments.get(world.clusters.segments[*cluster as usize]);
        segment.map_or((0.0, 0.0), |segment| {
            (segment.files().count() as f64, segment.bytes() as f64)
        })
    };
    let sum =
        |parts: &mut dyn Iterator<Item = (f64, f64)>| parts.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
    let candidate = average_candidate(world);
    let one = |view: &View| match (setting, view) {
        (Setting::Local, _) => {
            let files = local::files(manifest)
                .into_iter()
                .map(|file| (1.0, file.bytes as f64));
            sum(&mut { files })
        }
        (_, View::Vectors(queries)) => {
            let body = |query: &recsys_core::vector::UnitVector| {
                standard::request_body(Some(query.as_slice()), standard::CANDIDATES, None).len() as f64
            };
            let up: f64 = queries.iter().map(body).sum();
            let ranker = manifest.ranker.iter().map(|file| file.bytes as f64).sum::<f64>();
            let down = requests as f64 * candidate * f64::from(standard::CANDIDATES);
            (
                requests as f64 + manifest.ranker.iter().count() as f64,
                up + down + ranker,
            )
        }
        (_, View::Report(reported, _)) => sum(&mut [common(), cluster(reported)].into_iter()),
        (_, View::Sets(sets)) => {
            let asked = sets.iter().flat_map(|asked| &asked.set).map(cluster);
            sum(&mut asked.chain([common()]))
        }
        (_, View::Nothing) => common(),
    };
    views.iter().map(one).collect()
}

/// Bytes of a candidate in an answer: its id, card, vector and facts.
fn average_candidate(world: &World<'_>) -> f64 {
    let rows = 0..world.vectors.len();
    let texts: usize = rows
        .map(|row| world.catalogue.id(row).as_str().len() + world.catalogue.card(row).len())
        .sum();
    const FACTS: usize = 48;
    texts as f64 / world.vectors.len().max(1) as f64 + (world.bundle.dim() + FACTS) as f64
}
