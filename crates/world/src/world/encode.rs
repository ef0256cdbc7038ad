//! Media files: an mp4 or a folder of frames, a thumbnail, and a strip of stills for playing on hover.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use image::{RgbImage, codecs::jpeg::JpegEncoder, imageops};

use super::Options;
use super::catalogue::Item;
use crate::pairs::{FRAME_HEIGHT, FRAME_WIDTH, even_moments};
use crate::parallel;
use crate::render::Renderer;

/// How `contentUrl` ends where the media are mp4 files.
pub(super) const MP4: &str = ".mp4";
/// How `contentUrl` ends where the media are folders of frames.
const FRAMES: &str = "";

const FRAMES_PER_SECOND: &str = "8";
const PREVIEW_WIDTH: u32 = 240;
const PREVIEW_HEIGHT: u32 = 135;
const PREVIEW_STILLS: usize = 8;
const THUMB_QUALITY: u8 = 86;
const PREVIEW_QUALITY: u8 = 78;
/// The thumbnail shows the middle of the loop, where drifting things are centred.
const THUMB_MOMENT: f32 = 0.5;

/// Videos that one run of ffmpeg encodes: starting it takes longer than encoding a video.
const BATCH: usize = 20;

/// Writes the media of videos; shared by all threads.
pub(super) struct Encoder {
    frames: usize,
    mp4: bool,
}

impl Encoder {
    /// mp4 if asked for and possible here.
    pub(super) fn choose(options: &Options) -> Result<Self> {
        Ok(Self {
            frames: options.frames,
            mp4: options.mp4 && has_x264()?,
        })
    }

    /// How `contentUrl` ends.
    pub(super) fn media(&self) -> &'static str {
        if self.mp4 { MP4 } else { FRAMES }
    }

    /// Draws and writes the media, thumbnail and preview of every item into the folder `world`; returns their
    /// bytes. `done` is called with 1 for each video.
    pub(super) fn write_all(
        &self,
        world: &Path,
        items: &[Item],
        threads: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<u64> {
        for name in ["media", "thumbs", "previews"] {
            fs::create_dir(world.join(name))
                .with_context(|| format!("making {name} in {}", world.display()))?;
        }
        let batches: Vec<&[Item]> = items.chunks(BATCH).collect();
        let bytes = parallel::map(&batches, threads, |batch| self.write_batch(world, batch, done))?;
        Ok(bytes.iter().sum())
    }

    fn write_batch(&self, world: &Path, items: &[Item], done: &(dyn Fn(usize) + Sync)) -> Result<u64> {
        let media = world.join("media");
        let mut x264 = match items.first() {
            Some(first) if self.mp4 => Some(X264::start(&media, first.number, items.len(), self.frames)?),
            _ => None,
        };
        let mut bytes = 0;
        for item in items {
            let renderer = Renderer::new(&item.scene, FRAME_WIDTH, FRAME_HEIGHT)?;
            let frames = even_moments(self.frames)
                .into_iter()
                .map(|moment| renderer.frame(moment));
            match &mut x264 {
                Some(x264) => frames.into_iter().try_for_each(|frame| x264.push(&frame))?,
                None => bytes += write_frames(&media.join(&item.id), frames)?,
            }
            let thumb = picture(renderer.frame(THUMB_MOMENT), FRAME_WIDTH, FRAME_HEIGHT)?;
            bytes += write_jpeg(
                &world.join("thumbs").join(format!("{}.jpg", item.id)),
                &thumb,
                THUMB_QUALITY,
            )?;
            let strip = preview(item)?;
            bytes += write_jpeg(
                &world.join("previews").join(format!("{}.jpg", item.id)),
                &strip,
                PREVIEW_QUALITY,
            )?;
            done(1);
        }
        if let Some(x264) = x264 {
            x264.finish()?;
            for item in items {
                let path = media.join(format!("{}{MP4}", item.id));
                bytes += fs::metadata(&path)
                    .with_context(|| format!("ffmpeg ended well but wrote no {}", path.display()))?
                    .len();
            }
        }
        Ok(bytes)
    }
}

fn picture(rgb: Vec<u8>, width: u32, height: u32) -> Result<RgbImage> {
    RgbImage::from_raw(width, height, rgb).context("a frame has the wrong length")
}

fn write_frames(folder: &Path, frames: impl Iterator<Item = Vec<u8>>) -> Result<u64> {
    fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
    let mut bytes = 0;
    for (index, frame) in frames.enumerate() {
        let picture = picture(frame, FRAME_WIDTH, FRAME_HEIGHT)?;
        bytes += write_jpeg(&folder.join(format!("{index:03}.jpg")), &picture, THUMB_QUALITY)?;
    }
    Ok(bytes)
}

