//! Our side of the indexing part of `cargo xtask bench encode`: `pictures FOLDER`.
//!
//! FOLDER has `model/image.tower`, of pictures of 224 × 224, and `jpeg/`. A line `time pictures N` on standard input is answered with
//! the milliseconds that one of N pictures took from its file's bytes to its vector, on all cores, `vector pictures` with the
//! first one's vector as a JSON array.

mod lines;

use lines::{answer, request};
use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::picture::{Picture, PictureLimits};
use recsys_core::clip::preprocess::{Filter, normalise, resize_centre_crop};
use recsys_core::clip::tower::{Scratch, Tower};
use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

fn encode(tower: &Tower, file: &[u8], scratch: &mut Scratch) -> Option<Vec<f32>> {
    let picture = Picture::decode(file, &PictureLimits::NATIVE).ok()?;
    let size = u32::try_from(tower.shape().size()).ok()?;
    let pixels =
        resize_centre_crop(&picture.rgb, picture.width, picture.height, size, Filter::Bicubic).ok()?;
    let planes = normalise(&pixels, [0.5; 3], [0.5; 3]);
    tower.encode_planes(&planes, scratch)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: pictures FOLDER")?);
    let tower = Tower::open(AlignedBytes::copy_of(&std::fs::read(
        folder.join("model/image.tower"),
    )?))?;
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder.join("jpeg"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    let files: Vec<Vec<u8>> = paths.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    let first = files.first().ok_or("no pictures")?;
    while let Some(line) = request()? {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["vector", _] => {
                let vector = encode(&tower, first, &mut Scratch::default()).ok_or("no vector")?;
                answer(&format!("{vector:?}"))?;
            }
            ["time", _, times] => {
                let (times, next) = (times.parse::<usize>()?, AtomicUsize::new(0));
                let start = Instant::now();
                std::thread::scope(|scope| {
                    for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
                        scope.spawn(|| {
                            let mut scratch = Scratch::default();
                            loop {
                                let at = next.fetch_add(1, Ordering::Relaxed);
                                let Some(file) = files.get(at % files.len()).filter(|_| at < times) else {
                                    break;
                                };
                                black_box(encode(&tower, file, &mut scratch));
                            }
                        });
                    }
                });
                answer(&(start.elapsed().as_secs_f64() * 1e3 / times as f64).to_string())?;
            }
            _ => return Err(format!("expected `vector` or `time`, found `{line}`").into()),
        }
    }
    Ok(())
}
