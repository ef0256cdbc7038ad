//! The whole demo world on disk: media, `videos.jsonl`, `events.jsonl`.

mod catalogue;
mod clock;
mod encode;
mod event;
mod output;
mod policy;
mod simulate;
mod viewer;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use catalogue::{Item, VideoObject};
use encode::Encoder;
pub use event::{Event, User};
use output::Output;
use simulate::Simulation;

/// What to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// Videos in the catalogue, 1 to [`MAX_VIDEOS`].
    pub videos: usize,
    /// Simulated viewers, at most [`MAX_VIEWERS`].
    pub viewers: usize,
    /// Decides everything.
    pub seed: u64,
    /// Frames of each video's loop of two seconds, 1 to 64.
    pub frames: usize,
    /// Write mp4 where ffmpeg with libx264 is on the path; otherwise, or if false, a folder of JPEG frames.
    pub mp4: bool,
    /// Threads that draw and encode.
    pub threads: usize,
    /// Replace a folder that is no demo world.
    pub force: bool,
}

/// The most videos of one world.
pub const MAX_VIDEOS: usize = 99_999;
/// The most viewers of one world.
pub const MAX_VIEWERS: usize = 99_999;
/// The most frames of a video.
pub const MAX_FRAMES: usize = 64;

impl Default for Options {
    fn default() -> Self {
        Self {
            videos: 2_000,
            viewers: 1_000,
            seed: 1,
            frames: 16,
            mp4: true,
            threads: 2,
            force: false,
        }
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Videos written.
    pub videos: usize,
    /// Simulated viewers.
    pub viewers: usize,
    /// The seed.
    pub seed: u64,
    /// Whether the media are mp4 files (else folders of JPEG frames).
    pub mp4: bool,
    /// Lines of `events.jsonl`.
    pub events: usize,
    /// Impressions among them.
    pub impressions: usize,
    /// Clicks among them.
    pub clicks: usize,
    /// Bytes of `events.jsonl`.
    pub event_bytes: u64,
    /// Bytes of everything.
    pub total_bytes: u64,
}

/// `videos.jsonl` and `events.jsonl` of a world, in memory: what [`write_world`] writes beside the media.
#[derive(Debug, Clone)]
pub struct Tables {
    /// A schema.org `VideoObject` a line.
    pub videos: Vec<u8>,
    /// An event a line, in order of time.
    pub events: Vec<u8>,
    /// Impressions among the events.
    pub impressions: usize,
    /// Clicks among the events.
    pub clicks: usize,
}

/// Makes the catalogue and the viewers' events of a world, without its media. The same options give the same
/// bytes on every machine.
///
/// # Errors
/// Where an option is out of its range.
pub fn tables(options: &Options) -> Result<Tables> {
    check(options)?;
    let items = catalogue::items(options.videos, options.seed);
    tables_of(&items, options, encode::MP4)
}

fn tables_of(items: &[Item], options: &Options, media: &str) -> Result<Tables> {
    let mut videos = Vec::new();
    for item in items {
        serde_json::to_writer(&mut videos, &VideoObject::new(item, media))?;
        videos.push(b'\n');
    }
    let simulation = Simulation::run(items, options.viewers, options.seed);
    let mut events = Vec::new();
    for event in &simulation.events {
        serde_json::to_writer(&mut events, event)?;
        events.push(b'\n');
    }
    Ok(Tables {
        videos,
        events,
        impressions: simulation.impressions,
        clicks: simulation.clicks,
    })
}

fn check(options: &Options) -> Result<()> {
    let Options {
        videos,
        viewers,
        frames,
        ..
    } = options;
    ensure!(
        (1..=MAX_VIDEOS).contains(videos),
        "{videos} videos: expected 1 to {MAX_VIDEOS}"
    );
    ensure!(
        *viewers <= MAX_VIEWERS,
        "{viewers} viewers: expected at most {MAX_VIEWERS}"
    );
    ensure!(
        (1..=MAX_FRAMES).contains(frames),
        "{frames} frames: expected 1 to {MAX_FRAMES}"
    );
    Ok(())
}

/// Makes a world in the folder `out`, which is replaced as a whole once everything is written. `progress` is
/// called with 1 for each video drawn.
///
/// # Errors
/// Where an option is out of its range, `out` holds something else, or a file can't be written.
pub fn write_world(out: &Path, options: &Options, progress: &(dyn Fn(usize) + Sync)) -> Result<Report> {
    check(options)?;
    let output = Output::prepare(out, options.force)?;
    let encoder = Encoder::choose(options)?;
    let items = catalogue::items(options.videos, options.seed);
    let media = encoder.write_all(output.folder(), &items, options.threads, progress)?;
    let tables = tables_of(&items, options, encoder.media())?;
    let mut report = Report {
        videos: items.len(),
        viewers: options.viewers,
        seed: options.seed,
        mp4: encoder.media() == encode::MP4,
        events: tables.events.iter().filter(|byte| **byte == b'\n').count(),
        impressions: tables.impressions,
        clicks: tables.clicks,
        event_bytes: tables.events.len() as u64,
        total_bytes: 0,
    };
    report.total_bytes = media + (tables.videos.len() + tables.events.len()) as u64;
    write(&output.folder().join("videos.jsonl"), &tables.videos)?;
    write(&output.folder().join("events.jsonl"), &tables.events)?;
    write(
        &output.folder().join(output::MARKER),
        &serde_json::to_vec_pretty(&report)?,
    )?;
    output.publish()?;
    Ok(report)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}
