//! The audit finds what must be found, finds nothing where there is nothing, and says so where it cannot look.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, assert_says, recsys, refused};
use recsys_core::envelope::Envelope;
use recsys_core::manifest::Manifest;
use recsys_core::npy::Matrix;
use recsys_core::rng::SplitMix64;
use serde_json::Value;

const ITEMS: usize = 800;
const DIM: usize = 16;
const KINDS: usize = 8;
const VIEWERS: usize = 120;
const CLICKS: usize = 40;

/// A catalogue of a few kinds of videos, and viewers who each like one kind best.
fn made(folder: &Folder) -> (String, String) {
    let mut random = SplitMix64::new(6);
    let mut number = || random.next_u64() as f32 / u64::MAX as f32 - 0.5;
    let kinds: Vec<Vec<f32>> = (0..KINDS).map(|_| (0..DIM).map(|_| number()).collect()).collect();
    let mut values = Vec::new();
    for item in 0..ITEMS {
        let vector: Vec<f32> = kinds[item % KINDS]
            .iter()
            .map(|kind| kind + 0.7 * number())
            .collect();
        let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        values.extend(vector.iter().map(|v| v / norm));
    }
    let matrix = Matrix {
        rows: ITEMS,
        columns: DIM,
        values,
    };
    let ids: String = (0..ITEMS).map(|item| format!("v{item}\n")).collect();
    let (vectors, ids) = (
        folder.write("items.npy", matrix.to_bytes()),
        folder.write("ids.txt", ids),
    );
    let mut random = SplitMix64::new(7);
    let mut events = String::new();
    for viewer in 0..VIEWERS {
        for click in 0..CLICKS {
            let kind = if random.below(5) == 0 {
                random.below(KINDS)
            } else {
                viewer % KINDS
            };
            let item = random.below(ITEMS / KINDS) * KINDS + kind;
            let ts = 1_760_000_000_000u64 + (click * VIEWERS + viewer) as u64 * 1_000;
            events.push_str(&format!(
                "{{\"event\":\"click\",\"ts\":{ts},\"session\":\"viewer{viewer}\",\"item\":\"v{item}\"}}\n"
            ));
        }
    }
    let (events, bundle) = (folder.write("events.jsonl", events), folder.text("bundle"));
    let index = ["index", "--vectors", &vectors, "--ids", &ids, "--out", &bundle];
    let output = recsys(&[&index[..], &["--shards", "8", "--probes", "8"]].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (bundle, events)
}

#[test]
fn each_mode_leaks_what_it_must_and_no_more() {
    let folder = Folder::new();
    let (bundle, events) = made(&folder);
    let args = [
        "privacy-audit",
        "--bundle",
        &bundle,
        "--events",
        &events,
        "--json",
    ];
    let options = ["--epsilon", "1", "--resamples", "40"];
    let run = || {
        let output = recsys(&[&args[..], &options].concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let text = run();
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    let row = |mode: &str, attack: &str, requests: u64| {
        let same =
            |row: &&Value| row["mode"] == mode && row["attack"] == attack && row["requests"] == requests;
        let found = rows.iter().find(same);
        found.unwrap_or_else(|| panic!("no line for {mode}, {attack}, {requests}"))
    };
    let number = |mode, attack, requests, field: &str| row(mode, attack, requests)[field].as_f64().unwrap();
    let value = |mode, attack, requests| number(mode, attack, requests, "value");

    const MEMBER: &str = "membership of a video: AUC";
    const WITHIN: &str = "membership within the video's cluster: AUC";
    const LINKED: &str = "two sessions linked, times chance";
    assert!(value("control", "standard: single click found, or one of its vector", 1) >= 0.95);
    let doubled = "noised, a build with twice the declared ε 1: empirical ε";
    assert!(number("control", doubled, 1, "low") > 1.0);
    let epsilon = |field| number("noised ε 1", "empirical ε of one epoch", 1, field);
    assert!((0.8..=1.0).contains(&epsilon("low")), "{}", epsilon("low"));
    assert!(number("noised ε 1", "empirical ε of 3 epochs", 3, "low") <= 3.0);
    assert!(value("standard", MEMBER, 10) > 0.9);
    assert!(value("standard", LINKED, 10) > value("bucket of 4", LINKED, 10));
    for requests in [1, 3, 10] {
        assert_eq!(
            value("local", MEMBER, requests),
            0.5,
            "whoever sees nothing guesses"
        );
        assert!((value("local", LINKED, requests) - 1.0).abs() < 1e-9);
        assert_eq!(
            value("bucket of 4", WITHIN, requests),
            0.5,
            "nothing finer than a cluster"
        );
    }
    assert!(value("bucket of 4", MEMBER, 1) > 0.5);
    assert!(
        value(
            "control",
            "bucket, a build with fresh dummies each time: true cluster named",
            10
        ) > 0.95
    );
    assert_eq!(value("local", "NDCG@10 relative to standard", 10), 1.0);
    assert_eq!(text, run(), "one seed gives one table");
}

#[test]
fn without_events_every_video_counts_one_in_the_public_distribution() {
    let folder = Folder::new();
    made(&folder);
    let file = std::fs::read(folder.path("bundle/manifest.json")).unwrap();
    let manifest = Manifest::parse(Envelope::parse(&file).unwrap().manifest_bytes()).unwrap();
    let home: Vec<u32> = manifest.segments.iter().map(|segment| segment.home).collect();
    assert_eq!(manifest.cells.unwrap().public, home);
}

#[test]
fn what_cannot_be_audited_is_said() {
    let folder = Folder::new();
    let (bundle, events) = made(&folder);
    let few = folder.write(
        "few.jsonl",
        "{\"event\":\"click\",\"ts\":1760000000000,\"session\":\"a\",\"item\":\"v1\"}\n",
    );
    let said = refused(&["privacy-audit", "--bundle", &bundle, "--events", &few]);
    assert_says(
        &said,
        &["few.jsonl", "two viewers or more with 24 clicks", "found 0"],
    );
    let one = folder.text("one");
    let (vectors, ids) = (folder.text("items.npy"), folder.text("ids.txt"));
    let output = recsys(&["index", "--vectors", &vectors, "--ids", &ids, "--out", &one]);
    assert!(output.status.success());
    let said = refused(&["privacy-audit", "--bundle", &one, "--events", &events]);
    assert_says(&said, &["two clusters or more", "--shards 16"]);
    let said = refused(&[
        "privacy-audit",
        "--bundle",
        &bundle,
        "--events",
        &events,
        "--bucket",
        "9",
    ]);
    assert_says(&said, &["--bucket 9"]);
}
