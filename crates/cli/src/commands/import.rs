//! `recsys import`: other people's data sets as our catalogue and events.

mod movielens;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

/// Turns a public data set into a catalogue, events and vectors.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// A MovieLens folder (ratings.csv, movies.csv, tags.csv)
    Movielens(movielens::Args),
}

/// Runs the command.
///
/// # Errors
/// What the data set's own import gives.
pub fn run(args: &Args) -> Result<()> {
    match &args.kind {
        Kind::Movielens(args) => movielens::run(args),
    }
}
