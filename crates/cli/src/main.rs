//! The `recsys` command.

mod bundle;
mod cache;
mod clock;
mod commands;
mod files;
mod graph;
mod media;
mod milvus;
mod model;
mod partition;
mod progress;
mod publish;
mod replay;
mod signing;
mod sprites;
mod tls;

use clap::{Parser, Subcommand};

/// Video recommendations that run where the viewer is.
#[derive(Parser)]
#[command(version, about, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plan, publish and read experiments
    Ab(commands::ab::Args),
    /// Add videos to a bundle, or replace some, by one small segment
    Add(commands::add::Args),
    /// Write a bundle's segments anew, without what was removed and with what was added
    Compact(commands::compact::Args),
    /// Export training pairs for CLIP from the demo world's renderer
    DemoPairs(commands::demo_pairs::Args),
    /// Make clustered unit vectors and queries, for measuring search
    DemoVectors(commands::demo_vectors::Args),
    /// Render the demo catalogue: videos, videos.jsonl and the events of simulated viewers
    DemoWorld(commands::demo_world::Args),
    /// Compare random, popularity, similarity and the full path on the newest events
    Eval(commands::eval::Args),
    /// Print what the ranker reads of every logged impression
    Features(commands::features::Args),
    /// Turn a public data set into a catalogue, events and vectors
    Import(commands::import::Args),
    /// Make a bundle from a catalogue or a folder of videos, or from vectors that you already have
    Index(commands::index::Args),
    /// Make a key that signs bundles, or show its public half
    Key(commands::key::Args),
    /// Load a bundle into Milvus, list and remove what was loaded
    Milvus(commands::milvus::Args),
    /// Make a CLIP model ready for indexing and for the encoder
    Model(commands::model::Args),
    /// Show or set the rules of a bundle's page: caps, boosts, pins, exploration
    Policy(commands::policy::Args),
    /// Score the rows of a CSV with a LightGBM, XGBoost or ranker model
    Predict(commands::predict::Args),
    /// Attack each privacy mode and print what leaks: the table of docs/privacy.md
    PrivacyAudit(commands::privacy_audit::Args),
    /// Publish a bundle to a folder or to R2, all at once
    Publish(commands::publish::Args),
    /// Remove videos from a bundle
    Remove(commands::remove::Args),
    /// Search a bundle with vectors, words or a picture
    Search(commands::search::Args),
    /// Train the ranking model on logged events
    Train(commands::train::Args),
    /// Read JSON strings, one a line, and write CLIP's token ids, one JSON array a line
    Tokenize(commands::tokenize::Args),
    /// Check every file of a bundle and its signature; exit code 1 and the reason on the first fault
    Verify(commands::verify::Args),
}

fn main() -> std::process::ExitCode {
    let result = match Cli::parse().command {
        Command::Ab(args) => commands::ab::run(&args),
        Command::Add(args) => commands::add::run(args),
        Command::Compact(args) => commands::compact::run(args),
        Command::DemoPairs(args) => commands::demo_pairs::run(args),
        Command::DemoVectors(args) => commands::demo_vectors::run(args),
        Command::DemoWorld(args) => commands::demo_world::run(args),
        Command::Eval(args) => commands::eval::run(&args),
        Command::Features(args) => commands::features::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::Index(args) => commands::index::run(args),
        Command::Key(args) => commands::key::run(&args),
        Command::Milvus(args) => commands::milvus::run(&args),
        Command::Model(args) => commands::model::run(args),
        Command::Policy(args) => commands::policy::run(&args),
        Command::Predict(args) => commands::predict::run(args),
        Command::PrivacyAudit(args) => commands::privacy_audit::run(&args),
        Command::Publish(args) => commands::publish::run(&args),
        Command::Remove(args) => commands::remove::run(args),
        Command::Search(args) => commands::search::run(args),
        Command::Tokenize(args) => commands::tokenize::run(args),
        Command::Train(args) => commands::train::run(&args),
        Command::Verify(args) => commands::verify::run(args),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
