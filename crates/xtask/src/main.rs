//! `cargo xtask`: everything beyond `cargo build`, with all the set-up it needs.

mod bench;
mod demo;
mod fuzz;
mod integrity;
mod python;
mod run;
mod servers;
mod setup;
mod shim;
mod stamp;
mod test;
mod wasm;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, try and test recsys")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compile the command, both workers and the browser module into dist/
    Build(wasm::Args),
    /// Make the demo catalogue, index it, train its ranker and serve the page
    Demo(demo::Args),
    /// Try made-up models on every reader of trees (needs a nightly Rust, fetched where it is missing)
    Fuzz(fuzz::Args),
    /// Install the servers that some tests need: Redis, Milvus
    Servers,
    /// Run every test: Rust, Rust as wasm, workerd, browser
    Test(test::Args),
    /// Measure against peers in one interleaved run: medians and ratios
    Bench(bench::Args),
}

fn main() -> anyhow::Result<()> {
    std::env::set_current_dir(run::root()?)?;
    match Cli::parse().task {
        Task::Build(args) => wasm::build(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Servers => servers::run(),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
    }
}
