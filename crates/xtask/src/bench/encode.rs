//! `bench encode`: texts of 16 tokens and pictures of 224 pixels through towers of random weights, beside onnxruntime-web.

use super::peer::{Peer, median};
use super::rank::onnxruntime_version;
use super::report::Row;
use super::{python, workspace};
use crate::run::{cargo, exec, output, step};
use crate::{stamp, wasm};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const SHAPES: [&str; 2] = ["tinyclip-8m", "vit-b32"];
/// Towers, and encodings before the next peer's turn.
const TOWERS: [(&str, usize); 2] = [("text", 20), ("image", 1)];
const ROUNDS: usize = 15;
/// Turns before the clock counts: engines compile what is hot.
const WARM_UP: usize = 4;
/// First vectors, each of a process of its own.
const STARTS: usize = 7;
const INITIAL_MEMORY: &str = "target.wasm32-wasip1.rustflags=['-Clink-arg=--initial-memory=536870912']";
/// int8 weights are rounded by each in its own way.
const LEAST_COSINE: f64 = 0.99;

struct Bench {
    folder: PathBuf,
    wasm: PathBuf,
    /// Our two sides natively: one tower, and pictures from their files.
    native: [PathBuf; 2],
    python: PathBuf,
    onnxruntime: String,
}

/// Runs every case.
pub(super) fn run() -> Result<Vec<Row>> {
    let bench = prepare()?;
    let mut rows = Vec::new();
    for shape in SHAPES {
        let folder = bench.folder.join(shape);
        let mut peers = bench.peers(&folder)?;
        for (tower, times) in TOWERS {
            let what = format!("{shape}, {}", case(tower));
            compare(&what, tower, &mut peers)?;
            let medians = step(&what, || interleave(&mut peers, tower, times))?;
            rows.extend(against(&peers, &medians, &what)?);
        }
    }
    for (tower, _) in TOWERS {
        rows.push(bench.first_vector(tower)?);
    }
    for shape in SHAPES {
        rows.extend(bench.natively(shape)?);
    }
    Ok(rows)
}

fn case(tower: &str) -> &'static str {
    match tower {
        "text" => "text of 16 tokens",
        _ => "picture of 224×224",
    }
}

/// The first beside the others.
fn against(peers: &[Peer], medians: &[f64], case: &str) -> Result<Vec<Row>> {
    let Some((ours, others)) = medians.split_first() else {
        bail!("no peers");
    };
    let row = |(peer, peers): (&Peer, &f64)| Row {
        bench: "encode",
        case: case.to_owned(),
        peer: peer.name.clone(),
        ours: *ours,
        peers: *peers,
        unit: "ms",
    };
    Ok(peers.iter().skip(1).zip(others).map(row).collect())
}

fn prepare() -> Result<Bench> {
    let workspace = workspace()?;
    let folder = workspace.join("encode");
    std::fs::create_dir_all(&folder)?;
    let python = python::with_onnxruntime(&workspace)?;
    let sources = [
        "bench/encode/make.py",
        "models/mini-clip/graph.py",
        "models/mini-clip/hugging_face.py",
    ];
    stamp::unless_done(&folder.join("models.stamp"), &stamp::of(&sources, "")?, || {
        step("models of the bench", || {
            exec(Command::new(&python).arg("bench/encode/make.py").arg(&folder))
        })
    })?;
    let recsys = wasm::command()?;
    for shape in SHAPES {
        let model = folder.join(shape);
        let mut import = Command::new(&recsys);
        import
            .args(["model", "import"])
            .arg(&model)
            .arg("--out")
            .arg(model.join("model"));
        exec(&mut import)?;
    }
    let wasm = step("the encoder as wasm", || {
        let mut build = cargo();
        build.args(["build", "--quiet", "-p", "recsys-core", "--example", "encode"]);
        build.args(["--profile", "wasm", "--target", "wasm32-wasip1"]);
        // Node 20 dies where a WASI program's memory grows by much at once.
        exec(build.args(["--config", INITIAL_MEMORY]))?;
        let module = wasm::target_dir().join("wasm32-wasip1/wasm/examples/encode.wasm");
        let copy = folder.join("encode.wasm");
        std::fs::copy(&module, &copy).with_context(|| module.display().to_string())?;
        wasm::optimise(&copy, &["-O3"])?;
        Ok(copy)
    })?;
    let native = ["encode", "pictures"].map(|name| wasm::target_dir().join("release/examples").join(name));
    step("the encoder natively", || {
        let mut build = cargo();
        build.args([
            "build",
            "--quiet",
            "--release",
            "-p",
            "recsys-core",
            "--features",
            "pictures",
        ]);
        exec(build.args(["--example", "encode", "--example", "pictures"]))
    })?;
    Ok(Bench {
        folder,
        wasm,
        native,
        python,
        onnxruntime: onnxruntime_version()?,
    })
}

