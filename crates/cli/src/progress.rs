//! Progress of long work.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar with rate and remaining time; silent where standard error is no terminal.
pub fn bar(what: &'static str, n: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {per_sec} {eta} left");
    ProgressBar::new(n as u64)
        .with_prefix(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A progress bar of a download of `bytes` bytes; silent where standard error is no terminal.
pub fn download(what: String, bytes: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left");
    ProgressBar::new(bytes)
        .with_prefix(what)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
