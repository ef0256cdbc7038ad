//! The log that `train` and `eval` read: options, reading and replay.

use crate::replay::{Aggregates, Catalogue, Replay, Sampling, read_events};
use anyhow::{Context, Result};
use clap::{Args as ClapArgs, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use recsys_core::events::Label;
use std::path::PathBuf;

/// Which events, and what they mean.
#[derive(Clone, Debug, ClapArgs)]
pub struct LogArgs {
    /// Events, JSON Lines (docs/events.md).
    #[arg(long, value_name = "FILE")]
    pub events: PathBuf,
    /// What counts as a positive: a click, or a watch of at least 30 seconds.
    #[arg(long, value_enum, default_value_t = LabelArg::Click)]
    pub label: LabelArg,
    /// Counts from before the first event: an export of /v1/aggregates, JSON Lines.
    #[arg(long, value_name = "FILE")]
    pub aggregates: Option<PathBuf>,
    #[command(flatten)]
    pub sampling: Sampling,
}

/// `--label` of `train` and `eval`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LabelArg {
    /// Clicks.
    Click,
    /// Watches of at least 30 seconds.
    Watch,
}

impl LabelArg {
    /// A positive in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Watch => "watch of at least 30 seconds",
        }
    }
}

impl From<LabelArg> for Label {
    fn from(label: LabelArg) -> Self {
        match label {
            LabelArg::Click => Self::Click,
            LabelArg::Watch => Self::Watch,
        }
    }
}

impl LogArgs {
    /// Reads and joins the events; says how many were left out because the catalogue lacks their item.
    ///
    /// # Errors
    /// Unreadable events or aggregates, or events without slates.
    pub fn replay<'a>(&self, catalogue: &'a Catalogue) -> Result<Replay<'a>> {
        let aggregates = match &self.aggregates {
            Some(path) => Aggregates::read(path, catalogue)?,
            None => Aggregates::default(),
        };
        let progress = bar("reading events", true);
        let list = read_events(&self.events, &progress)?;
        progress.finish_and_clear();
        let replay = Replay::open(catalogue, list, self.label.into(), self.sampling, aggregates)
            .with_context(|| self.events.display().to_string())?;
        if replay.unknown() > 0 {
            let (unknown, all) = (replay.unknown(), replay.len());
            eprintln!(
                "warning: {unknown} of {all} events name items that the bundle lacks; they are left out"
            );
        }
        Ok(replay)
    }
}

/// Reads a share strictly between 0 and 1, or 1.
pub fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err("expected a share above 0 and at most 1".to_owned())
    }
}

/// A progress bar on standard error; hidden where that is no terminal.
pub fn bar(what: &'static str, bytes: bool) -> ProgressBar {
    let count = if bytes {
        "{bytes}/{total_bytes}"
    } else {
        "{pos}/{len}"
    };
    let style = ProgressStyle::with_template(&format!("{{spinner}} {{msg}} {{wide_bar}} {count} {{eta}}"));
    ProgressBar::new(0)
        .with_message(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
