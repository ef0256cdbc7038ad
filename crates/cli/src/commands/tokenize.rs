//! `recsys tokenize`.

use anyhow::{Context, Result};
use recsys_core::clip::tokenizer::{CONTEXT, tokenize};
use std::io::{BufRead, Write};

/// Reads JSON strings on standard input, one a line.
#[derive(clap::Args)]
pub struct Args {}

/// Writes one JSON array of token ids a line: 49406 first, 49407 last, at most 77.
pub fn run(_: Args) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.with_context(|| format!("standard input, line {}", number + 1))?;
        let text: String = serde_json::from_str(&line)
            .with_context(|| format!("standard input, line {}: expected one JSON string", number + 1))?;
        serde_json::to_writer(&mut out, &tokenize(&text, CONTEXT))?;
        writeln!(out)?;
    }
    out.flush().context("standard output")
}
