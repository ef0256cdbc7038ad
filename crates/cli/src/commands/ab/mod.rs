//! `recsys ab`: experiments, from their plan to their reading.

mod offpolicy;
mod plan;
mod publish;
mod report;

use anyhow::Result;
use clap::Subcommand;

/// Plans, publishes and reads experiments (docs/experiments.md).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How many viewers a test needs
    Plan(plan::Args),
    /// Put experiments into a bundle, or take them out
    Publish(publish::Args),
    /// What an experiment's counts say: effect, interval, sample-ratio check; valid however often you look
    Report(report::Args),
    /// What the bundle's rankings would have earned, from logged slates with propensities
    Offpolicy(offpolicy::Args),
}

/// Runs the command.
///
/// # Errors
/// What the subcommand returns.
pub fn run(args: &Args) -> Result<()> {
    match &args.command {
        Command::Plan(args) => plan::run(args),
        Command::Publish(args) => publish::run(args),
        Command::Report(args) => report::run(args),
        Command::Offpolicy(args) => offpolicy::run(args),
    }
}
