//! Key frames of a video.
//!
//! Short videos are decoded whole: a frame is taken where a scene begins, and where none was taken for some time. Of longer ones
//! only the frames that stand alone in the stream are decoded, and a film is asked for some of those, spread over its length. So
//! time and memory do not grow with the length of the file.

use super::choose::{Candidate, choose, thin};
use super::probe::{SAFE, Stream, cause, input, probe};
use super::process::{Next, Program};
use super::{Facts, Fault, Frame, Options, Picture, deadline};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// How different a frame is from the one before, 0 to 1, where a scene begins.
const SCENE: f64 = 0.3;
/// A video of at most this many pixels, all its frames together, is decoded whole.
const WHOLE: f64 = (1u64 << 30) as f64;
/// One that has hardly any frame that stands alone, up to this many.
const WHOLE_AT_LAST: f64 = 8.0 * WHOLE;
/// Longer ones, in seconds, are asked for frames at even distances.
const FILM: f64 = 1200.0;
/// A file of unknown length is decoded whole up to this many bytes.
const SMALL_FILE: u64 = 8 << 20;
/// Memory for frames to choose from, in bytes, where the frames asked for need no more.
const MEMORY: usize = 64 << 20;
/// The golden ratio's fraction, whose multiples spread evenly.
const GOLDEN: f64 = 0.618_033_988_749_895;
/// How often the model's side goes into the shorter side of a frame, at most.
const REDUCED_TO: u64 = 3;
/// The most pixels of a frame.
const MAX_FRAME_PIXELS: u64 = 16 << 20;

const LATE: &str = "ffmpeg took too long, give it more with --media-timeout SECONDS";

/// What is decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pass {
    /// Every frame.
    Whole,
    /// Those that stand alone in the stream.
    Keys,
    /// The one that stands alone and is nearest before so many seconds.
    At(f64),
}

/// Gives at most `options.frames` frames to `take`.
///
/// # Errors
/// ffmpeg is missing, cannot read the file, or is too slow; or `take` fails.
pub fn key_frames(
    path: &Path,
    options: &Options,
    take: &mut dyn FnMut(Frame) -> Result<()>,
) -> Result<Facts> {
    let deadline = deadline(options)?;
    let stream = probe(path, deadline)?;
    let mut video = Video {
        path,
        size: frame_size(&stream, options.side),
        options,
        deadline,
        fault: None,
        stream,
    };
    let chosen = choose(video.candidates()?, options.frames);
    if chosen.is_empty() {
        let said = video
            .fault
            .map_or("ffmpeg gave no frame".to_owned(), |fault| fault.what);
        bail!("{said}; convert it, or copy it again if it is damaged");
    }
    let middle = |i: usize| i.abs_diff(chosen.len() / 2);
    let still = (0..chosen.len()).max_by(|&a, &b| {
        let weight = |i: usize| chosen.get(i).map_or(0.0, |c| c.weight);
        weight(a).total_cmp(&weight(b)).then(middle(b).cmp(&middle(a)))
    });
    for (i, candidate) in chosen.into_iter().enumerate() {
        take(Frame {
            picture: candidate.picture,
            weight: candidate.weight.max(f32::MIN_POSITIVE),
            cut: candidate.cut,
            still: still == Some(i),
        })?;
    }
    let fault = video.fault;
    Ok(Facts {
        fault,
        ..video.stream.facts
    })
}

/// Width and height in which ffmpeg gives the frames: as a viewer sees them, reduced so far that the model's own reduction, which
/// comes last, is still by [`REDUCED_TO`]. The longer side is rounded down, as the model does, so that its crop is the same.
fn frame_size(stream: &Stream, side: u32) -> (u32, u32) {
    let (width, height) = (u64::from(stream.width), u64::from(stream.height));
    let shorter = width.min(height).max(1);
    // Only where one side is many times the other do the bytes of a frame come first.
    let fits = (MAX_FRAME_PIXELS * shorter / width.max(height)).isqrt();
    let shown = shorter.min(u64::from(side.max(1)) * REDUCED_TO).min(fits.max(1));
    let scaled = |length: u64| u32::try_from((length * shown / shorter).max(1)).unwrap_or(u32::MAX);
    (scaled(width), scaled(height))
}

struct Video<'a> {
    path: &'a Path,
    /// Of the frames that are given.
    size: (u32, u32),
    options: &'a Options,
    deadline: Instant,
    stream: Stream,
    /// The first thing that went wrong.
    fault: Option<Fault>,
}

