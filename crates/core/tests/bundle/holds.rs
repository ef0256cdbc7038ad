//! What must hold for every file that a reader opens. Each function panics where it does not.

use recsys_core::candidates::{Candidates, MAX_CANDIDATES};
use recsys_core::catalogue::{ItemFacts, Video};
use recsys_core::cowatch::{self, CoWatch, MAX_NEIGHBOURS};
use recsys_core::experiments::{LocalKey, Treatment};
use recsys_core::items::dictionaries::{DictionaryFile, List};
use recsys_core::items::{self, ItemRecord, ItemTable};
use recsys_core::manifest::{Manifest, SearchSettings};
use recsys_core::npy::Matrix;
use recsys_core::removed::{self, Removed};
use recsys_core::rng::SplitMix64;
use recsys_core::segment::{Filter, Located, Nearest, Segments, Wanted};
use recsys_core::shard::{Hit, MAX_NODES, NO_LINK, Query, Scratch, SearchOptions, Shard, Strategy};
use std::collections::HashSet;

/// The parts lie inside the file, and searches by `seed` give what a naive loop does.
pub fn shard(shard: &Shard, seed: u64) {
    shard_parts(shard);
    let mut rng = SplitMix64::new(seed);
    for _ in 0..4 {
        let vector = query_vector(shard.dim(), &mut rng);
        match Query::new(shard, &vector) {
            Ok(query) => searches(shard, &vector, &query, &mut rng),
            Err(error) => assert!(
                vector.iter().all(|&v| v == 0.0) || vector.iter().any(|v| !v.is_finite()),
                "{error}: {vector:?}"
            ),
        }
    }
}

fn shard_parts(shard: &Shard) {
    let (n, dim, stride) = (shard.len(), shard.dim(), shard.stride());
    assert_eq!((shard.mean().len(), shard.scales().len()), (dim, n));
    assert_eq!((shard.rows().len(), shard.all_codes().len()), (n, n * stride));
    assert_eq!(shard.rows().iter().collect::<HashSet<_>>().len(), n);
    assert!(shard.rows().iter().all(|&row| row < MAX_NODES));
    for level in 0..shard.levels() {
        let count = shard.layer_len(level);
        let (links, width) = shard.links(level);
        assert!(1 <= count && count <= n && (level > 0 || count == n));
        assert_eq!(links.len(), count * width);
        assert!(links.iter().all(|&l| l == NO_LINK || (l as usize) < count));
    }
    let mut vector = vec![0.0; dim];
    for node in 0..n {
        shard.vector(node, &mut vector);
        assert!(vector.iter().all(|v| v.is_finite()), "node {node}: {vector:?}");
    }
    assert!(shard.codes(n).is_empty());
}

/// Any direction: dense, sparse, tiny, huge, or none.
fn query_vector(dim: usize, rng: &mut SplitMix64) -> Vec<f32> {
    let size = [1.0, 1e-30, 1e30, f32::NAN, 0.0, 1e-44][[0, 0, 0, 1, 2, 3, 4, 5][rng.below(8)]];
    let one_in = 1 + rng.below(4);
    let number = |_| {
        let number = (rng.below(2001) as f32 / 1000.0 - 1.0) * size;
        if rng.below(one_in) == 0 { number } else { 0.0 }
    };
    (0..dim).map(number).collect()
}

fn search(
    shard: &Shard,
    query: &Query,
    options: SearchOptions,
    scratch: &mut Scratch,
    accept: impl Fn(u32) -> bool,
) -> Vec<Hit> {
    shard.search(query, &options, scratch, accept).0
}

