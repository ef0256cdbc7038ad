//! Videos that are added, replaced and removed, and the bundle that is written anew: what is found, and what is published.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, assert_says, recsys, refused};
use recsys_core::envelope::Envelope;
use recsys_core::manifest::Manifest;
use recsys_core::npy::Matrix;
use std::collections::{BTreeMap, BTreeSet};

const ITEMS: usize = 3_000;
const DIM: usize = 32;

/// Vectors by id, as they were last given to the bundle.
type Live = BTreeMap<String, Vec<f32>>;

fn ok(args: &[&str]) -> String {
    let output = recsys(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

impl Folder {
    fn matrix(&self, name: &str) -> Matrix {
        Matrix::parse(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// Writes some vectors with their ids, and gives the arguments that name them.
    fn part<'v>(&self, name: &str, part: impl Iterator<Item = (&'v String, &'v Vec<f32>)>) -> [String; 4] {
        let (ids, vectors): (Vec<&String>, Vec<&Vec<f32>>) = part.unzip();
        let matrix = Matrix {
            rows: ids.len(),
            columns: DIM,
            values: vectors.into_iter().flatten().copied().collect(),
        };
        let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let vectors = self.write(&format!("{name}.npy"), matrix.to_bytes());
        let ids = self.write(&format!("{name}.txt"), lines);
        ["--vectors".to_owned(), vectors, "--ids".to_owned(), ids]
    }

    fn manifest(&self) -> Manifest {
        let file = std::fs::read(self.path("bundle/manifest.json")).unwrap();
        Manifest::parse(Envelope::parse(&file).unwrap().manifest_bytes()).unwrap()
    }

    fn files(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.path("bundle")).unwrap();
        entries
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// The ids found for each query.
    fn found(&self) -> Vec<Vec<String>> {
        let (bundle, queries) = (self.text("bundle"), self.text("queries.npy"));
        let lines = ok(&[
            "search",
            "--bundle",
            &bundle,
            "--vectors",
            &queries,
            "-k",
            "10",
            "--json",
        ]);
        let ids = |line: &str| {
            let list: Vec<serde_json::Value> = serde_json::from_str(line).unwrap();
            list.iter()
                .map(|hit| hit["id"].as_str().unwrap().to_owned())
                .collect()
        };
        lines.lines().map(ids).collect()
    }

    /// The share of the exact ten nearest that is found; what is found is alive.
    fn recall(&self, live: &Live) -> f64 {
        let queries = self.matrix("queries.npy");
        let mut hits = 0;
        for (query, found) in queries.iter().zip(self.found()) {
            let product = |v: &[f32]| -> f32 { v.iter().zip(query).map(|(a, b)| a * b).sum() };
            let mut exact: Vec<(f32, &String)> = live.iter().map(|(id, v)| (product(v), id)).collect();
            exact.sort_by(|a, b| b.0.total_cmp(&a.0));
            let nearest: Vec<&String> = exact.iter().take(10).map(|(_, id)| *id).collect();
            assert_eq!(found.len(), 10);
            assert!(
                found.iter().all(|id| live.contains_key(id)),
                "one that is gone came"
            );
            hits += found.iter().filter(|id| nearest.contains(id)).count();
        }
        hits as f64 / (10 * queries.rows) as f64
    }
}

/// A bundle of two thirds of the made vectors in four shards; the vectors of the last third.
fn bundle(folder: &Folder) -> (Live, Vec<Vec<f32>>) {
    let (items, dim) = (ITEMS.to_string(), DIM.to_string());
    let out = folder.0.path().display().to_string();
    ok(&[
        "demo-vectors",
        "--items",
        &items,
        "--dim",
        &dim,
        "--queries",
        "200",
        "--out",
        &out,
    ]);
    let matrix = folder.matrix("items.npy");
    let mut vectors: Vec<Vec<f32>> = matrix.iter().map(<[f32]>::to_vec).collect();
    let later = vectors.split_off(ITEMS / 3 * 2);
    let live: Live = (0..).map(|i| format!("v{i:04}")).zip(vectors).collect();
    let [v, vectors, i, ids] = folder.part("first", live.iter());
    let bundle = folder.text("bundle");
    ok(&[
        "index",
        &v,
        &vectors,
        &i,
        &ids,
        "--out",
        &bundle,
        "--shards",
        "4",
        "--probes",
        "3",
        "--flat-up-to",
        "100",
    ]);
    (live, later)
}

#[test]
fn replacing_a_fifth_keeps_the_recall_and_touches_no_older_file() {
    let folder = Folder::new();
    let (mut live, later) = bundle(&folder);
    let out = folder.text("bundle");
    let fresh = folder.recall(&live);
    assert!(fresh > 0.95, "{fresh}");

    // Half of the later ones replace a fifth of what is there, half are new; in five steps.
    let old = folder.files();
    let replaced: Vec<String> = live.keys().step_by(5).cloned().collect();
    let new = (0..).map(|i| format!("new{i:04}"));
    let names: Vec<String> = replaced.iter().cloned().chain(new).take(later.len()).collect();
    let changes: Vec<(String, Vec<f32>)> = names.into_iter().zip(later).collect();
    for (step, part) in changes.chunks(changes.len().div_ceil(5)).enumerate() {
        let part: Live = part.iter().cloned().collect();
        let [v, vectors, i, ids] = folder.part(&format!("step{step}"), part.iter());
        ok(&["add", "--bundle", &out, &v, &vectors, &i, &ids]);
        live.extend(part);
    }
    let manifest = folder.manifest();
    assert_eq!((manifest.segments.len(), manifest.sequence), (4 + 5, 6));
    assert_eq!(manifest.items as usize, live.len());
    assert!(manifest.segments[4..].iter().all(|segment| segment.delta));
    let shards = |files: &BTreeSet<String>| -> BTreeSet<String> {
        let of_segments = |name: &&String| name.starts_with("shard-") || name.starts_with("items-");
        files.iter().filter(of_segments).cloned().collect()
    };
    assert!(shards(&folder.files()).is_superset(&shards(&old)));
    ok(&["verify", &out]);
    let updated = folder.recall(&live);
    assert!(updated > fresh - 0.01, "{fresh} before, {updated} after");

    // A segment of which nothing is left goes.
    let newest: Vec<String> = changes[changes.len() - changes.len() / 5..]
        .iter()
        .map(|(id, _)| id.clone())
        .collect();
    let ids = folder.write(
        "gone.txt",
        newest.iter().map(|id| format!("{id}\n")).collect::<String>(),
    );
    ok(&["remove", "--bundle", &out, "--ids", &ids]);
    newest.iter().for_each(|id| drop(live.remove(id)));
    assert_eq!(folder.manifest().segments.len(), 4 + 4);
    let removed = folder.recall(&live);
    assert!(removed > fresh - 0.01, "{fresh} before, {removed} after");

    ok(&["compact", "--bundle", &out, "--shards", "4", "--probes", "3"]);
    let manifest = folder.manifest();
    assert_eq!((manifest.segments.len(), manifest.removed), (4, None));
    assert_eq!(manifest.items as usize, live.len());
    ok(&["verify", &out]);
    let compacted = folder.recall(&live);
    assert!(compacted > fresh - 0.005, "{fresh} before, {compacted} after");
}

#[test]
fn a_removed_video_is_found_no_more_and_can_come_back() {
    let folder = Folder::new();
    let (mut live, _) = bundle(&folder);
    let out = folder.text("bundle");
    let id = folder.found()[0][0].clone();
    ok(&["remove", "--bundle", &out, &id]);
    let vector = live.remove(&id).unwrap();
    folder.recall(&live);
    let said = refused(&["remove", "--bundle", &out, &id, "v0001"]);
    assert_says(&said, &[&id, "--skip-unknown"]);
    ok(&["remove", "--bundle", &out, &id, "v0001", "--skip-unknown"]);
    live.remove("v0001");
    let [v, vectors, i, ids] = folder.part("again", [(&id, &vector)].into_iter());
    ok(&["add", "--bundle", &out, &v, &vectors, &i, &ids]);
    live.insert(id.clone(), vector);
    folder.recall(&live);
    assert_eq!(folder.found()[0][0], id);
}

#[test]
fn what_cannot_be_changed_is_refused_and_the_bundle_stays() {
    let folder = Folder::new();
    let (live, _) = bundle(&folder);
    let out = folder.text("bundle");
    let before = folder.files();
    let all: String = live.keys().map(|id| format!("{id}\n")).collect();
    let ids = folder.write("all.txt", all);
    assert_says(
        &refused(&["remove", "--bundle", &out, "--ids", &ids]),
        &["all its videos"],
    );
    let narrow = Matrix {
        rows: 1,
        columns: 8,
        values: vec![1.0; 8],
    };
    let vectors = folder.write("narrow.npy", narrow.to_bytes());
    let ids = folder.write("one.txt", "x\n");
    let said = refused(&["add", "--bundle", &out, "--vectors", &vectors, "--ids", &ids]);
    assert_says(&said, &["8 dimensions", "32"]);
    let said = refused(&["compact", "--bundle", &out, "--shards", "1000"]);
    assert_says(&said, &["--shards 1000"]);
    assert_eq!(folder.files(), before);
    ok(&["verify", &out]);
}