impl Video<'_> {
    fn candidates(&mut self) -> Result<Vec<Candidate>> {
        let facts = &self.stream.facts;
        let pixels = |seconds: f64| self.stream.rate.unwrap_or(30.0) * seconds * self.stream.pixels as f64;
        let few = self.options.frames.div_ceil(2);
        match facts.seconds {
            Some(seconds) if seconds > FILM => self.film(seconds),
            Some(seconds) if pixels(seconds) <= WHOLE => self.pass(Pass::Whole),
            None if std::fs::metadata(self.path)?.len() <= SMALL_FILE => self.pass(Pass::Whole),
            known => {
                let whole_at_last = known.is_some_and(|seconds| pixels(seconds) <= WHOLE_AT_LAST);
                let keys = self.pass(Pass::Keys)?;
                match keys.len() < few && whole_at_last {
                    true => self.pass(Pass::Whole),
                    false => Ok(keys),
                }
            }
        }
    }

    /// One pass over the file.
    fn pass(&mut self, pass: Pass) -> Result<Vec<Candidate>> {
        let (width, height) = self.size;
        let bytes = width as usize * height as usize * 3;
        let most = (MEMORY / 2 / bytes).clamp(self.options.frames, self.options.frames * 4);
        let mut held: Vec<Candidate> = Vec::new();
        let rate = self.stream.rate.unwrap_or(25.0);
        let mut start = None;
        let mut last = 0.0;
        let ended = self.decode(pass, &mut |picture, mark| {
            // Where the stream has no times, frames follow one another at its rate.
            let next = || last + start.unwrap_or(0.0) + 1.0 / rate;
            let seconds = mark.seconds.unwrap_or_else(next);
            let time = seconds - *start.get_or_insert(seconds);
            if let Some(before) = held.last_mut() {
                before.weight += (time - last).max(0.0) as f32;
            }
            last = time;
            held.push(Candidate::new(picture, mark.scene > SCENE));
            if held.len() >= 2 * most {
                thin(&mut held, most);
            }
        })?;
        self.end(&mut held, last, &ended);
        Ok(held)
    }

    /// Gives the last frame its time, and notes where the file ends too early.
    fn end(&mut self, held: &mut [Candidate], last: f64, ended: &Ended) {
        let n = held.len().max(1) as f64;
        let gap = (last / n).max(0.001);
        let seconds = self.stream.facts.seconds;
        if let Some(candidate) = held.last_mut() {
            candidate.weight += seconds.map_or(gap, |s| (s - last).clamp(0.001, s.max(0.001))) as f32;
        }
        let early = seconds.filter(|s| last + 3.0 * gap < 0.9 * s);
        let why = if ended.late {
            Some(LATE)
        } else {
            ended.said.as_deref()
        };
        match early.zip(why) {
            _ if held.is_empty() => {
                self.fault = why.map(|why| Fault {
                    what: why.to_owned(),
                    passing: ended.late,
                });
            }
            Some((seconds, why)) => {
                // What was not seen stands for nothing.
                if let Some(candidate) = held.last_mut() {
                    candidate.weight = gap as f32;
                }
                self.fault = Some(Fault {
                    what: format!("only the first {last:.0} s of {seconds:.0} s were read: {why}"),
                    passing: ended.late,
                });
            }
            None => {}
        }
    }

    /// Frames at even distances of a long video.
    fn film(&mut self, seconds: f64) -> Result<Vec<Candidate>> {
        let parts = (2 * self.options.frames).clamp(16, self.options.frames.max(64));
        let mut held: Vec<(f64, Candidate)> = Vec::new();
        let (mut late, mut said) = (false, None);
        for part in 0..parts {
            // Not at equal distances: what repeats in a video, such as its chapters' openings, would be met each time.
            let within = 0.25 + 0.5 * (part as f64 * GOLDEN).fract();
            let at = (part as f64 + within) / parts as f64 * seconds;
            let weight = (seconds / parts as f64) as f32;
            let ended = self.decode(Pass::At(at), &mut |picture, mark| {
                let time = at + mark.seconds.unwrap_or(0.0);
                match held.last_mut() {
                    // Two asked for the same frame.
                    Some((before, candidate)) if (time - *before).abs() < 0.001 => candidate.weight += weight,
                    _ => {
                        let mut candidate = Candidate::new(picture, false);
                        candidate.weight = weight;
                        held.push((time, candidate));
                    }
                }
            })?;
            late = ended.late;
            if late {
                self.fault = Some(Fault {
                    what: format!("only the first {at:.0} s of {seconds:.0} s were read: {LATE}"),
                    passing: true,
                });
                break;
            }
            said = said.or(ended.said);
        }
        let found: f32 = held.iter().map(|(_, candidate)| candidate.weight).sum();
        if !late && f64::from(found) < 0.9 * seconds {
            let said = said.unwrap_or_else(|| "ffmpeg gave no frame there".to_owned());
            self.fault = Some(Fault {
                what: format!("only {found:.0} s of {seconds:.0} s could be read: {said}"),
                passing: false,
            });
        }
        Ok(held.into_iter().map(|(_, candidate)| candidate).collect())
    }

    /// Runs ffmpeg.
    fn decode(&self, pass: Pass, each: &mut dyn FnMut(Picture, Mark)) -> Result<Ended> {
        let (width, height) = self.size;
        let bytes = width as usize * height as usize * 3;
        let mut program = Program::start(&mut self.command(pass), bytes, self.deadline)?;
        let mut said = None;
        let late = loop {
            let rgb = match program.next(&program.output) {
                Next::Some(rgb) if rgb.len() == bytes => rgb,
                // Half a frame.
                Next::Some(_) => continue,
                Next::End => break false,
                Next::Late => break true,
            };
            match next_mark(&program, &mut said) {
                Next::Some(mark) => each(Picture { width, height, rgb }, mark),
                Next::End => bail!(
                    "ffmpeg gave a frame without its time: {}",
                    said.unwrap_or_default()
                ),
                Next::Late => break true,
            }
        };
        let late = late || program.wait()?.is_none();
        if !late {
            said = said.or_else(|| program.messages.iter().find_map(complaint));
        }
        Ok(Ended { said, late })
    }

    fn command(&self, pass: Pass) -> Command {
        let (width, height) = self.size;
        // A scene's score is asked for in every pass: without it there would be nothing to print.
        let select = match pass {
            Pass::At(_) => "gte(scene,0)".to_owned(),
            _ => {
                let parts = 3 * self.options.frames;
                let gap = self.stream.facts.seconds.map_or(0.25, |s| s / parts as f64);
                format!("isnan(prev_selected_t)+gte(t-prev_selected_t,{gap:.6})+gt(scene,{SCENE})")
            }
        };
        let matrix = if self.stream.bt709 {
            ":in_color_matrix=bt709"
        } else {
            ""
        };
        let filter = format!(
            "select='{select}',metadata=mode=print:direct=1:file='pipe\\:2',\
             scale={width}:{height}:flags=bicubic+accurate_rnd+full_chroma_int{matrix},format=rgb24,\
             settb=1/25,setpts=N"
        );
        let mut command = Command::new("ffmpeg");
        command.arg("-nostdin").args(SAFE).args(["-threads", "1"]);
        if pass != Pass::Whole {
            command.args(["-skip_frame", "nokey", "-discard", "nokey"]);
        }
        if let Pass::At(seconds) = pass {
            command.args(["-noaccurate_seek", "-ss", &format!("{seconds:.3}")]);
        }
        command.arg("-i").arg(input(self.path));
        command.args(["-map", "0:V:0", "-vf", &filter]);
        if let Pass::At(_) = pass {
            command.args(["-frames:v", "1"]);
        }
        // Each frame once, in 25ths: the rate that the muxer would keep otherwise repeats and drops some.
        command.args(["-r", "25", "-f", "rawvideo", "pipe:1"]);
        command
    }
}

