//! Pictures and captions for training and measuring the mini CLIP.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use recsys_core::clip::preprocess::{Filter, resize_centre_crop};
use serde::Serialize;

use crate::caption::{captions, title};
use crate::heldout::{HeldOut, heldout_set};
use crate::npy;
use crate::parallel;
use crate::render::Renderer;
use crate::rng::Rng;
use crate::scene::Scene;
use crate::vocab::Attribute;

/// Size that scenes are drawn at, in pixels.
pub const FRAME_WIDTH: u32 = 320;
/// Size that scenes are drawn at, in pixels.
pub const FRAME_HEIGHT: u32 = 180;
/// Captions written for each picture.
pub const CAPTIONS: usize = 8;

/// A line of `captions.jsonl`.
#[derive(Debug, Serialize)]
struct Line {
    captions: Vec<String>,
    title: String,
    thing: &'static str,
    colour: &'static str,
    place: &'static str,
    time: &'static str,
    motion: &'static str,
    seed: u64,
}

impl Line {
    fn of(scene: &Scene) -> Self {
        Self {
            captions: captions(scene, CAPTIONS, &mut Rng::for_part(scene.seed, 11)),
            title: title(scene),
            thing: scene.thing.name(),
            colour: scene.colour.name(),
            place: scene.place.noun(),
            time: scene.time.name(),
            motion: scene.motion.name(),
            seed: scene.seed,
        }
    }
}

/// A scene of the training split: random, and never of a held-out combination.
pub fn training_scene(seed: u64, index: u64) -> Scene {
    let mut rng = Rng::for_part(seed, index);
    loop {
        let scene = Scene::random(&mut rng);
        if !scene.held_out() {
            return scene;
        }
    }
}

/// Frames of `scene` at the given moments, each `size` × `size` × 3 bytes: the shorter side resized, the
/// centre cropped, as the encoder's own preprocessing does.
///
/// # Errors
/// Where `size` is 0 or too large.
pub fn crops(scene: &Scene, moments: &[f32], size: u32) -> Result<Vec<u8>> {
    let renderer = Renderer::new(scene, FRAME_WIDTH, FRAME_HEIGHT)?;
    let mut out = Vec::with_capacity(moments.len() * (size * size * 3) as usize);
    for moment in moments {
        out.extend(resize_centre_crop(
            &renderer.frame(*moment),
            FRAME_WIDTH,
            FRAME_HEIGHT,
            size,
            Filter::Bicubic,
        )?);
    }
    Ok(out)
}

/// `count` moments spread evenly over the loop, the first at 0.
#[must_use]
pub fn even_moments(count: usize) -> Vec<f32> {
    (0..count).map(|index| index as f32 / count as f32).collect()
}

/// Writes `count` training pairs to `out`: `images.npy` (u8, count × size × size × 3) and
/// `captions.jsonl`, a line for each picture. `progress` gets the number of pictures just written.
///
/// # Errors
/// Where a file can't be written.
pub fn write_training(
    out: &Path,
    count: usize,
    seed: u64,
    size: u32,
    threads: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<()> {
    let mut images = create(out, "images.npy")?;
    let mut lines = create(out, "captions.jsonl")?;
    let side = size as usize;
    images.write_all(&npy::header(&[count, side, side, 3])?)?;
    for start in (0..count).step_by(BATCH) {
        let batch: Vec<Scene> = (start..count.min(start + BATCH))
            .map(|index| training_scene(seed, index as u64))
            .collect();
        let pictures = parallel::map(&batch, threads, |scene| {
            let moment = Rng::for_part(scene.seed, 12).between(0.0, 1.0);
            crops(scene, &[moment], size)
        })?;
        for picture in &pictures {
            images.write_all(picture)?;
        }
        write_lines(&mut lines, &batch)?;
        progress(batch.len());
    }
    images.flush()?;
    Ok(lines.flush()?)
}

/// Scenes drawn between two writes.
const BATCH: usize = 512;

/// Frames of each held-out video.
pub const HELDOUT_FRAMES: usize = 8;
/// Frames of each neighbour.
pub const NEIGHBOUR_FRAMES: usize = 4;

/// Writes the held-out sets to `out`: `images.npy` (100 videos × 8 frames) with `captions.jsonl`, and
/// `neighbours.npy` (100 × 19 scenes × 4 frames) with `neighbours.jsonl`. All u8,
/// rows × size × size × 3; a line for each scene.
///
/// # Errors
/// Where a file can't be written.
pub fn write_heldout(
    out: &Path,
    seed: u64,
    size: u32,
    threads: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<()> {
    let set = heldout_set(seed);
    let videos: Vec<Scene> = set.iter().map(|held| held.scene).collect();
    let neighbours: Vec<Scene> = set.iter().flat_map(HeldOut::neighbour_scenes).collect();
    for (images, lines, scenes, frames) in [
        ("images.npy", "captions.jsonl", videos, HELDOUT_FRAMES),
        ("neighbours.npy", "neighbours.jsonl", neighbours, NEIGHBOUR_FRAMES),
    ] {
        let moments = even_moments(frames);
        let pictures = parallel::map(&scenes, threads, |scene| {
            progress(1);
            crops(scene, &moments, size)
        })?;
        let side = size as usize;
        let mut file = create(out, images)?;
        npy::write(
            &mut file,
            &[scenes.len() * frames, side, side, 3],
            &pictures.concat(),
        )?;
        file.flush()?;
        let mut file = create(out, lines)?;
        write_lines(&mut file, &scenes)?;
        file.flush()?;
    }
    Ok(())
}

fn write_lines(out: &mut impl Write, scenes: &[Scene]) -> Result<()> {
    for scene in scenes {
        serde_json::to_writer(&mut *out, &Line::of(scene))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn create(folder: &Path, name: &str) -> Result<BufWriter<File>> {
    std::fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    let path = folder.join(name);
    let file = File::create(&path).with_context(|| format!("writing {}", path.display()))?;
    Ok(BufWriter::new(file))
}
