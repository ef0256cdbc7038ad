//! `recsys key`: keys that sign bundles.

use crate::signing;
use anyhow::Result;
use std::path::PathBuf;

/// Makes a signing key, or shows the public half of one (docs/trust.md).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key in a new file (Ed25519, PKCS#8 PEM), and print its public half and its id
    New {
        /// The key's file; one that is there is never overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the public half of a key, 64 hexadecimal digits, and its id
    Public {
        /// The key's file
        file: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
/// A file that cannot be read or written, or that is no key.
pub fn run(args: &Args) -> Result<()> {
    let public = match &args.command {
        Command::New { out } => signing::create(out)?,
        Command::Public { file } => signing::public_of(file)?,
    };
    println!("{} {}", public.to_hex(), public.id());
    Ok(())
}