fn searches(shard: &Shard, vector: &[f32], query: &Query, rng: &mut SplitMix64) {
    let scratch = &mut Scratch::default();
    let options = |strategy, k, ef| SearchOptions { k, ef, strategy };
    let all = search(
        shard,
        query,
        options(Strategy::Flat, usize::MAX, 1),
        scratch,
        |_| true,
    );
    assert_eq!(all.len(), shard.len());
    assert!(all.is_sorted_by(is_nearer), "{all:?}");
    for hit in &all {
        assert_eq!(shard.rows().get(hit.node as usize), Some(&hit.row));
        is_near_exact(shard, vector, hit);
    }
    for _ in 0..3 {
        let (k, ef) = (rng.below(shard.len() + 2), rng.below(shard.len() + 2));
        let left_out = rng.below(4) as u32;
        let accept = |row: u32| left_out == 0 || row % 4 != left_out;
        let expected: Vec<Hit> = all
            .iter()
            .copied()
            .filter(|hit| accept(hit.row))
            .take(k)
            .collect();
        let flat = search(shard, query, options(Strategy::Flat, k, ef), scratch, accept);
        assert_eq!(flat, expected, "k {k}");
        let graph = search(shard, query, options(Strategy::Graph, k, ef), scratch, accept);
        assert!(
            graph.len() <= k && graph.is_sorted_by(is_nearer),
            "k {k}: {graph:?}"
        );
        assert!(
            graph.iter().all(|hit| accept(hit.row) && all.contains(hit)),
            "{graph:?}"
        );
    }
}

/// Strictly: so sorted hits are distinct.
fn is_nearer(a: &Hit, b: &Hit) -> bool {
    let by_score = b.score.total_cmp(&a.score);
    by_score.then(a.node.cmp(&b.node)).is_lt()
}

/// The score is the inner product of the unit query and the stored vector, but for the query's quantisation to i16 and
/// the rounding of f32.
fn is_near_exact(shard: &Shard, vector: &[f32], hit: &Hit) {
    let norm = vector.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let node = hit.node as usize;
    let scale = f64::from(shard.scales()[node]);
    let (mut exact, mut reach, mut codes, mut peak) = (0.0, 0.0, 0.0, 0f64);
    for ((&v, &mean), &code) in vector.iter().zip(shard.mean()).zip(shard.codes(node)) {
        let (unit, mean, code) = (f64::from(v) / norm, f64::from(mean), scale * f64::from(code));
        exact += unit * (mean + code);
        reach += unit.abs() * (mean.abs() + code.abs());
        codes += code.abs();
        peak = peak.max(unit.abs());
    }
    let step = peak / (i32::MAX as usize / (128 * shard.stride())).min(32_767) as f64;
    let rounding = shard.dim() as f64 * f64::from(f32::EPSILON) * reach;
    let apart = (f64::from(hit.score) - exact).abs();
    assert!(
        apart <= step * codes + rounding + 1e-6,
        "{hit:?}: expected {exact}"
    );
}

/// Answers come in the order of their scores, without what was removed, excluded or does not fit, and are short only where fewer
/// fit. Where no two segments claim the same video, each is there once.
pub fn segments(segments: &Segments, search: &SearchSettings, dim: usize) {
    let filter = Filter {
        languages: Some(vec![0]),
        ..Filter::default()
    };
    let first = segments
        .at_hand()
        .next()
        .map(|(_, slot)| slot.segment().items().id(0).to_owned());
    let exclude = [first.as_deref().unwrap_or_default()];
    let ids = segments.at_hand().flat_map(|(_, slot)| {
        let items = slot.segment().items();
        (0..items.len())
            .filter(|row| slot.live().contains(*row))
            .map(|row| items.id(row))
    });
    let all: Vec<&str> = ids.collect();
    let unique = all.iter().collect::<HashSet<_>>().len() == all.len();
    for (filter, exclude) in [(&Filter::default(), &[][..]), (&filter, &exclude[..])] {
        let alive = segments.at_hand().map(|(_, slot)| {
            let items = slot.segment().items();
            let fits = |row: &usize| slot.live().contains(*row) && filter.accepts(items, *row);
            (0..items.len())
                .filter(fits)
                .filter(|row| !exclude.contains(&items.id(*row)))
                .count()
        });
        // Of two copies with one score, one is left out.
        let alive: usize = if unique { alive.sum() } else { 0 };
        for k in [1, 3, alive + 1] {
            let wanted = Wanted { k, filter, exclude };
            let (query, scratch) = (vec![0.5; dim], &mut Scratch::default());
            if let Ok(nearest) = segments.nearest(&query, search, &wanted, scratch) {
                let least = if nearest.missing > 0 { 0 } else { alive.min(k) };
                answer(&nearest, &wanted, least, unique);
            }
            answer(&segments.popular(&wanted), &wanted, alive.min(k), unique);
        }
    }
}

