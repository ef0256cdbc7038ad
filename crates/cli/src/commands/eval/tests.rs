use super::report::rows;
use super::samples::{Metric, Series};
use super::*;
use crate::bundle::{BundleWriter, Contents, write_segment};
use crate::replay::Replay;
use crate::signing::Signing;
use indicatif::ProgressBar;
use paths::RankingPath;
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::events::{Event, Label, parse_line};
use recsys_core::items::dictionaries::{Counts, Dictionaries};
use recsys_core::items::{ItemRecord, NO_CELL};
use recsys_core::manifest::{Manifest, SearchSettings};
use recsys_core::rng::SplitMix64;
use serde_json::Value;
use std::path::Path;

const ITEMS: usize = 60;
const DIM: usize = 8;

/// A bundle of two kinds of items: even ids near one axis, odd ones near another.
fn bundle(folder: &Path) -> Bundle {
    let mut rng = SplitMix64::new(5);
    let mut vectors = Vec::new();
    for row in 0..ITEMS {
        let mut vector: Vec<f32> = (0..DIM).map(|_| rng.below(1000) as f32 / 4000.0).collect();
        vector[row % 2] += 1.0;
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vectors.extend(vector.iter().map(|x| x / length));
    }
    let record = |row: usize| ItemRecord {
        id: ItemId::new(format!("v{row}")).unwrap(),
        facts: ItemFacts::unknown(),
        min_age: None,
        cell: NO_CELL,
        card: r#"{"name":"x"}"#.to_owned(),
    };
    let writer = BundleWriter::new(folder, &Signing::default()).unwrap();
    let contents = Contents {
        records: &(0..ITEMS).map(record).collect::<Vec<_>>(),
        counts: Counts::default(),
        vectors: &vectors,
        mean: &[0.0; DIM],
        graph_above: None,
        neighbours: None,
    };
    let rows: Vec<u32> = (0..ITEMS as u32).collect();
    let segment = write_segment(&writer, &contents, &rows, &[], &ProgressBar::hidden()).unwrap();
    let lists = writer
        .add("dictionaries", "bin", &Dictionaries::default().to_bytes())
        .unwrap();
    let search = SearchSettings {
        ef: 64,
        flat_up_to: 5_000,
    };
    let created = "2026-01-01T00:00:00Z".to_owned();
    let manifest = Manifest::new(1, created, DIM as u32, ITEMS as u32, search, lists, vec![segment]);
    writer.publish(&manifest).unwrap();
    Bundle::open(folder).unwrap()
}

/// Viewers who only ever click their kind of item, and always the one on top of the slate.
fn log() -> Vec<Event> {
    let mut rng = SplitMix64::new(6);
    let mut lines = Vec::new();
    for viewer in 0..12usize {
        for request in 0..5usize {
            let ts = 1_760_000_000_000 + (viewer * 5 + request) as i64 * 60_000;
            let mut items: Vec<usize> = (0..ITEMS).collect();
            rng.shuffle(&mut items);
            items.truncate(8);
            // The slate is ordered by chance but for its top, which is of the viewer's kind and never
            // repeats: nobody clicked it before, so popularity cannot know it.
            let top = 2 * (viewer / 2 * 5 + request) + viewer % 2;
            items.retain(|&item| item != top && item % 2 != viewer % 2);
            items.insert(0, top);
            for (position, item) in items.iter().enumerate() {
                lines.push(format!(
                    r#"{{"event":"impression","ts":{ts},"session":"s{viewer}","request":"r{viewer}-{request}","item":"v{item}","position":{position},"arm":"uniform"}}"#
                ));
            }
            lines.push(format!(
                r#"{{"event":"click","ts":{},"session":"s{viewer}","request":"r{viewer}-{request}","item":"v{top}"}}"#,
                ts + 1000
            ));
        }
    }
    lines.iter().map(|line| parse_line(line).unwrap()).collect()
}

fn samples(bundle: &Bundle, seed: u64) -> Samples {
    let catalogue = Catalogue::of(bundle).unwrap();
    let replay = Replay::new(&catalogue, log(), Label::Click).unwrap();
    let policy = Policy {
        lambda: Lambda::RELEVANCE,
        ..Policy::default()
    };
    let mut samples = Samples::new(vec![10, 1], 20);
    let mut paths = Paths::new(bundle, &catalogue, policy, 20, seed);
    let evaluate = |moment: Moment<'_>| {
        measure(&moment, &catalogue, &mut paths, &mut samples, 10)?;
        Ok(())
    };
    replay.run(evaluate, |_| {}).unwrap();
    samples
}

