//! The committed mini-CLIP on held-out combinations, as the README claims it: by frames alone, with int8 weights. And the
//! same model as ONNX graphs, on tract.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::model::{FILE_NAME, Model, ModelFile};
use recsys_core::clip::tower::Scratch;
use recsys_core::clip::{ImageEncoder, TextEncoder};
use std::path::{Path, PathBuf};
use std::process::Command;

const SIDE: u32 = 64;
const PICTURE: usize = (SIDE * SIDE * 3) as usize;
const VIDEOS: usize = 100;
const FRAMES: usize = 8;
const NEIGHBOURS: usize = 19;

fn model_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/mini-clip")
}

/// Both encoders of a model directory.
fn encoders(dir: &Path) -> (TextEncoder, ImageEncoder) {
    let model = Model::parse(&std::fs::read(dir.join(FILE_NAME)).unwrap()).unwrap();
    let read = |file: &ModelFile| AlignedBytes::copy_of(&std::fs::read(dir.join(&file.file)).unwrap());
    let text = TextEncoder::new(&model, read(&model.text.tower), model.text.tokens().map(read));
    (
        text.unwrap(),
        ImageEncoder::new(&model, read(&model.image.tower)).unwrap(),
    )
}

/// What the goldens hold: held-out videos, and vectors of the f32 model.
struct Goldens {
    index: serde_json::Value,
    data: Vec<u8>,
}

impl Goldens {
    fn read() -> Self {
        let read = |name: &str| std::fs::read(model_dir().join(name)).unwrap();
        Self {
            index: serde_json::from_slice(&read("goldens.json")).unwrap(),
            data: read("goldens.bin"),
        }
    }

    fn titles(&self) -> Vec<&str> {
        let videos = self.index["videos"].as_array().unwrap();
        videos.iter().map(|v| v["title"].as_str().unwrap()).collect()
    }

    /// The bytes of an array, and its number of rows.
    fn array(&self, name: &str) -> (&[u8], usize) {
        let offset = self.index["arrays"][name]["offset"].as_u64().unwrap() as usize;
        let rows = self.index["arrays"][name]["shape"][0].as_u64().unwrap() as usize;
        (&self.data[offset..], rows)
    }

    /// Unit vectors.
    fn vectors(&self, name: &str) -> Vec<Vec<f32>> {
        let (bytes, rows) = self.array(name);
        let floats: Vec<f32> = bytes[..rows * 128 * 4]
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        floats.chunks_exact(128).map(unit).collect()
    }
}

fn unit(v: &[f32]) -> Vec<f32> {
    let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
    v.iter().map(|x| x / norm).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The unit mean of the unit vectors of some pictures.
fn video_vector(encoder: &ImageEncoder, pictures: &[u8]) -> Vec<f32> {
    let (mut sum, mut scratch) = (vec![0f32; 128], Scratch::default());
    for picture in pictures.chunks_exact(PICTURE) {
        let vector = encoder.encode(picture, SIDE, SIDE, &mut scratch).unwrap();
        sum.iter_mut().zip(vector).for_each(|(s, v)| *s += v);
    }
    unit(&sum)
}

/// The data of an .npy file whose header has 128 bytes, as `recsys demo-pairs` writes it.
fn npy_bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap().split_off(128)
}

/// Cosine of each pair after the mean of each list is subtracted.
fn centred_cosines(a: &[Vec<f32>], b: &[Vec<f32>]) -> Vec<f32> {
    let centred = |list: &[Vec<f32>]| -> Vec<Vec<f32>> {
        let mut mean = vec![0f32; 128];
        for v in list {
            mean.iter_mut()
                .zip(v)
                .for_each(|(m, x)| *m += x / list.len() as f32);
        }
        list.iter()
            .map(|v| unit(&v.iter().zip(&mean).map(|(x, m)| x - m).collect::<Vec<f32>>()))
            .collect()
    };
    centred(a)
        .iter()
        .zip(centred(b))
        .map(|(x, y)| dot(x, &y))
        .collect()
}