/// [`PREVIEW_STILLS`] frames of the loop beside each other.
fn preview(item: &Item) -> Result<RgbImage> {
    let mut strip = RgbImage::new(PREVIEW_WIDTH * PREVIEW_STILLS as u32, PREVIEW_HEIGHT);
    let renderer = Renderer::new(&item.scene, PREVIEW_WIDTH, PREVIEW_HEIGHT)?;
    for (still, moment) in even_moments(PREVIEW_STILLS).into_iter().enumerate() {
        let frame = picture(renderer.frame(moment), PREVIEW_WIDTH, PREVIEW_HEIGHT)?;
        imageops::replace(&mut strip, &frame, i64::from(PREVIEW_WIDTH) * still as i64, 0);
    }
    Ok(strip)
}

fn write_jpeg(path: &Path, picture: &RgbImage, quality: u8) -> Result<u64> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .with_context(|| format!("encoding {}", path.display()))?;
    fs::write(path, &bytes).with_context(|| format!("writing {}", path.display()))?;
    Ok(bytes.len() as u64)
}

/// Whether ffmpeg is on the path and can write H.264.
fn has_x264() -> Result<bool> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-hide_banner", "-loglevel", "error", "-encoders"])
        .stdin(Stdio::null());
    match command.output() {
        Ok(output) => Ok(output.status.success() && contains(&output.stdout, b"libx264")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => {
            Err(error).context("ffmpeg is on the path but does not start; pass --no-mp4 to do without")
        }
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// One run of ffmpeg, which cuts a stream of raw RGB frames into mp4 files of equal length. One thread and
/// bit-exact flags: the same frames give the same files.
struct X264 {
    child: Child,
    errors: File,
}

impl X264 {
    /// Starts a run that writes `count` files of `frames` frames into `folder`, from `v<first>.mp4` on.
    fn start(folder: &Path, first: usize, count: usize, frames: usize) -> Result<Self> {
        // Into a file: a full pipe would stop ffmpeg while we are still writing to it.
        let errors = tempfile::tempfile().context("making a file for ffmpeg's messages")?;
        let size = format!("{FRAME_WIDTH}x{FRAME_HEIGHT}");
        let cuts: Vec<String> = (1..=count).map(|file| (file * frames).to_string()).collect();
        let group = frames.to_string();
        let child = Command::new("ffmpeg")
            .current_dir(folder)
            .args(["-hide_banner", "-loglevel", "error", "-y"])
            .args([
                "-f",
                "rawvideo",
                "-pix_fmt",
                "rgb24",
                "-s",
                &size,
                "-r",
                FRAMES_PER_SECOND,
                "-i",
                "pipe:0",
            ])
            .args([
                "-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast", "-crf", "23", "-threads",
                "1",
            ])
            // A key frame at each cut and nowhere else; no B-frames, so that every file starts at time 0.
            .args([
                "-g",
                &group,
                "-keyint_min",
                &group,
                "-sc_threshold",
                "0",
                "-bf",
                "0",
            ])
            .args([
                "-fflags",
                "+bitexact",
                "-flags:v",
                "+bitexact",
                "-map_metadata",
                "-1",
            ])
            .args([
                "-f",
                "segment",
                "-segment_frames",
                &cuts.join(","),
                "-reset_timestamps",
                "1",
            ])
            .args([
                "-segment_start_number",
                &first.to_string(),
                "-segment_format",
                "mp4",
            ])
            .args(["-segment_format_options", "movflags=+faststart:fflags=+bitexact"])
            .arg(format!("v%05d{MP4}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(
                errors
                    .try_clone()
                    .context("sharing the file for ffmpeg's messages")?,
            )
            .spawn()
            .context("starting ffmpeg; pass --no-mp4 to do without")?;
        Ok(Self { child, errors })
    }

    fn push(&mut self, frame: &[u8]) -> Result<()> {
        let Some(pipe) = &mut self.child.stdin else {
            bail!("ffmpeg has no input")
        };
        if let Err(error) = pipe.write_all(frame) {
            // It stopped reading: its own message says why.
            let status = self.child.wait().context("waiting for ffmpeg")?;
            return Err(error).context(format!("ffmpeg stopped early ({status}): {}", self.message()));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait().context("waiting for ffmpeg")?;
        ensure!(
            status.success(),
            "ffmpeg failed ({status}): {}; pass --no-mp4 to do without",
            self.message()
        );
        Ok(())
    }

    fn message(&mut self) -> String {
        let mut text = String::new();
        let read = self
            .errors
            .rewind()
            .and_then(|()| self.errors.read_to_string(&mut text));
        read.map_or_else(
            |error| format!("its message can't be read: {error}"),
            |_| text.trim().to_owned(),
        )
    }
}

impl Drop for X264 {
    fn drop(&mut self) {
        // After an error nobody waits for the files. Both calls do nothing for a run that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
