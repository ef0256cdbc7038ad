//! What ffprobe says of a file.

use super::process::{Next, Program};
use super::{Facts, MAX_PIXELS};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// How the names of video files end.
pub const VIDEO_ENDINGS: [&str; 25] = [
    "3g2", "3gp", "asf", "avi", "divx", "f4v", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg",
    "mts", "mxf", "ogm", "ogv", "qt", "rm", "ts", "vob", "webm", "wmv", "y4m",
];

/// The first video stream that is no cover picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Width as a viewer sees it, in pixels: turned, and with square pixels.
    pub width: u32,
    /// Height as a viewer sees it.
    pub height: u32,
    /// Pixels of a frame as they are coded.
    pub pixels: u64,
    /// Frames a second, where that is known.
    pub rate: Option<f64>,
    /// Players take its colours for those of ITU-R BT.709, though it does not say so.
    pub bt709: bool,
    pub facts: Facts,
}

/// How a path is given to ffmpeg: never an option, a URL or a pattern.
pub fn input(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

/// Options of both programs: what a playlist names elsewhere is not fetched.
pub const SAFE: [&str; 4] = ["-v", "error", "-protocol_whitelist", "file,pipe"];

/// Asks ffprobe.
///
/// # Errors
/// It is no file that ffmpeg can read, has no video, or takes too long.
pub fn probe(path: &Path, deadline: Instant) -> Result<Stream> {
    const MAX_ANSWER: usize = 1 << 20;
    const LATE: &str =
        "ffprobe took too long; give it more with --media-timeout SECONDS, or convert the file";
    let mut command = Command::new("ffprobe");
    command
        .args(SAFE)
        .args(["-select_streams", "V:0", "-show_entries"]);
    command.arg(
        "stream=width,height,sample_aspect_ratio,color_space,avg_frame_rate,duration,pix_fmt\
         :stream_tags=rotate:stream_side_data=rotation\
         :format=duration:format_tags=title,description,creation_time",
    );
    command.args(["-of", "json"]).arg(input(path));
    let mut program = Program::start(&mut command, 1 << 16, deadline)?;
    let mut answer = Vec::new();
    loop {
        match program.next(&program.output) {
            Next::Some(piece) => answer.extend(piece),
            Next::End => break,
            Next::Late => bail!(LATE),
        }
        ensure!(
            answer.len() <= MAX_ANSWER,
            "ffprobe says more than {MAX_ANSWER} bytes of it"
        );
    }
    match program.wait()? {
        None => bail!(LATE),
        Some(status) if !status.success() => bail!("{}", unreadable(&program)),
        Some(_) => read(&answer),
    }
}

/// Why ffprobe could not read it, and what to do.
fn unreadable(program: &Program) -> String {
    let mut said: Vec<String> = program.messages.iter().take(20).collect();
    said.dedup();
    let said = said.iter().map(|line| cause(line)).collect::<Vec<_>>().join("; ");
    let remedy = match said.contains("moov atom not found") {
        true => "it is cut off, or not finished: copy or export it again",
        false => "convert it, or copy it again if it is damaged",
    };
    format!("expected a video that ffmpeg can read: {said}; {remedy}")
}

/// A message without the program's address in memory, which differs from run to run, and without the file's name, which is
/// said already.
pub fn cause(line: &str) -> &str {
    if let Some(rest) = line.strip_prefix("file:") {
        return rest.rsplit_once(": ").map_or(rest, |(_, cause)| cause);
    }
    match line.split_once("] ") {
        Some((place, cause)) if place.starts_with('[') => cause,
        _ => line,
    }
}

/// Reads ffprobe's answer.
fn read(answer: &[u8]) -> Result<Stream> {
    let info: Value = serde_json::from_slice(answer).context("ffprobe's answer")?;
    let text = |path: &str| info.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let number = |path: &str| {
        text(path)
            .and_then(|t| t.parse().ok())
            .filter(|n: &f64| n.is_finite())
    };
    let side = |name: &str| {
        info.pointer(&format!("/streams/0/{name}"))
            .and_then(Value::as_u64)
            .filter(|n| *n > 0)
    };
    let (Some(width), Some(height)) = (side("width"), side("height")) else {
        bail!("expected a video stream, found none; remove the entry or give it a video");
    };
    let pixels = width.saturating_mul(height);
    ensure!(
        pixels <= MAX_PIXELS,
        "{width}×{height}: at most {MAX_PIXELS} pixels a frame are allowed; convert it to a smaller one"
    );
    let aspect = text("/streams/0/sample_aspect_ratio").and_then(|t| ratio(&t, ':'));
    let aspect = aspect.filter(|a| (0.05..=20.0).contains(a)).unwrap_or(1.0);
    let (mut shown, mut tall) = (
        ((width as f64 * aspect).round() as u32).max(1),
        u32::try_from(height)?,
    );
    if turn(&info).rem_euclid(180.0) == 90.0 {
        (shown, tall) = (tall, shown);
    }
    let unnamed = text("/streams/0/color_space").is_none_or(|space| space == "unknown");
    let yuv = text("/streams/0/pix_fmt").is_some_and(|format| format.contains("yuv"));
    let seconds = number("/streams/0/duration").or_else(|| number("/format/duration"));
    let tag = |name: &str| {
        let tag = text(&format!("/format/tags/{name}"))?;
        let tag = tag.trim();
        (!tag.is_empty()).then(|| tag.to_owned())
    };
    Ok(Stream {
        width: shown,
        height: tall,
        pixels,
        rate: text("/streams/0/avg_frame_rate").and_then(|t| ratio(&t, '/')),
        // Players go by the size where the file says nothing.
        bt709: unnamed && yuv && height >= 720,
        facts: Facts {
            seconds: seconds.filter(|s| *s > 0.0),
            title: tag("title"),
            description: tag("description"),
            created: tag("creation_time"),
            fault: None,
        },
    })
}

/// A fraction above 0.
fn ratio(text: &str, sign: char) -> Option<f64> {
    let (above, below) = text.split_once(sign)?;
    let ratio = above.parse::<f64>().ok()? / below.parse::<f64>().ok()?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// By how many degrees players turn the picture.
fn turn(info: &Value) -> f64 {
    let of_data = info
        .pointer("/streams/0/side_data_list")
        .and_then(Value::as_array);
    let of_data = of_data
        .into_iter()
        .flatten()
        .find_map(|data| data.get("rotation")?.as_f64());
    let of_tag = || {
        let tag = info.pointer("/streams/0/tags/rotate").and_then(Value::as_str)?;
        tag.parse().ok()
    };
    of_data.or_else(of_tag).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_sees_turned_and_square_pixels() {
        let stream = |fields: &str| {
            read(format!("{{\"streams\":[{{\"width\":720,\"height\":576,{fields}}}]}}").as_bytes()).unwrap()
        };
        let sides = |fields: &str| {
            let stream = stream(fields);
            (stream.width, stream.height)
        };
        assert_eq!(sides(r#""sample_aspect_ratio":"64:45""#), (1024, 576));
        assert_eq!(sides(r#""sample_aspect_ratio":"0:1""#), (720, 576));
        assert_eq!(
            sides(r#""side_data_list":[{"x":1},{"rotation":-90}]"#),
            (576, 720)
        );
        assert_eq!(sides(r#""tags":{"rotate":"270"}"#), (576, 720));
        assert_eq!(sides(r#""tags":{"rotate":"180"}"#), (720, 576));
        let known = stream(r#""avg_frame_rate":"30000/1001","duration":"2.5","pix_fmt":"yuv420p""#);
        assert_eq!(known.facts.seconds, Some(2.5));
        assert!((known.rate.unwrap() - 29.97).abs() < 0.01 && !known.bt709);
        let none = stream(r#""avg_frame_rate":"0/0","duration":"N/A""#);
        assert_eq!((none.rate, none.facts.seconds), (None, None));
    }

    #[test]
    fn what_has_no_picture_or_too_large_ones_is_refused() {
        let refused = |answer: &str| read(answer.as_bytes()).unwrap_err().to_string();
        assert!(refused(r#"{"streams":[]}"#).contains("expected a video stream, found none"));
        assert!(refused(r#"{"streams":[{"width":0,"height":2}]}"#).contains("found none"));
        let huge = r#"{"streams":[{"width":1000000,"height":4000000000}]}"#;
        assert!(refused(huge).contains("at most"));
    }

    #[test]
    fn causes_without_addresses_and_names() {
        assert_eq!(
            cause("[mov,mp4 @ 0x55c0] moov atom not found"),
            "moov atom not found"
        );
        assert_eq!(cause("file:a: b.mp4: Invalid data found"), "Invalid data found");
        assert_eq!(cause("else"), "else");
    }
}
