//! `cargo xtask demo`: from nothing to a page.

use crate::run::{exec, output, step};
use crate::{integrity, servers, setup, stamp, wasm};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Options of the demo.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ask for the page, /healthz and one /v1/recs on a free port, print the answers and exit
    #[arg(long)]
    check: bool,
    /// Port of the page
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Offer history mode, and keep histories there
    #[arg(long, value_enum)]
    history: Option<History>,
    /// Offer history mode, and hand events on to there. Kafka's REST proxy is one of the tests' own
    #[arg(long, value_enum)]
    events: Option<Events>,
    /// Find candidates there
    #[arg(long, value_enum)]
    candidates: Option<Candidates>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum History {
    /// A Durable Object a viewer
    Object,
    /// Redis (`cargo xtask servers` installs it)
    Redis,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Events {
    /// Cloudflare's Queue, as workerd has it
    Queue,
    /// Kafka, through the outbox
    Kafka,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Candidates {
    /// Milvus (`cargo xtask servers` installs it)
    Milvus,
}

impl Args {
    /// Options of e2e/serve.mjs.
    fn engines(&self) -> Vec<String> {
        fn option<T: clap::ValueEnum>(name: &str, value: Option<T>) -> Option<String> {
            let value = value?.to_possible_value()?;
            Some(format!("--{name}={}", value.get_name()))
        }
        let all = [
            option("history", self.history),
            option("events", self.events),
            option("candidates", self.candidates),
        ];
        all.into_iter().flatten().collect()
    }
}

/// Clusters of the demo's catalogue, of some hundred videos each.
const CLUSTERS: &str = "16";

/// Where the demo's files are.
pub(crate) struct Demo {
    /// The recsys command.
    pub(crate) recsys: PathBuf,
    /// Folder with `videos.jsonl`, `events.jsonl` and the media.
    pub(crate) world: PathBuf,
    /// The bundle, also served with the site.
    pub(crate) bundle: PathBuf,
    /// The static files.
    pub(crate) site: PathBuf,
}

/// Builds everything and serves the page.
pub(crate) fn run(args: &Args) -> Result<()> {
    let demo = prepare()?;
    let port = if args.check { 0 } else { args.port };
    let (mut server, url) = serve(&demo, port, &args.engines())?;
    let offered = args.history.is_some() || args.events.is_some();
    let url = if offered { format!("{url}/?history") } else { url };
    let result = if args.check {
        output(Command::new("node").args(["e2e/check.mjs", &url])).map(|text| print!("{text}"))
    } else {
        println!("{url}");
        server
            .wait()
            .map_err(Into::into)
            .and_then(|status| match status.success() {
                true => Ok(()),
                false => bail!("the server stopped: {status}"),
            })
    };
    // The server stops when its standard input ends.
    drop(server.stdin.take());
    server.wait()?;
    result
}

/// Everything up to the site, each long step only where its sources changed.
pub(crate) fn prepare() -> Result<Demo> {
    let recsys = wasm::build_all()?;
    setup::ffmpeg();
    let root = Path::new(".demo");
    std::fs::create_dir_all(root)?;
    let demo = Demo {
        recsys,
        world: root.join("world"),
        bundle: root.join("bundle"),
        site: PathBuf::from("dist/site"),
    };
    let world = stamp::of(&["crates/world/src", "crates/cli/src/commands/demo_world.rs"], "")?;
    stamp::unless_done(&root.join("world.stamp"), &world, || {
        step("demo world", || make_world(&demo))
    })?;
    let sources = ["crates/core/src", "crates/cli/src", "models"];
    let bundle = stamp::of(&sources, &world)?;
    stamp::unless_done(&root.join("bundle.stamp"), &bundle, || make_bundle(&demo))?;
    step("site", || assemble(&demo))?;
    Ok(demo)
}

fn make_world(demo: &Demo) -> Result<()> {
    exec(
        Command::new(&demo.recsys)
            .args(["demo-world", "--force", "--out"])
            .arg(&demo.world),
    )
}

fn make_bundle(demo: &Demo) -> Result<()> {
    let catalogue = demo.world.join("videos.jsonl");
    let events = demo.world.join("events.jsonl");
    step("index", || {
        exec(
            Command::new(&demo.recsys)
                // What the code makes now, not what it made before.
                .args([
                    "index",
                    "--no-cache",
                    "--model",
                    "models/mini-clip",
                    "--catalogue",
                ])
                .arg(&catalogue)
                .arg("--out")
                .arg(&demo.bundle)
                // Clusters for the privacy modes. All are asked in standard mode: they are small, and so nothing is missed.
                .args(["--shards", CLUSTERS, "--probes", CLUSTERS]),
        )
    })?;
    if setup::on_path(&["python3"]).is_none() {
        eprintln!("no python3: the demo runs without a trained ranker, by similarity alone");
        return Ok(());
    }
    step("train", || {
        exec(
            Command::new(&demo.recsys)
                .args(["train", "--events"])
                .arg(&events)
                .arg("--bundle")
                .arg(&demo.bundle),
        )
    })
}

/// The site: the page, the browser module, the bundle and the world's media; media are linked, not copied.
fn assemble(demo: &Demo) -> Result<()> {
    wasm::fresh(&demo.site)?;
    link_tree(Path::new("www"), &demo.site)?;
    link_tree(Path::new("dist/pkg"), &demo.site.join("pkg"))?;
    integrity::page(&demo.site)?;
    link_tree(&demo.bundle, &demo.site.join("bundle"))?;
    for folder in ["media", "thumbs", "previews"] {
        link_tree(&demo.world.join(folder), &demo.site.join(folder))?;
    }
    // For the encoder's worker, and for browsers.
    for model in [Path::new("dist/model"), &demo.site.join("model")] {
        copy_model(model)?;
    }
    Ok(())
}

fn copy_model(model: &Path) -> Result<()> {
    wasm::fresh(model)?;
    for file in ["model.json", "image.tower", "text.tower", "tokens.bin"] {
        std::fs::copy(Path::new("models/mini-clip").join(file), model.join(file))
            .with_context(|| file.to_owned())?;
    }
    Ok(())
}

/// Hard links of all files below a folder; copies where links are not possible.
fn link_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            link_tree(&source, &target)?;
        } else if std::fs::hard_link(&source, &target).is_err() {
            std::fs::copy(&source, &target).with_context(|| source.display().to_string())?;
        }
    }
    Ok(())
}

/// Starts workerd; returns the process, whose standard input must stay open, and the page's address.
fn serve(demo: &Demo, port: u16, engines: &[String]) -> Result<(Child, String)> {
    let mut server = Command::new("node")
        .args(["e2e/serve.mjs", "--port", &port.to_string(), "--site"])
        .arg(&demo.site)
        .args(engines)
        .env("RECSYS_BIN", &demo.recsys)
        .env("RECSYS_BUNDLE", &demo.bundle)
        .env("RECSYS_SERVERS", servers::folder()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start node e2e/serve.mjs")?;
    let out = server.stdout.take().context("the server has no output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    let ready: Result<serde_json::Value, _> = serde_json::from_str(&line);
    match ready
        .ok()
        .and_then(|r| r.get("url").and_then(|u| u.as_str()).map(str::to_owned))
    {
        Some(url) => Ok((server, url)),
        None => bail!("the server did not start: {}", line.trim()),
    }
}
