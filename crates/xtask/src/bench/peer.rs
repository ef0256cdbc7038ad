//! Programs that score rows, search or encode on request, one answer a line: `crates/core/examples/score.rs`, `search.rs` and
//! `encode.rs` say what they are asked.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running program, with its model and rows loaded.
pub(super) struct Peer {
    /// Name and version.
    pub(super) name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    pub(super) fn start(name: impl Into<String>, command: &mut Command) -> Result<Self> {
        let name = name.into();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().context("no output")?;
        Ok(Self {
            name,
            input: child.stdin.take(),
            output: BufReader::new(output),
            child,
        })
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        let input = self.input.as_mut().context("no input")?;
        writeln!(input, "{line}").with_context(|| self.name.clone())?;
        input.flush()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        if answer.is_empty() {
            bail!("{} stopped at `{line}`", self.name);
        }
        Ok(answer)
    }

    /// Raw scores of the first `n` rows.
    pub(super) fn scores(&mut self, n: usize) -> Result<Vec<f64>> {
        let scores: Vec<f64> = serde_json::from_str(&self.ask(&format!("scores {n}"))?)
            .with_context(|| format!("{}: not an array of scores", self.name))?;
        if scores.len() != n {
            bail!("{}: {} scores of {n} rows", self.name, scores.len());
        }
        Ok(scores)
    }

    /// Median milliseconds of scoring the first `n` rows.
    pub(super) fn time(&mut self, n: usize, passes: usize) -> Result<f64> {
        self.number(&format!("time {n} {passes}"))
    }

    /// The rows of the `k` nearest of each of the first `n` queries, found with this width.
    pub(super) fn hits(&mut self, n: usize, k: usize, width: usize) -> Result<Vec<Vec<u32>>> {
        let hits: Vec<Vec<u32>> = serde_json::from_str(&self.ask(&format!("hits {n} {k} {width}"))?)
            .with_context(|| format!("{}: not an array of hits", self.name))?;
        if hits.len() != n {
            bail!("{}: hits for {} of {n} queries", self.name, hits.len());
        }
        Ok(hits)
    }

    /// Milliseconds of finding them.
    pub(super) fn search_time(&mut self, n: usize, k: usize, width: usize) -> Result<f64> {
        self.number(&format!("time {n} {k} {width}"))
    }

    /// The vector of its text or of its picture.
    pub(super) fn vector(&mut self, tower: &str) -> Result<Vec<f64>> {
        let answer = self.ask(&format!("vector {tower}"))?;
        serde_json::from_str(&answer).with_context(|| format!("{}: not a vector", self.name))
    }

    /// Milliseconds of encoding it, the mean of some.
    pub(super) fn encode_time(&mut self, tower: &str, times: usize) -> Result<f64> {
        self.number(&format!("time {tower} {times}"))
    }

    /// Bytes of its linear memory.
    pub(super) fn memory(&mut self) -> Result<f64> {
        self.number("memory")
    }

    fn number(&mut self, line: &str) -> Result<f64> {
        let answer = self.ask(line)?;
        answer
            .trim()
            .parse()
            .with_context(|| format!("{}: expected a number, found {answer}", self.name))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A peer ends with its input.
        self.input = None;
        if self.child.wait().is_err() {
            eprintln!("{} did not end", self.name);
        }
    }
}

/// The median of times; there is at least one.
pub(super) fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
