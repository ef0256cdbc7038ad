//! `bench faults`: events and recommendations while everything behind the worker fails, and what the engines cost over what the
//! worker has of its own.

use super::report::Row;
use crate::run::{output, step};
use crate::{demo, servers};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::process::Command;

/// What bench/faults/main.mjs prints.
#[derive(Deserialize)]
struct Found {
    rows: Vec<Latency>,
}

#[derive(Deserialize)]
struct Latency {
    case: String,
    peer: String,
    ours: f64,
    peers: f64,
}

/// Runs it. What was lost or silent is an error.
pub(super) fn run() -> Result<Vec<Row>> {
    servers::run()?;
    let demo = demo::prepare()?;
    let mut node = Command::new("node");
    node.arg("bench/faults/main.mjs")
        .env("RECSYS_SITE", std::fs::canonicalize(&demo.site)?)
        .env("RECSYS_BUNDLE", std::fs::canonicalize(&demo.bundle)?)
        .env("RECSYS_BIN", &demo.recsys)
        .env("RECSYS_SERVERS", servers::folder()?)
        .stderr(std::process::Stdio::inherit());
    let found = step("faults", || output(&mut node))?;
    let found: Found =
        serde_json::from_str(&found).context("bench/faults/main.mjs: not the expected JSON")?;
    let row = |latency: Latency| Row {
        bench: "faults",
        case: latency.case,
        peer: latency.peer,
        ours: latency.ours,
        peers: latency.peers,
        unit: "ms",
    };
    Ok(found.rows.into_iter().map(row).collect())
}
