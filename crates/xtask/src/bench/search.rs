//! `bench search`: the ten nearest of 20,000 vectors of 512 dimensions, every engine at the smallest width of its search that
//! reaches a recall; from how many vectors on a walk is quicker than a scan; and how our own time grows from 5,000 to 100,000.

use super::peer::{Peer, median};
use super::report::Row;
use super::{python, workspace};
use crate::run::{cargo, exec, step};
use crate::{stamp, wasm};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const ITEMS: usize = 20_000;
/// Between these numbers of vectors our own time grows.
const FEW: usize = 5_000;
const MANY: usize = 100_000;
/// At these numbers of vectors the walk is compared with a scan.
const CROSSOVER: [usize; 4] = [1_000, 2_500, 5_000, 10_000];
const QUERIES: usize = 500;
/// Neighbours asked for.
const K: usize = 10;
/// Recalls of the ten nearest at which engines are compared.
const RECALLS: [f64; 2] = [0.96, 0.98];
/// Widths (`ef`, `expansion_search`) that are tried.
const WIDTHS: [usize; 17] = [
    10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 160, 200, 256,
];
/// The width where a bundle's owner chooses none, and the one that our example takes for a scan.
const WALK: usize = 64;
const SCAN: usize = 0;
const ROUNDS: usize = 11;
const WARM_UP: usize = 2;
/// Kinds of queries, and their files.
const KINDS: [(&str, &str); 2] = [
    ("means of clicks", "queries.npy"),
    ("queries in words", "text.npy"),
];

/// The programs and files of the bench.
struct Bench {
    python: PathBuf,
    peers: PathBuf,
    wasm: PathBuf,
}

/// Vectors and queries, with our graph over them.
struct Catalogue {
    folder: PathBuf,
    shard: PathBuf,
}

/// An engine, and the smallest width with which it reaches each recall.
struct Engine {
    peer: Peer,
    widths: [Option<usize>; RECALLS.len()],
}

/// Runs every case.
pub(super) fn run() -> Result<Vec<Row>> {
    let folder = workspace()?.join("search");
    std::fs::create_dir_all(&folder)?;
    let bench = prepare(&folder)?;
    let catalogue = Catalogue::make(&folder, ITEMS)?;
    let mut rows = Vec::new();
    for (kind, file) in KINDS {
        let mut engines = step(&format!("{kind}: widths"), || bench.engines(&catalogue, file))?;
        for (index, recall) in RECALLS.iter().enumerate() {
            let case = format!("{ITEMS} vectors, {kind}, recall@{K} of {recall}");
            rows.extend(compare(&mut engines, index, &case)?);
        }
    }
    for items in CROSSOVER {
        rows.extend(crossover(&bench, &folder, items)?);
    }
    rows.extend(growth(&bench, &folder)?);
    Ok(rows)
}

/// Our walk at its default width beside our scan, which needs none.
fn crossover(bench: &Bench, folder: &Path, items: usize) -> Result<Vec<Row>> {
    let (kind, file) = KINDS[0];
    let catalogue = Catalogue::make(folder, items)?;
    let engine = |name: &str, width| -> Result<Engine> {
        Ok(Engine {
            peer: bench.ours(format!("recsys, wasm, {name}"), &catalogue, file)?,
            widths: [Some(width); RECALLS.len()],
        })
    };
    let mut engines = [engine("walk", WALK)?, engine("scan", SCAN)?];
    compare(
        &mut engines,
        0,
        &format!("{items} vectors, {kind}, walk of width {WALK}"),
    )
}

/// Ours with many vectors beside ours with few.
fn growth(bench: &Bench, folder: &Path) -> Result<Vec<Row>> {
    let (kind, file) = KINDS[0];
    let mut engines = Vec::new();
    for items in [MANY, FEW] {
        let catalogue = Catalogue::make(folder, items)?;
        let exact = bench.exact(&catalogue, file)?;
        let name = format!("recsys, wasm, {items} vectors");
        engines.push(Engine::new(bench.ours(name, &catalogue, file)?, &exact)?);
    }
    if let Some(many) = engines.first_mut() {
        let bytes = many.peer.memory()?;
        eprintln!(
            "{}: {:.1} MiB of wasm memory",
            many.peer.name,
            bytes / f64::from(1 << 20)
        );
    }
    let mut rows = Vec::new();
    for (index, recall) in RECALLS.iter().enumerate() {
        let case = format!("{MANY} vectors, {kind}, recall@{K} of {recall}");
        rows.extend(compare(&mut engines, index, &case)?);
    }
    Ok(rows)
}