fn answer(nearest: &Nearest<'_>, wanted: &Wanted<'_>, least: usize, unique: bool) {
    let found = &nearest.found;
    assert!(
        (least..=wanted.k).contains(&found.len()),
        "{least} {} {}",
        found.len(),
        wanted.k
    );
    assert!(found.is_sorted_by(|a, b| a.hit.score.total_cmp(&b.hit.score).is_ge()));
    let ids: HashSet<&str> = found.iter().map(Located::id).collect();
    assert!(ids.len() == found.len() || !unique);
    assert!(found.iter().all(|located| located.fits(wanted.filter)));
    assert!(wanted.exclude.iter().all(|id| !ids.contains(id)));
}

/// Every row is found by its id, every code is below its count, and the table that is written anew is the same file.
pub fn items(table: &ItemTable, bytes: &[u8]) {
    let (n, counts) = (table.len(), table.counts());
    let record = |row: usize| {
        let (id, facts) = (table.id(row), table.facts(row));
        assert_eq!(table.row(id), Some(row));
        let codes = [
            (facts.category, counts.categories),
            (facts.language, counts.languages),
        ];
        for (code, count) in codes {
            assert!(code == ItemFacts::NO_CODE || u32::from(code) < count);
        }
        assert!(facts.creator == ItemFacts::NO_CREATOR || facts.creator < counts.creators);
        assert!((counts.tags..64).all(|bit| facts.tags >> bit & 1 == 0));
        let id = id
            .to_owned()
            .try_into()
            .expect("an id that was checked on opening");
        ItemRecord {
            id,
            facts,
            min_age: table.min_age(row),
            cell: table.cell(row),
            card: table.card(row).to_owned(),
        }
    };
    let records: Vec<ItemRecord> = (0..n).map(record).collect();
    assert!(items::to_bytes(&records, counts) == bytes, "another file");
    assert_eq!((table.id(n), table.card(n), table.row("")), ("", "", None));
    let popular = table.popular(n / 2 + 1, |row| row % 3 != 1);
    assert!(popular.len() <= n / 2 + 1 && popular.iter().all(|row| row % 3 != 1 && *row < n));
    // In the order of `total_cmp`: 0 is above −0.
    let by_popularity = |a: usize, b: usize| table.popularity(b).total_cmp(&table.popularity(a));
    let in_order = |a: &usize, b: &usize| by_popularity(*a, *b).then(a.cmp(b)).is_lt();
    assert!(popular.is_sorted_by(in_order), "{popular:?}");
}

/// Neighbours are each there once, with weights, and the file that is written anew is the same.
pub fn co_watch(lists: &CoWatch, videos: usize, bytes: &[u8]) {
    let all = (0..videos).map(|row| lists.neighbours(row));
    for list in all.clone() {
        assert!(list.len() <= MAX_NEIGHBOURS);
        assert!(list.is_sorted_by(|a, b| a.item < b.item));
        assert!(list.iter().all(|n| n.weight() > 0.0 && n.weight() <= 1.0));
    }
    assert!(lists.neighbours(videos).is_empty());
    assert!(cowatch::to_bytes(all) == bytes, "another file");
}

/// The lists that are written anew are the same file, and every name has a code.
pub fn dictionaries(file: &DictionaryFile, bytes: &[u8]) {
    let lists = file.to_lists();
    assert!(
        lists.to_bytes() == bytes && lists.counts() == file.counts(),
        "another file"
    );
    for list in [List::Categories, List::Languages, List::Creators, List::Tags] {
        for name in file.names(list) {
            let code = file.code(list, name).expect("a code for every name");
            assert_eq!(file.name(list, code), Some(name));
        }
    }
}

/// The rows of each segment rise, and the file that is written anew is the same.
pub fn removed(removed: &Removed, segments: usize, bytes: &[u8]) {
    let rows: Vec<Vec<u32>> = (0..segments)
        .map(|segment| removed.rows(segment).to_vec())
        .collect();
    assert!(rows.iter().all(|rows| rows.is_sorted_by(|a, b| a < b)));
    assert!(removed.rows(segments).is_empty());
    assert!(removed::to_bytes(&rows) == bytes, "another file");
}