fn mean(samples: &Samples, set: CandidateSet, path: RankingPath, metric: Metric, k: usize) -> f64 {
    let values = samples.values(Series { set, k, path, metric });
    values.iter().map(|value| value.1).sum::<f64>() / values.len() as f64
}

#[test]
fn similarity_finds_the_kind_and_no_path_inherits_the_logged_order() {
    let folder = tempfile::tempdir().unwrap();
    let samples = samples(&bundle(&folder.path().join("b")), 1);
    let of = |path| mean(&samples, CandidateSet::Slate, path, Metric::Mrr, 1);
    assert_eq!(of(RankingPath::Similarity), 1.0);
    assert_eq!(
        of(RankingPath::Trees),
        1.0,
        "without a ranker the full path is similarity"
    );
    assert_eq!(of(RankingPath::Full), 1.0);
    // About four unclicked items a slate. The clicked one is always on top of it, which nothing may profit from.
    assert!(
        (0.1..0.45).contains(&of(RankingPath::Random)),
        "{}",
        of(RankingPath::Random)
    );
    assert!(
        of(RankingPath::Popularity) < 0.45,
        "{}",
        of(RankingPath::Popularity)
    );
}

#[test]
fn the_catalogue_is_ranked_through_the_shard_without_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let samples = samples(&bundle(&folder.path().join("b")), 1);
    let of = |path, k| mean(&samples, CandidateSet::Catalogue, path, Metric::Recall, k);
    // 20 of the at most 29 unseen items of the kind are retrieved.
    let retrieved =
        samples.retrieval.iter().map(|value| value.1).sum::<f64>() / samples.retrieval.len() as f64;
    assert!(retrieved > 0.5 && retrieved > of(RankingPath::Similarity, 10));
    assert!(of(RankingPath::Similarity, 10) > of(RankingPath::Random, 10));
    let random = of(RankingPath::Random, 10);
    assert!(
        (random - 10.0 / 57.5).abs() < 0.03,
        "ten of the unseen, at random: {random}"
    );
    assert!(samples.coverage(RankingPath::Random, 10) > 0.9);
}

#[test]
fn the_report_has_every_path_metric_and_difference() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(&folder.path().join("b"));
    let json = |seed| serde_json::to_value(rows(&samples(&bundle, seed), "uniform", 200, seed)).unwrap();
    let report = json(1);
    assert_eq!(report, json(1), "one seed, one report");
    let row = |path: &str, metric: &str, k: u64, candidates: &str| -> Option<Value> {
        let same = |row: &&Value| {
            row["path"] == path
                && row["metric"] == metric
                && row["k"] == k
                && row["candidates"] == candidates
                && row["segment"] == "all"
        };
        report.as_array().unwrap().iter().find(same).cloned()
    };
    for path in ["random", "popularity", "similarity", "trees", "full"] {
        for metric in ["ndcg", "recall", "precision", "mrr"] {
            for (k, candidates) in [(1, "slate"), (10, "slate"), (1, "catalogue"), (10, "catalogue")] {
                let row = row(path, metric, k, candidates).unwrap_or_else(|| panic!("{path} {metric} {k}"));
                let [value, low, high] = ["value", "low", "high"].map(|key| row[key].as_f64().unwrap());
                assert!(
                    (low..=high).contains(&value) && (0.0..=1.0).contains(&low) && high <= 1.0,
                    "{row}"
                );
                assert_eq!(
                    (row["slates"].as_u64(), row["arm"].as_str()),
                    (Some(48), Some("uniform"))
                );
                assert_eq!(row["viewers"], 12);
            }
        }
    }
    let gain = row("similarity minus popularity", "ndcg", 10, "slate").unwrap();
    assert!(gain["low"].as_f64().unwrap() > 0.0, "{gain}");
    let none = row("full minus trees", "ndcg", 10, "slate").unwrap();
    assert_eq!(
        (none["low"].as_f64(), none["high"].as_f64()),
        (Some(0.0), Some(0.0))
    );
    assert!(row("retrieval", "recall", 20, "catalogue").is_some());
    assert!(row("full", "coverage", 10, "catalogue").unwrap()["low"].is_null());
    let novelty = |path| {
        row(path, "novelty", 10, "catalogue").unwrap()["value"]
            .as_f64()
            .unwrap()
    };
    assert!(
        novelty("popularity") < novelty("random"),
        "the popular are no news"
    );
    let segment = |name: &str| {
        let rows = report.as_array().unwrap().iter();
        rows.filter(|row| row["segment"] == name && row["path"] == "full")
            .count()
    };
    // Four of each viewer's five slates have at most three clicks before them; nobody clicked the positives before.
    assert_eq!((segment("new viewers"), segment("new videos")), (4, 4));
}