/// The first engine beside the others, where they reach the recall.
fn compare(engines: &mut [Engine], recall: usize, case: &str) -> Result<Vec<Row>> {
    let times = interleave(engines, recall)?;
    let Some(Some(ours)) = times.first().copied() else {
        bail!("{case}: we do not reach it");
    };
    let others = engines.iter().zip(times).skip(1);
    Ok(others
        .filter_map(|(engine, time)| {
            Some(Row {
                bench: "search",
                case: case.to_owned(),
                peer: engine.peer.name.clone(),
                ours,
                peers: time?,
                unit: "µs",
            })
        })
        .collect())
}

fn prepare(folder: &Path) -> Result<Bench> {
    let python = python::with_search_engines(&workspace()?)?;
    let peers = npm_peers(folder)?;
    let wasm = step("the search as wasm", || {
        let mut build = cargo();
        build.args(["build", "--quiet", "-p", "recsys-core", "--example", "search"]);
        exec(build.args(["--profile", "wasm", "--target", "wasm32-wasip1"]))?;
        let module = wasm::target_dir().join("wasm32-wasip1/wasm/examples/search.wasm");
        let copy = folder.join("search.wasm");
        std::fs::copy(&module, &copy).with_context(|| module.display().to_string())?;
        wasm::optimise(&copy, &["-O3"])?;
        Ok(copy)
    })?;
    Ok(Bench { python, peers, wasm })
}

/// The engines that are npm packages, installed once.
fn npm_peers(folder: &Path) -> Result<PathBuf> {
    let peers = folder.join("peers");
    let files = ["package.json", "package-lock.json"];
    let sources = files.map(|file| Path::new("bench/search").join(file));
    stamp::unless_done(&folder.join("peers.stamp"), &stamp::of(&sources, "")?, || {
        std::fs::create_dir_all(&peers)?;
        for (file, source) in files.iter().zip(&sources) {
            std::fs::copy(source, peers.join(file))?;
        }
        step("npm packages of the peers", || {
            exec(
                Command::new("npm")
                    .args(["ci", "--no-audit", "--no-fund"])
                    .current_dir(&peers),
            )
        })
    })?;
    Ok(peers)
}

impl Catalogue {
    /// So many vectors; made once.
    fn make(folder: &Path, items: usize) -> Result<Self> {
        let folder = folder.join(items.to_string());
        let bundle = folder.join("bundle");
        let sources = [
            "crates/world/src/vectors.rs",
            "crates/cli/src/graph.rs",
            "crates/core/src/shard/format.rs",
        ];
        std::fs::create_dir_all(&folder)?;
        stamp::unless_done(&folder.join("stamp"), &stamp::of(&sources, "")?, || {
            step(&format!("{items} vectors and their graph"), || {
                // With the peers' graphs of earlier vectors.
                std::fs::remove_dir_all(&folder)?;
                let recsys = wasm::command()?;
                let (items, queries) = (items.to_string(), QUERIES.to_string());
                let mut vectors = Command::new(&recsys);
                vectors.args(["demo-vectors", "--dim", "512", "--clusters", "400"]);
                vectors.args(["--items", &items, "--queries", &queries, "--out"]);
                exec(vectors.arg(&folder))?;
                let mut index = Command::new(&recsys);
                index.arg("index").arg("--vectors").arg(folder.join("items.npy"));
                index.arg("--ids").arg(folder.join("ids.txt"));
                index.args(["--flat-up-to", "0"]);
                exec(index.arg("--out").arg(&bundle))
            })
        })?;
        let is_shard = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("shard-"))
        };
        let mut files = std::fs::read_dir(&bundle)?.filter_map(|entry| Some(entry.ok()?.path()));
        let shard = files
            .find(is_shard)
            .with_context(|| format!("{}: no shard", bundle.display()))?;
        Ok(Self { folder, shard })
    }
}