impl Bench {
    /// Ours first.
    fn peers(&self, folder: &Path) -> Result<[Peer; 3]> {
        let web = |suffix: &str| {
            let mut node = Command::new("node");
            node.arg("bench/encode/onnxruntime_peer.mjs")
                .arg(folder)
                .arg(suffix);
            node
        };
        let version = &self.onnxruntime;
        let mut ours = Command::new("node");
        ours.arg("e2e/wasi-runner.mjs").args([&self.wasm, folder]);
        Ok([
            Peer::start("recsys, wasm", &mut ours)?,
            Peer::start(
                format!("onnxruntime-web {version}, wasm, int8, 1 thread"),
                &mut web(".int8.onnx"),
            )?,
            Peer::start(
                format!("onnxruntime-web {version}, wasm, f32, 1 thread"),
                &mut web(".onnx"),
            )?,
        ])
    }

    /// Beside onnxruntime in Python: one picture and one text on one thread, and JPEGs on all cores.
    fn natively(&self, shape: &str) -> Result<Vec<Row>> {
        let folder = self.folder.join(shape);
        let python = |suffix: &str, kind: &str| {
            let mut python = Command::new(&self.python);
            python
                .arg("bench/encode/onnxruntime_native.py")
                .arg(&folder)
                .arg(suffix);
            Peer::start(format!("onnxruntime in Python, {kind}"), &mut python)
        };
        let [encode, pictures] = &self.native;
        let mut rows = Vec::new();
        for (what, tower, program, times) in [
            ("text of 16 tokens, natively, 1 thread", "text", encode, 20),
            ("picture of 224×224, natively, 1 thread", "image", encode, 2),
            (
                "JPEG of 640×360, decoded and resized, natively, all cores",
                "pictures",
                pictures,
                16,
            ),
        ] {
            let what = format!("{shape}, {what}");
            let mut peers = [
                Peer::start("recsys", Command::new(program).arg(&folder))?,
                python(".int8.onnx", "int8")?,
                python(".onnx", "f32")?,
            ];
            compare(&what, tower, &mut peers)?;
            let medians = step(&what, || interleave(&mut peers, tower, times))?;
            rows.extend(against(&peers, &medians, &what)?);
        }
        Ok(rows)
    }

    /// From the start of a script to its first vector.
    fn first_vector(&self, tower: &str) -> Result<Row> {
        let folder = self.folder.join(SHAPES[0]);
        let milliseconds = |script: &str, args: [&Path; 2]| -> Result<f64> {
            let mut node = Command::new("node");
            let answer = output(node.arg("--no-warnings").arg(script).args(args).arg(tower))?;
            answer
                .trim()
                .parse()
                .with_context(|| format!("{script}: {answer}"))
        };
        let (mut ours, mut peers) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            ours.push(milliseconds(
                "bench/encode/first_vector.mjs",
                [&self.wasm, &folder],
            )?);
            let args = [folder.as_path(), Path::new(".int8.onnx")];
            peers.push(milliseconds("bench/encode/onnxruntime_peer.mjs", args)?);
        }
        Ok(Row {
            bench: "encode",
            case: format!("{}, {}, module and tower loaded first", SHAPES[0], case(tower)),
            peer: format!("onnxruntime-web {}, wasm, int8, 1 thread", self.onnxruntime),
            ours: median(&mut ours),
            peers: median(&mut peers),
            unit: "ms",
        })
    }
}

/// Refuses a peer that computes something else.
fn compare(what: &str, tower: &str, peers: &mut [Peer]) -> Result<()> {
    let mut vectors = Vec::new();
    for peer in &mut *peers {
        vectors.push(peer.vector(tower)?);
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let Some((ours, others)) = vectors.split_first() else {
        bail!("no peers");
    };
    for (peer, vector) in peers.iter().skip(1).zip(others) {
        let cosine = dot(ours, vector) / (dot(ours, ours) * dot(vector, vector)).sqrt();
        eprintln!("{what}: cosine {cosine:.5} with {}", peer.name);
        if cosine.is_nan() || cosine < LEAST_COSINE {
            bail!("{what}: {} gives another vector, cosine {cosine}", peer.name);
        }
    }
    Ok(())
}

/// Each peer's median, from turns one after the other, so that all see the machine's moods.
fn interleave(peers: &mut [Peer], tower: &str, encodings: usize) -> Result<Vec<f64>> {
    let mut times = vec![Vec::new(); peers.len()];
    for round in 0..WARM_UP + ROUNDS {
        for (peer, times) in peers.iter_mut().zip(&mut times) {
            let time = peer.encode_time(tower, encodings)?;
            if round >= WARM_UP {
                times.push(time);
            }
        }
    }
    Ok(times.iter_mut().map(|times| median(times)).collect())
}
