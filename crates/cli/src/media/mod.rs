//! Media as pictures: picture files, key frames of videos, folders of pictures.

mod choose;
mod frames;
mod hash;
mod probe;
mod process;

pub use hash::content_hash;
pub use probe::VIDEO_ENDINGS;
pub use recsys_core::clip::picture::Picture;

use anyhow::{Context, Result, bail, ensure};
use recsys_core::clip::picture::{PictureError, PictureLimits, is_picture};
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// The most bytes of a picture file.
const MAX_PICTURE_BYTES: u64 = 64 << 20;
/// The most pixels of a picture or of a video's frame.
const MAX_PIXELS: u64 = PictureLimits::NATIVE.pixels;

/// What is asked of media.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most frames of a video, or pictures of a folder; at least 1.
    pub frames: usize,
    /// Width and height of the model's input in pixels.
    pub side: u32,
    /// How long reading one video may take.
    pub timeout: Duration,
}

/// A picture of a video.
pub struct Frame {
    pub picture: Picture,
    /// The time that it stands for; only its ratio to that of the others counts. Above 0.
    pub weight: f32,
    /// A scene begins within that time.
    pub cut: bool,
    /// It is the one to show.
    pub still: bool,
}

/// What a video's file says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub seconds: Option<f64>,
    /// `title` and `description` of the container.
    pub title: Option<String>,
    pub description: Option<String>,
    /// `creation_time` of the container.
    pub created: Option<String>,
    /// What is wrong with it, though it could be read.
    pub fault: Option<Fault>,
}

/// Why only a part of a video was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub what: String,
    /// It was a matter of time; the next run may see more.
    pub passing: bool,
}

/// Gives the key frames of a video, a picture file, or pictures out of a folder to `take`, in their order.
///
/// # Errors
/// Nothing can be read, ffmpeg is missing where it is needed, or `take` fails.
pub fn key_frames(
    path: &Path,
    options: &Options,
    take: &mut dyn FnMut(Frame) -> Result<()>,
) -> Result<Facts> {
    let at = || path.display().to_string();
    if check(path)?.is_dir() {
        return folder(path, options, take).map(|()| Facts::default());
    }
    let refused = match still(path)? {
        Ok(picture) => {
            take(Frame {
                picture,
                weight: 1.0,
                cut: false,
                still: true,
            })?;
            return Ok(Facts::default());
        }
        Err(refused) => refused,
    };
    // What is no picture that is read here may be one that ffmpeg reads, or a video.
    let read = frames::key_frames(path, options, take);
    match refused {
        Some(refused) => read.map_err(|error| error.context(refused).context(at())),
        None => read.with_context(at),
    }
}

/// Refuses what is neither a folder nor a file with something in it.
///
/// # Errors
/// It is missing, empty, or something else.
pub fn check(path: &Path) -> Result<Metadata> {
    let at = || path.display().to_string();
    let found = std::fs::metadata(path);
    let found =
        found.with_context(|| format!("{}: no such file; check `contentUrl` in the catalogue", at()))?;
    ensure!(
        found.is_file() || found.is_dir(),
        "{}: expected a file or a folder",
        at()
    );
    ensure!(
        found.is_dir() || found.len() > 0,
        "{}: the file is empty; copy it again",
        at()
    );
    Ok(found)
}

/// Decodes a picture file, or one of another format through ffmpeg.
///
/// # Errors
/// It cannot be read, is too large, or is no picture.
pub fn picture(path: &Path, options: &Options) -> Result<Picture> {
    let mut first = None;
    let one = Options {
        frames: 1,
        ..*options
    };
    key_frames(path, &one, &mut |frame| {
        first.get_or_insert(frame.picture);
        Ok(())
    })?;
    first.with_context(|| format!("{}: expected a picture", path.display()))
}

/// A picture file's picture; why not, where it is of a kind that ffmpeg may read, and nothing where it does not look like a
/// picture at all.
fn still(path: &Path) -> Result<Result<Picture, Option<PictureError>>> {
    let at = || path.display().to_string();
    let mut file = File::open(path).with_context(|| format!("{}: cannot read it", at()))?;
    let mut start = Vec::new();
    file.by_ref().take(16).read_to_end(&mut start).with_context(at)?;
    let ending = path.extension().and_then(|e| e.to_str());
    let ending = ending.unwrap_or_default().to_ascii_lowercase();
    let named_so = [
        "jpg", "jpeg", "png", "webp", "gif", "avif", "heic", "bmp", "tif", "tiff",
    ];
    if !is_picture(&start) {
        let decoded = Picture::decode(&start, &PictureLimits::NATIVE);
        return Ok(Err(decoded.err().filter(|_| named_so.contains(&ending.as_str()))));
    }
    let length = file.metadata().with_context(at)?.len();
    ensure!(
        length <= MAX_PICTURE_BYTES,
        "{}: {length} bytes, at most {MAX_PICTURE_BYTES} are allowed in a picture",
        at()
    );
    let mut bytes = start;
    file.take(MAX_PICTURE_BYTES)
        .read_to_end(&mut bytes)
        .with_context(at)?;
    match Picture::decode(&bytes, &PictureLimits::NATIVE) {
        Ok(picture) => Ok(Ok(picture)),
        Err(error @ PictureError::Format(_)) => Ok(Err(Some(error))),
        Err(error) => Err(error).with_context(at),
    }
}

/// Pictures out of a folder, the middle of each of equal parts, in the order of their names.
fn folder(path: &Path, options: &Options, take: &mut dyn FnMut(Frame) -> Result<()>) -> Result<()> {
    let files = hash::files(path)?;
    let taken = options.frames.min(files.len()).max(1);
    let chosen: Vec<_> = (0..taken)
        .filter_map(|i| files.get((2 * i + 1) * files.len() / (2 * taken)))
        .collect();
    let middle = chosen.len() / 2;
    for (i, file) in chosen.into_iter().enumerate() {
        take(Frame {
            picture: picture(file, options)?,
            weight: 1.0,
            cut: false,
            still: i == middle,
        })?;
    }
    Ok(())
}

/// When a file's time is over.
fn deadline(options: &Options) -> Result<Instant> {
    match Instant::now().checked_add(options.timeout) {
        Some(deadline) => Ok(deadline),
        None => bail!("--media-timeout {}: too long", options.timeout.as_secs()),
    }
}