impl Bench {
    /// Every engine with its widths for these queries, ours first.
    fn engines(&self, catalogue: &Catalogue, queries: &str) -> Result<Vec<Engine>> {
        let exact = self.exact(catalogue, queries)?;
        let [items, file] = ["items.npy", queries].map(|file| catalogue.folder.join(file));
        let native = |engine: &str| self.native(engine, catalogue, queries);
        let javascript = |engine: &str| {
            let mut command = Command::new("node");
            command.arg("bench/search/javascript_peer.mjs").arg(engine);
            command.args([&items, &file, &catalogue.folder.join(engine), &self.peers]);
            command
        };
        let (hnswlib, usearch) = (python::HNSWLIB, python::USEARCH);
        let peers = [
            self.ours("recsys, wasm".to_owned(), catalogue, queries)?,
            Peer::start("hnswlib-node 3.0.0, native", &mut javascript("hnswlib-node"))?,
            Peer::start(
                format!("hnswlib {hnswlib}, native, compiled for this machine"),
                &mut native("hnswlib"),
            )?,
            Peer::start(
                format!("usearch {usearch}, native, f32"),
                &mut native("usearch-f32"),
            )?,
            Peer::start(
                format!("usearch {usearch}, native, int8"),
                &mut native("usearch-i8"),
            )?,
            Peer::start("hnswlib-wasm 0.8.2", &mut javascript("hnswlib-wasm"))?,
        ];
        peers.into_iter().map(|peer| Engine::new(peer, &exact)).collect()
    }

    fn ours(&self, name: String, catalogue: &Catalogue, queries: &str) -> Result<Peer> {
        let mut node = Command::new("node");
        node.arg("e2e/wasi-runner.mjs");
        Peer::start(
            name,
            node.args([&self.wasm, &catalogue.shard, &catalogue.folder.join(queries)]),
        )
    }

    fn native(&self, engine: &str, catalogue: &Catalogue, queries: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("bench/search/native_peer.py").arg(engine);
        command.args(["items.npy", queries, engine].map(|file| catalogue.folder.join(file)));
        command
    }

    /// The exact neighbours of every query.
    fn exact(&self, catalogue: &Catalogue, queries: &str) -> Result<Vec<Vec<u32>>> {
        let mut exact = self.native("exact", catalogue, queries);
        Peer::start("NumPy, every inner product", &mut exact)?.hits(QUERIES, K, 0)
    }
}

impl Engine {
    /// Widens the search until the highest recall is reached.
    fn new(mut peer: Peer, exact: &[Vec<u32>]) -> Result<Self> {
        let mut widths = [None; RECALLS.len()];
        let mut reached = 0.0;
        for width in WIDTHS {
            reached = recall(&peer.hits(exact.len(), K, width)?, exact);
            for (slot, goal) in widths.iter_mut().zip(RECALLS) {
                if slot.is_none() && reached >= goal {
                    *slot = Some(width);
                }
            }
            if widths.iter().all(Option::is_some) {
                break;
            }
        }
        eprintln!("{}: {widths:?} for {RECALLS:?}, at last {reached:.4}", peer.name);
        Ok(Self { peer, widths })
    }
}

/// The share of the exact neighbours that were found.
fn recall(found: &[Vec<u32>], exact: &[Vec<u32>]) -> f64 {
    let both = found.iter().zip(exact);
    let hits: usize = both
        .map(|(found, exact)| exact.iter().filter(|row| found.contains(row)).count())
        .sum();
    hits as f64 / exact.iter().map(Vec::len).sum::<usize>() as f64
}

/// Each engine's median microseconds a query at one of the recalls, where it reaches it; turns one after the other, so
/// that all see the machine's moods.
fn interleave(engines: &mut [Engine], recall: usize) -> Result<Vec<Option<f64>>> {
    let mut times = vec![Vec::new(); engines.len()];
    for round in 0..WARM_UP + ROUNDS {
        for (engine, times) in engines.iter_mut().zip(&mut times) {
            let Some(width) = engine.widths.get(recall).copied().flatten() else {
                continue;
            };
            let time = engine.peer.search_time(QUERIES, K, width)? * 1e3 / QUERIES as f64;
            if round >= WARM_UP {
                times.push(time);
            }
        }
    }
    Ok(times
        .iter_mut()
        .map(|times| (!times.is_empty()).then(|| median(times)))
        .collect())
}
