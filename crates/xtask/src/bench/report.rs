//! Results, for people and for programs.

use anyhow::{Context, Result};
use serde_json::json;
use std::path::Path;

/// One comparison.
pub(super) struct Row {
    pub(super) bench: &'static str,
    /// What was measured, and at what quality.
    pub(super) case: String,
    /// Name and version.
    pub(super) peer: String,
    /// Medians, in `unit`.
    pub(super) ours: f64,
    pub(super) peers: f64,
    pub(super) unit: &'static str,
}

impl Row {
    /// Ours over the peer's: below 1 is faster.
    fn ratio(&self) -> f64 {
        self.ours / self.peers
    }
}

/// A table on standard output.
pub(super) fn print(rows: &[Row]) {
    println!("| bench | case | peer | ours | peer's | ratio |");
    println!("| --- | --- | --- | ---: | ---: | ---: |");
    for row in rows {
        println!(
            "| {} | {} | {} | {:.3} {unit} | {:.3} {unit} | {:.3} |",
            row.bench,
            row.case,
            row.peer,
            row.ours,
            row.peers,
            row.ratio(),
            unit = row.unit
        );
    }
}

/// A JSON array of `{bench, case, peer, ours, peers, unit, ratio}`.
pub(super) fn write(rows: &[Row], file: &Path) -> Result<()> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "bench": row.bench,
                "case": row.case,
                "peer": row.peer,
                "ours": row.ours,
                "peers": row.peers,
                "unit": row.unit,
                "ratio": row.ratio(),
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&rows)?;
    std::fs::write(file, text + "\n").with_context(|| file.display().to_string())
}