#[test]
fn held_out_combinations_are_found_and_int8_agrees_with_f32() {
    let (text, image) = encoders(&model_dir());
    let goldens = Goldens::read();

    let out = tempfile::tempdir().unwrap();
    let heldout = out.path().join("heldout");
    let made = Command::new(env!("CARGO_BIN_EXE_recsys"))
        .args(["demo-pairs", "--split", "heldout", "--size", "64", "--seed"])
        .arg(goldens.index["heldout_seed"].to_string())
        .arg("--out")
        .arg(&heldout)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let titles = goldens.titles();
    let texts: Vec<Vec<f32>> = titles
        .iter()
        .map(|t| text.encode(t, &mut Scratch::default()).unwrap())
        .collect();
    let videos: Vec<Vec<f32>> = npy_bytes(&heldout.join("images.npy"))
        .chunks_exact(PICTURE * FRAMES)
        .map(|frames| video_vector(&image, frames))
        .collect();
    assert_eq!((texts.len(), videos.len()), (VIDEOS, VIDEOS));

    let best_is_own = |i: &usize| {
        let own = dot(&texts[*i], &videos[*i]);
        videos
            .iter()
            .enumerate()
            .all(|(j, v)| j == *i || dot(&texts[*i], v) < own)
    };
    let among_100 = (0..VIDEOS).filter(best_is_own).count();

    let neighbours = npy_bytes(&heldout.join("neighbours.npy"));
    let per_scene = neighbours.len() / (VIDEOS * NEIGHBOURS);
    let mut among_20 = 0;
    for (i, scenes) in neighbours.chunks_exact(per_scene * NEIGHBOURS).enumerate() {
        let own = dot(&texts[i], &videos[i]);
        let others = scenes
            .chunks_exact(per_scene)
            .map(|s| dot(&texts[i], &video_vector(&image, s)));
        among_20 += usize::from(others.fold(f32::MIN, f32::max) < own);
    }

    let worst = |name, found: &[Vec<f32>]| {
        centred_cosines(&goldens.vectors(name), found)
            .into_iter()
            .fold(f32::MAX, f32::min)
    };
    let (worst_text, worst_video) = (worst("title_vectors", &texts), worst("video_vectors", &videos));
    println!(
        "mini-clip natively: {among_100} of 100 held-out videos by caption, {among_20} of 100 among 20 that differ in \
         one attribute; int8 against f32, less the mean: lowest cosine {worst_text:.4} (text), {worst_video:.4} (video)"
    );
    assert!(among_100 >= 90, "{among_100} of 100");
    assert!(among_20 >= 75, "{among_20} of 100");
    assert!(
        worst_text >= 0.99 && worst_video >= 0.99,
        "{worst_text} {worst_video}"
    );
}

#[test]
fn the_onnx_pair_of_the_same_model_gives_the_same_vectors() {
    let goldens = Goldens::read();
    let (text, image) = encoders(&model_dir());
    let (onnx_text, onnx_image) = encoders(&model_dir().join("onnx"));
    let mut scratch = Scratch::default();
    let mut both = |words: &str| {
        let ours = text.encode(words, &mut scratch).unwrap();
        (ours, onnx_text.encode(words, &mut scratch).unwrap())
    };
    let (texts, onnx_texts): (Vec<_>, Vec<_>) = goldens.titles().into_iter().map(&mut both).unzip();
    let (pictures, count) = goldens.array("pictures");
    let mut lowest = 1f32;
    for picture in pictures.chunks_exact(PICTURE).take(count) {
        let ours = image.encode(picture, SIDE, SIDE, &mut scratch).unwrap();
        let onnx = onnx_image.encode(picture, SIDE, SIDE, &mut scratch).unwrap();
        lowest = lowest.min(dot(&ours, &onnx));
    }
    let lowest_text = centred_cosines(&texts, &onnx_texts)
        .into_iter()
        .fold(1f32, f32::min);
    println!(
        "towers against ONNX on tract: lowest cosine {lowest_text:.5} (text, less the mean), {lowest:.5} (pictures)"
    );
    assert!(lowest >= 0.999 && lowest_text >= 0.999, "{lowest} {lowest_text}");
}
