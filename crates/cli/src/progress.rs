//! Progress of long work.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar with rate and remaining time; silent where standard error is no terminal.
pub fn bar(what: &'static str, n: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {per_sec} {eta} left");
    ProgressBar::new(n as u64)
        .with_prefix(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
