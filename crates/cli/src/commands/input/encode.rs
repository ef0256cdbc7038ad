//! Vector generation: media → key frames → CLIP → one unit vector a video.

use super::folder::{self, Medium};
use super::vector::{Encoded, Encoder, Texts};
use super::{Input, InputArgs, catalogue};
use crate::model::ModelDir;
use crate::progress;
use anyhow::{Context, Result, bail, ensure};
use recsys_core::catalogue::Video;
use recsys_core::clip::tower::Scratch;
use recsys_core::items::dictionaries::Dictionaries;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Encodes every video of a catalogue, whose media are relative to `base`.
pub fn catalogue(args: &InputArgs, path: &Path, base: &Path, known: Option<&Dictionaries>) -> Result<Input> {
    let videos = catalogue::read(path)?;
    let media = videos.into_iter().map(|video| Medium {
        path: content(&video, base),
        video,
        described: true,
    });
    all(args, media.collect(), known)
}

/// Encodes every video of a folder.
pub fn folder(args: &InputArgs, path: &Path, known: Option<&Dictionaries>) -> Result<Input> {
    all(args, folder::scan(path)?, known)
}

/// Where a video's media are.
fn content(video: &Video, base: &Path) -> Result<PathBuf> {
    let Some(url) = &video.content_url else {
        bail!("it has no `contentUrl`; give it a file beside the catalogue");
    };
    ensure!(
        !url.contains("://"),
        "`contentUrl` {url}: expected a path; fetch the media first"
    );
    Ok(base.join(url))
}

fn all(args: &InputArgs, mut media: Vec<Medium>, known: Option<&Dictionaries>) -> Result<Input> {
    let model = ModelDir::open(&args.model)?;
    let encoder = Encoder::new(args, &model)?;
    let results = encode(args, &encoder, &media)?;

    let mut encoded = Vec::with_capacity(results.len());
    let (mut failures, mut faults) = (Vec::new(), Vec::new());
    let mut kept = vec![true; media.len()];
    for ((medium, result), kept) in media.iter_mut().zip(results).zip(&mut kept) {
        let id = medium.video.id.as_str();
        match result {
            Ok(one) => {
                if let Some(fault) = &one.facts.fault {
                    faults.push(format!("video {id:?}: {}", fault.what));
                }
                if !medium.described {
                    folder::describe(&mut medium.video, &one.facts);
                }
                encoded.push(one);
            }
            Err(error) => {
                failures.push(format!("video {id:?}: {error:#}"));
                *kept = false;
            }
        }
    }
    let from_cache = encoded.iter().filter(|one| one.from_cache).count();
    eprintln!(
        "{} encoded, {from_cache} from the cache, {} failed",
        encoded.len() - from_cache,
        failures.len()
    );
    if !faults.is_empty() {
        eprintln!("{} video(s) are indexed in part:{}", faults.len(), list(&faults));
    }
    report(&failures, args.skip_bad)?;
    ensure!(!encoded.is_empty(), "no video could be encoded");
    let mut keep = kept.iter();
    media.retain(|_| *keep.next().unwrap_or(&false));
    let videos: Vec<Video> = media.into_iter().map(|medium| medium.video).collect();
    input(&model, &videos, encoded, known)
}

/// Encodes the media on several threads; the results are in their order.
fn encode(args: &InputArgs, encoder: &Encoder, media: &[Medium]) -> Result<Vec<Result<Encoded>>> {
    let bar = progress::bar("encode", media.len());
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Encoded>>>> = Mutex::new(media.iter().map(|_| None).collect());
    let work = || {
        let mut scratch = Scratch::default();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(medium) = media.get(i) else { break };
            let texts = Texts {
                name: &medium.video.name,
                description: medium.video.description.as_deref(),
                container_first: !medium.described,
            };
            let encoded = match &medium.path {
                Ok(path) => encoder.encode(path, &texts, &mut scratch),
                Err(error) => Err(anyhow::anyhow!("{error:#}")),
            };
            if let Ok(mut results) = results.lock()
                && let Some(slot) = results.get_mut(i)
            {
                *slot = Some(encoded);
            }
            bar.inc(1);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..args.threads.unwrap_or(cores).clamp(1, 256) {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let results = results
        .into_inner()
        .map_err(|_| anyhow::anyhow!("a worker thread failed"))?;
    let each = results.into_iter();
    Ok(each
        .map(|result| result.context("not encoded").and_then(|r| r))
        .collect())
}

fn input(
    model: &ModelDir,
    videos: &[Video],
    encoded: Vec<Encoded>,
    known: Option<&Dictionaries>,
) -> Result<Input> {
    let made_of: Vec<_> = encoded.iter().map(|one| one.made_of.clone()).collect();
    let (mut records, dictionaries) = catalogue::records(videos, &made_of, known)?;
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
        dim: model.model().dim as usize,
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
    if skip {
        eprintln!("left out {} video(s):{}", failures.len(), list(failures));
        return Ok(());
    }
    let mut shown = list(failures.get(..SHOWN).unwrap_or(failures));
    if failures.len() > SHOWN {
        shown.push_str(&format!(
            "\n  … and {} more; --skip-bad lists all",
            failures.len() - SHOWN
        ));
    }
    bail!(
        "{} video(s) cannot be indexed; mend them, or leave them out with --skip-bad (what was encoded is in the cache):{shown}",
        failures.len()
    )
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}