/// What is known of a frame.
struct Mark {
    /// From the start, or from where was asked; `None` where the stream has no times.
    seconds: Option<f64>,
    scene: f64,
}

/// How a pass ended.
struct Ended {
    /// What ffmpeg complained of first.
    said: Option<String>,
    /// It was stopped.
    late: bool,
}

/// The next mark; what else ffmpeg says before it goes to `said`.
fn next_mark(program: &Program, said: &mut Option<String>) -> Next<Mark> {
    let mut seconds = None;
    loop {
        let line = match program.next(&program.messages) {
            Next::Some(line) => line,
            Next::End => return Next::End,
            Next::Late => return Next::Late,
        };
        if let Some(score) = line.strip_prefix("lavfi.scene_score=") {
            let scene = score.parse().unwrap_or(0.0);
            return Next::Some(Mark { seconds, scene });
        }
        match line.split_once("pts_time:") {
            Some((_, time)) => seconds = time.trim().parse().ok(),
            None => *said = said.take().or_else(|| complaint(line)),
        }
    }
}

/// A line that is no mark.
fn complaint(line: String) -> Option<String> {
    let mark = line.is_empty() || line.starts_with("frame:") || line.starts_with("lavfi.");
    (!mark).then(|| cause(&line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::probe::Stream;
    use super::*;

    fn size(width: u32, height: u32, side: u32) -> (u32, u32) {
        let stream = Stream {
            width,
            height,
            pixels: 0,
            rate: None,
            bt709: false,
            facts: Facts::default(),
        };
        frame_size(&stream, side)
    }

    #[test]
    fn frames_are_reduced_as_the_model_would() {
        assert_eq!(size(1280, 720, 64), (341, 192));
        assert_eq!(size(720, 1280, 224), (672, 1194));
        assert_eq!(size(160, 90, 64), (160, 90));
        assert_eq!(size(1, 5000, 64), (1, 5000));
        // What the model makes of the reduced picture has the sides of what it makes of the whole.
        for (width, height) in [(1920, 1080), (1279, 719), (1000, 333), (854, 480), (2000, 999)] {
            let (w, h) = size(width, height, 64);
            assert_eq!((h, 64 * w / h), (192, 64 * width / height));
        }
    }

    #[test]
    fn no_frame_is_larger_than_its_limit() {
        for (width, height) in [
            (u32::MAX, 1),
            (32_768, 2_000),
            (20_000, 20_000),
            (1, 1),
            (70_000, 4_000),
        ] {
            let (w, h) = size(width, height, 1024);
            assert!(
                w >= 1 && h >= 1 && u64::from(w) * u64::from(h) <= MAX_FRAME_PIXELS + u64::from(w.max(h))
            );
        }
    }
}
