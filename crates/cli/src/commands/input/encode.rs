//! Vector generation: media → key frames → CLIP → one unit vector a video.

use super::{Input, InputArgs, catalogue};
use crate::media::{self, Picture};
use crate::model::ModelDir;
use crate::{progress, sprites};
use anyhow::{Context, Result, bail, ensure};
use image::RgbImage;
use recsys_core::catalogue::Video;
use recsys_core::clip::tower::Scratch;
use recsys_core::clip::{ClipError, ImageEncoder, TextEncoder};
use recsys_core::items::dictionaries::Dictionaries;
use recsys_core::vector::{UnitVector, mean_direction};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A video's vector and still.
struct Encoded {
    vector: Vec<f32>,
    still: Option<RgbImage>,
}

/// Encodes every video of a catalogue.
pub fn catalogue(args: &InputArgs, path: &Path, known: Option<&Dictionaries>) -> Result<Input> {
    ensure!(
        (0.0..=1.0).contains(&args.title_weight),
        "--title-weight {}: expected 0 to 1",
        args.title_weight
    );
    let mut videos = catalogue::read(path)?;
    let base = path.parent().unwrap_or(Path::new("."));
    let model = ModelDir::open(&args.model)?;
    let (text, image) = (model.text()?, model.image()?);
    let bar = progress::bar("encode", videos.len());

    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Encoded>>>> = Mutex::new(videos.iter().map(|_| None).collect());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = || {
        let mut scratch = Scratch::default();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(video) = videos.get(i) else { break };
            let encoded = encode(video, base, args, (&text, &image), &mut scratch);
            if let Ok(mut results) = results.lock()
                && let Some(slot) = results.get_mut(i)
            {
                *slot = Some(encoded);
            }
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..args.threads.unwrap_or(cores).clamp(1, 256) {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();

    let results = results
        .into_inner()
        .map_err(|_| anyhow::anyhow!("a worker thread failed"))?;
    let mut encoded = Vec::with_capacity(results.len());
    let mut failures = Vec::new();
    let mut kept = vec![true; videos.len()];
    for ((video, result), kept) in videos.iter().zip(results).zip(&mut kept) {
        match result.context("not encoded").and_then(|r| r) {
            Ok(one) => encoded.push(one),
            Err(error) => {
                failures.push(format!("video {:?}: {error:#}", video.id.as_str()));
                *kept = false;
            }
        }
    }
    report(&failures, args.skip_bad)?;
    ensure!(!encoded.is_empty(), "no video could be encoded");
    let mut keep = kept.iter();
    videos.retain(|_| *keep.next().unwrap_or(&false));

    let (mut records, dictionaries) = catalogue::records(&videos, known)?;
    let dim = model.model().dim as usize;
    let vectors = encoded.iter().flat_map(|e| e.vector.iter().copied()).collect();
    let mut stills = Vec::new();
    for (record, one) in records.iter_mut().zip(encoded) {
        if let Some(still) = one.still {
            record.cell = u32::try_from(stills.len())?;
            stills.push(still);
        }
    }
    Ok(Input {
        records,
        dictionaries,
        vectors,
        dim,
        encoder: Some(model.reference()),
        stills,
    })
}

/// Names the failures; an error unless they may be left out.
fn report(failures: &[String], skip: bool) -> Result<()> {
    const SHOWN: usize = 10;
    if failures.is_empty() {
        return Ok(());
    }
    let mut list = failures
        .iter()
        .take(SHOWN)
        .map(|f| format!("\n  {f}"))
        .collect::<String>();
    if failures.len() > SHOWN {
        list.push_str(&format!("\n  … and {} more", failures.len() - SHOWN));
    }
    if skip {
        eprintln!("left out {} video(s):{list}", failures.len());
        return Ok(());
    }
    bail!(
        "{} video(s) cannot be indexed; mend them, or leave them out with --skip-bad:{list}",
        failures.len()
    )
}

fn encode(
    video: &Video,
    base: &Path,
    args: &InputArgs,
    (text, image): (&TextEncoder, &ImageEncoder),
    scratch: &mut Scratch,
) -> Result<Encoded> {
    let Some(url) = &video.content_url else {
        bail!("it has no `contentUrl`; give it a file beside the catalogue");
    };
    ensure!(
        !url.contains("://"),
        "`contentUrl` {url}: expected a path; fetch the media first"
    );
    let frames = media::key_frames(&base.join(url), args.frames.into())?;
    let still = frames.get(frames.len() / 2).and_then(sprites::still);
    let mut vector = mean_of_frames(&frames, image, scratch)?;
    match text.encode(&video.name, scratch) {
        Ok(title) => {
            for (v, t) in vector.iter_mut().zip(title) {
                *v = *v * (1.0 - args.title_weight) + t * args.title_weight;
            }
        }
        // A title in words that the model does not know says nothing; the frames do.
        Err(ClipError::NoKnownWord(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Encoded {
        vector: UnitVector::new(vector)?.into_vec(),
        still,
    })
}

/// The direction of the mean of the frames' vectors.
fn mean_of_frames(frames: &[Picture], image: &ImageEncoder, scratch: &mut Scratch) -> Result<Vec<f32>> {
    let vectors = frames
        .iter()
        .map(|frame| {
            let vector = image.encode(&frame.rgb, frame.width, frame.height, scratch)?;
            Ok(UnitVector::new(vector)?)
        })
        .collect::<Result<Vec<_>>>()?;
    let mean = mean_direction(&vectors).context("its frames cancel each other out")?;
    Ok(mean.into_vec())
}