/// The candidates are within the limits that their fields state.
pub fn candidates(candidates: &Candidates) {
    let list = &candidates.list;
    assert!(list.len() <= MAX_CANDIDATES as usize);
    for candidate in list {
        assert!(candidate.score.is_finite());
        assert_eq!(candidate.vector.len(), list[0].vector.len());
        assert!(
            candidate.vector.iter().all(|v| v.is_finite()),
            "{:?}",
            candidate.vector
        );
        assert!(candidate.neighbours.len() <= MAX_NEIGHBOURS);
        assert!(candidate.neighbours.iter().all(|neighbour| neighbour.weight > 0));
    }
}

/// The manifest reads back as it was, and every rule in it can be kept.
pub fn manifest(manifest: &Manifest) {
    let mut again = Manifest::parse(&manifest.to_bytes()).expect("what the writer wrote");
    let rates = manifest.clone();
    let rates = rates
        .rules()
        .map(|rules| rules.exploration.as_ref().map(|e| e.rate));
    let arms = again
        .experiments
        .iter_mut()
        .flat_map(|experiment| &mut experiment.arms);
    let rules = again
        .policy
        .iter_mut()
        .chain(arms.filter_map(|arm| arm.policy.as_mut()));
    for (rate, rules) in rates.zip(rules) {
        if let (Some(rate), Some(exploration)) = (rate, &mut rules.exploration) {
            assert!(is_next_to(rate, exploration.rate), "{rate} {}", exploration.rate);
            exploration.rate = rate;
        }
    }
    assert_eq!(again, *manifest);
    for entry in manifest.files() {
        assert!(
            !entry.file.contains(['/', '\\']) && !entry.file.starts_with('.'),
            "{}",
            entry.file
        );
        assert!(entry.check(b"").is_err());
    }
    let key = LocalKey::new([7; 16]);
    let treatment = Treatment::of(
        manifest.policy.as_ref(),
        &manifest.experiments,
        &manifest.policy_codes,
        &key,
    );
    let parted = manifest
        .experiments
        .iter()
        .filter(|experiment| !experiment.interleave);
    assert_eq!(treatment.arms.len(), parted.count());
}

/// The JSON reader may be a unit in the last place off for numbers of many digits.
fn is_next_to(a: f64, b: f64) -> bool {
    a.to_bits().abs_diff(b.to_bits()) <= 1
}

/// The matrix has the rows that it states, and reads back as it was.
pub fn matrix(matrix: &Matrix) {
    assert_eq!(matrix.values.len(), matrix.rows * matrix.columns);
    assert_eq!(matrix.iter().len(), matrix.rows);
    assert!(matrix.iter().all(|row| row.len() == matrix.columns));
    let again = Matrix::parse(&matrix.to_bytes()).expect("what the writer wrote");
    let bits = |matrix: &Matrix| matrix.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!((again.rows, again.columns), (matrix.rows, matrix.columns));
    assert_eq!(bits(&again), bits(matrix));
}

/// The video is the same where its line is written with other spaces and escapes; its tags are each there once.
pub fn video(video: &Video, line: &[u8]) {
    let tags: HashSet<_> = video.tags.iter().collect();
    assert_eq!(tags.len(), video.tags.len());
    assert!(
        video
            .tags
            .iter()
            .all(|tag| !tag.is_empty() && !tag.contains(',') && tag.trim() == tag)
    );
    assert!(video.impressions.is_none_or(|count| count >= 0.0));
    let value: serde_json::Value = serde_json::from_slice(line).expect("JSON that was just read");
    let mut again = Video::parse(value.to_string().as_bytes()).expect("the same JSON");
    match (video.impressions, again.impressions) {
        (Some(a), Some(b)) => assert!(is_next_to(a, b), "{a} {b}"),
        (a, b) => assert_eq!(a, b),
    }
    assert!(again.other.keys().eq(video.other.keys()));
    // Numbers in there may differ in the last place.
    again.impressions = video.impressions;
    again.other.clone_from(&video.other);
    assert_eq!(again, *video);
}
