//! `recsys demo-pairs`: pictures and captions of the demo world, to train and measure the mini CLIP.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use recsys_world::{HELDOUT_VIDEOS, NEIGHBOURS, pairs};

/// Write pictures of drawn scenes with captions, as images.npy and captions.jsonl.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to write into; made if missing.
    #[arg(long)]
    out: PathBuf,
    /// Number of training pictures (the held-out sets have a fixed size).
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// Seed of the scenes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Side of the square pictures, in pixels.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=180))]
    size: u32,
    /// `train` never contains a held-out combination of thing, colour and place.
    #[arg(long, value_enum, default_value_t = Split::Train)]
    split: Split,
    /// Threads that draw.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Split {
    /// `images.npy` (count × size × size × 3) and `captions.jsonl`.
    Train,
    /// 100 held-out videos × 8 frames, and 19 neighbours of each × 4 frames (`neighbours.npy`).
    Heldout,
}

/// Draws and writes the pairs.
///
/// # Errors
/// Where the folder can't be written.
pub fn run(args: Args) -> Result<()> {
    ensure!(args.count > 0, "--count 0: nothing to draw; give at least 1");
    let total = match args.split {
        Split::Train => args.count,
        Split::Heldout => HELDOUT_VIDEOS * (1 + NEIGHBOURS),
    };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} scenes, {eta} left")?;
    let bar = ProgressBar::new(total as u64).with_style(style);
    let progress = |scenes: usize| bar.inc(scenes as u64);
    let Args {
        out,
        count,
        seed,
        size,
        threads,
        split,
    } = args;
    match split {
        Split::Train => pairs::write_training(&out, count, seed, size, threads, &progress)?,
        Split::Heldout => pairs::write_heldout(&out, seed, size, threads, &progress)?,
    }
    bar.finish_and_clear();
    println!("{total} scenes written to {}", out.display());
    Ok(())
}
