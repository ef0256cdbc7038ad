//! Pictures and key frames as 8-bit RGB.

use anyhow::{Context, Result, bail, ensure};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// The most bytes of a picture file.
const MAX_PICTURE_BYTES: u64 = 64 << 20;
/// The most pixels of a picture or frame.
const MAX_PIXELS: u64 = 64 << 20;

/// A picture, 8-bit RGB, row by row.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// height × width × 3 bytes.
    pub rgb: Vec<u8>,
}

/// Decodes a picture file.
///
/// # Errors
/// It cannot be read, is too large, or is no JPEG, PNG, WebP or GIF.
pub fn picture(path: &Path) -> Result<Picture> {
    let at = || path.display().to_string();
    let length = std::fs::metadata(path)
        .with_context(|| format!("{}: cannot read it", at()))?
        .len();
    ensure!(
        length <= MAX_PICTURE_BYTES,
        "{}: {length} bytes, at most {MAX_PICTURE_BYTES} are allowed",
        at()
    );
    let bytes = std::fs::read(path).with_context(|| format!("{}: cannot read it", at()))?;
    decode(&bytes).with_context(at)
}

/// Decodes a picture's bytes.
fn decode(bytes: &[u8]) -> Result<Picture> {
    const EXPECTED: &str = "expected a JPEG, PNG, WebP or GIF picture";
    let mut reader = image::ImageReader::new(std::io::Cursor::new(bytes))
        .with_guessed_format()
        .context(EXPECTED)?;
    ensure!(
        reader.format().is_some(),
        "{EXPECTED}, found {} bytes of something else",
        bytes.len()
    );
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 4);
    reader.limits(limits);
    let rgb = reader.decode().context(EXPECTED)?.into_rgb8();
    Ok(Picture {
        width: rgb.width(),
        height: rgb.height(),
        rgb: rgb.into_raw(),
    })
}

/// Up to `count` frames, evenly spread, of a video file, or the pictures of a folder in the order of their names.
///
/// # Errors
/// Nothing can be read, there is no video stream, or ffmpeg is missing where it is needed.
pub fn key_frames(path: &Path, count: usize) -> Result<Vec<Picture>> {
    if path.is_dir() {
        return folder(path, count);
    }
    let known = ["jpg", "jpeg", "png", "webp", "gif"];
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    if known.contains(&extension.as_str()) {
        return Ok(vec![picture(path)?]);
    }
    video(path, count)
}

fn folder(path: &Path, count: usize) -> Result<Vec<Picture>> {
    let at = || path.display().to_string();
    let entries = std::fs::read_dir(path).with_context(at)?;
    let mut files: Vec<_> = entries.collect::<std::io::Result<Vec<_>>>().with_context(at)?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    ensure!(
        !files.is_empty(),
        "{}: expected pictures, found an empty folder",
        at()
    );
    let taken = count.min(files.len()).max(1);
    // The middle of each of `taken` equal parts.
    (0..taken)
        .filter_map(|i| files.get((2 * i + 1) * files.len() / (2 * taken)))
        .map(|f| picture(&f.path()))
        .collect()
}

/// What ffprobe says of the first video stream.
struct Stream {
    width: u32,
    height: u32,
    seconds: f64,
}

fn video(path: &Path, count: usize) -> Result<Vec<Picture>> {
    let at = || path.display().to_string();
    ensure!(
        path.is_file(),
        "{}: no such file; check `contentUrl` in the catalogue",
        at()
    );
    let stream = probe(path)?;
    // One frame out of each of `count` equal parts. A stream of unknown length gives its first frames.
    let filter = match stream.seconds {
        s if s.is_finite() && s > 0.0 => format!("fps={count}/{s}:start_time=0:round=near"),
        _ => "null".to_owned(),
    };
    let mut child = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-noautorotate", "-threads", "1", "-i"])
        .arg(format!("file:{}", path.display()))
        .args(["-map", "0:v:0", "-vf", &filter, "-frames:v", &count.to_string()])
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(FFMPEG)?;
    let frame_bytes = stream.width as usize * stream.height as usize * 3;
    let mut frames = Vec::new();
    let mut output = child.stdout.take().context("ffmpeg has no output")?;
    for _ in 0..count {
        let mut rgb = vec![0; frame_bytes];
        if output.read_exact(&mut rgb).is_err() {
            break;
        }
        frames.push(Picture {
            width: stream.width,
            height: stream.height,
            rgb,
        });
    }
    drop(output);
    let done = child.wait_with_output().context("ffmpeg")?;
    if frames.is_empty() {
        bail!("{}: ffmpeg gave no frame: {}", at(), first_line(&done.stderr));
    }
    Ok(frames)
}

const FFMPEG: &str =
    "ffmpeg and ffprobe are needed to read videos; install them (Debian: apt-get install ffmpeg)";

fn probe(path: &Path) -> Result<Stream> {
    let at = || path.display().to_string();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries"])
        .args(["stream=width,height:format=duration", "-of", "json"])
        .arg(format!("file:{}", path.display()))
        .stdin(Stdio::null())
        .output()
        .context(FFMPEG)?;
    if !output.status.success() {
        bail!(
            "{}: expected a video that ffmpeg can read: {}",
            at(),
            first_line(&output.stderr)
        );
    }
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).with_context(at)?;
    let side = |name| {
        info.pointer(&format!("/streams/0/{name}"))
            .and_then(serde_json::Value::as_u64)
    };
    let (Some(width), Some(height)) = (side("width"), side("height")) else {
        bail!(
            "{}: expected a video stream, found none; remove the entry or give it a video",
            at()
        );
    };
    ensure!(
        width > 0 && height > 0 && width.saturating_mul(height) <= MAX_PIXELS,
        "{}: {width}×{height} pixels",
        at()
    );
    let seconds = info
        .pointer("/format/duration")
        .and_then(|d| d.as_str())
        .and_then(|d| d.parse().ok());
    Ok(Stream {
        width: width.try_into()?,
        height: height.try_into()?,
        seconds: seconds.unwrap_or(f64::NAN),
    })
}

fn first_line(stderr: &[u8]) -> String {
    String::from_utf8_lossy(stderr)
        .lines()
        .next()
        .unwrap_or("no message")
        .to_owned()
}
