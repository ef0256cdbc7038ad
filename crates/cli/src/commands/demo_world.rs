//! `recsys demo-world`: the simulated catalogue and its simulated viewers.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use recsys_world::world::{MAX_FRAMES, MAX_VIDEOS, MAX_VIEWERS, Options, write_world};
use std::path::PathBuf;

/// Draw a catalogue of short videos and simulate viewers: media, thumbnails, videos.jsonl and events.jsonl.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to make; an earlier demo world there is replaced once the new one is complete
    #[arg(long)]
    out: PathBuf,
    /// Videos in the catalogue
    #[arg(long, default_value_t = 2_000, value_parser = count(1, MAX_VIDEOS))]
    videos: u64,
    /// Simulated viewers
    #[arg(long, default_value_t = 1_000, value_parser = count(0, MAX_VIEWERS))]
    viewers: u64,
    /// The same seed gives the same world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Frames of each video's loop of two seconds at 8 a second
    #[arg(long, default_value_t = 16, value_parser = count(1, MAX_FRAMES))]
    frames: u64,
    /// Write folders of JPEG frames even where ffmpeg could write mp4
    #[arg(long)]
    no_mp4: bool,
    /// Threads that draw and encode
    #[arg(long, default_value_t = 2, value_parser = count(1, 64))]
    threads: u64,
    /// Replace the folder whatever is in it
    #[arg(long)]
    force: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn count(low: u64, high: usize) -> clap::builder::RangedU64ValueParser {
    clap::builder::RangedU64ValueParser::new().range(low..=high as u64)
}

/// Makes the world and prints what was made.
///
/// # Errors
/// Where the folder holds something else, or can't be written.
pub fn run(args: Args) -> Result<()> {
    let Args {
        out,
        videos,
        viewers,
        seed,
        frames,
        no_mp4,
        threads,
        force,
        json,
    } = args;
    let options = Options {
        videos: usize::try_from(videos)?,
        viewers: usize::try_from(viewers)?,
        seed,
        frames: usize::try_from(frames)?,
        mp4: !no_mp4,
        threads: usize::try_from(threads)?,
        force,
    };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} videos drawn, {eta} left")?;
    let bar = ProgressBar::new(videos).with_style(style);
    let report = write_world(&out, &options, &|videos| bar.inc(videos as u64))?;
    bar.finish_and_clear();
    if json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    let media = if report.mp4 {
        "mp4"
    } else {
        "frames (no ffmpeg with libx264, or --no-mp4)"
    };
    println!(
        "{}: {} videos as {media}, {} viewers, {} events ({} impressions, {} clicks), {:.1} MB, of which {:.1} MB \
         events. All of it is simulated.",
        out.display(),
        report.videos,
        report.viewers,
        report.events,
        report.impressions,
        report.clicks,
        report.total_bytes as f64 / 1e6,
        report.event_bytes as f64 / 1e6,
    );
    Ok(())
}
