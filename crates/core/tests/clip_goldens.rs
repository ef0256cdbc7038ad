//! Imported models against Hugging Face's CLIPModel: `fixtures/clip/make.py` has the weights' recipe and makes the vectors.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod clip;

use clip::weights;
use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::TokenTable;
use recsys_core::clip::import::{Files, Imported, hugging_face};
use recsys_core::clip::tower::{Scratch, Tower};
use recsys_core::npy::Matrix;
use recsys_core::rng::SplitMix64;
use serde_json::Value;

const START: u32 = 49_406;
const END: u32 = 49_407;
const TEXTS: usize = 12;
const PICTURES: usize = 6;
const MODELS: &str = include_str!("fixtures/clip/models.json");

fn tokens(text: usize) -> Vec<u32> {
    let mut rng = SplitMix64::new(1000 + text as u64);
    let ids = (0..1 + text * 6).map(|_| (rng.next_u64() % u64::from(START)) as u32);
    std::iter::once(START)
        .chain(ids)
        .chain(std::iter::once(END))
        .collect()
}

fn planes(picture: usize, size: usize) -> Vec<f32> {
    let byte = |i: usize| {
        let (c, y, x) = (i / (size * size), i / size % size, i % size);
        (x * (picture + 1) + y * (7 - picture) + c * 80 + x * y * picture / 32) % 256
    };
    (0..3 * size * size)
        .map(|i| (byte(i) as f32 - 128.0) / 64.0)
        .collect()
}

/// Vectors of all texts, and of all pictures.
fn vectors(model: &Imported) -> [Vec<Vec<f32>>; 2] {
    let table = TokenTable::open(AlignedBytes::copy_of(&model.tokens)).unwrap();
    let (text, image) = (
        Tower::open(model.text.clone()).unwrap(),
        Tower::open(model.image.clone()).unwrap(),
    );
    let mut scratch = Scratch::default();
    let texts = (0..TEXTS).map(|text_number| {
        let mut rows = Vec::new();
        assert!(tokens(text_number).iter().all(|id| table.append(*id, &mut rows)));
        text.encode_tokens(&rows, &mut scratch).unwrap()
    });
    let texts = texts.collect();
    let pictures = (0..PICTURES).map(|picture| {
        image
            .encode_planes(&planes(picture, model.size), &mut scratch)
            .unwrap()
    });
    [texts, pictures.collect()]
}

/// The lowest cosine of each pair, after the mean of each list is subtracted where `centred`.
fn lowest(found: &[Vec<f32>], expected: &[Vec<f32>], centred: bool) -> f64 {
    let wide = |list: &[Vec<f32>]| -> Vec<Vec<f64>> {
        let unit = |v: &Vec<f32>| {
            let norm = v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            v.iter().map(|x| f64::from(*x) / norm).collect::<Vec<f64>>()
        };
        let units: Vec<Vec<f64>> = list.iter().map(unit).collect();
        let mean = |i: usize| units.iter().map(|v| v[i]).sum::<f64>() / units.len() as f64;
        let means: Vec<f64> = (0..units[0].len())
            .map(|i| if centred { mean(i) } else { 0.0 })
            .collect();
        units
            .iter()
            .map(|v| v.iter().zip(&means).map(|(x, m)| x - m).collect())
            .collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let cosine = |a: &Vec<f64>, b: &Vec<f64>| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    let pairs = wide(found).into_iter().zip(wide(expected));
    pairs.map(|(a, b)| cosine(&a, &b)).fold(1.0, f64::min)
}

fn agrees(name: &str, goldens: &[u8]) {
    let models: Value = serde_json::from_str(MODELS).unwrap();
    let config = &models[name];
    let model = hugging_face(&Files {
        config: config.to_string().as_bytes(),
        preprocessor: None,
        weights: &weights(config),
    })
    .unwrap();
    let goldens = Matrix::parse(goldens).unwrap();
    let rows: Vec<Vec<f32>> = goldens
        .values
        .chunks(goldens.columns)
        .map(<[f32]>::to_vec)
        .collect();
    let (original, rounded) = rows.split_at(TEXTS + PICTURES);
    let [texts, pictures] = vectors(&model);
    for (what, found, at) in [
        ("texts", &texts, 0..TEXTS),
        ("pictures", &pictures, TEXTS..TEXTS + PICTURES),
    ] {
        let exact = lowest(found, &rounded[at.clone()], false);
        let int8 = lowest(found, &original[at.clone()], false);
        let centred = lowest(found, &original[at], true);
        println!(
            "{name}, {what}: {exact:.7} with the same weights, {int8:.5} with f32 weights, {centred:.4} less the mean"
        );
        assert!(
            exact >= 0.999_99 && int8 >= 0.999 && centred >= 0.99,
            "{what}: {exact} {int8} {centred}"
        );
    }
}

#[test]
fn a_tinyclip_agrees_with_pytorch() {
    agrees("tinyclip-8m", include_bytes!("fixtures/clip/tinyclip-8m.npy"));
}

#[test]
fn a_small_b32_with_exact_gelu_agrees_with_pytorch() {
    agrees("small-b32", include_bytes!("fixtures/clip/small-b32.npy"));
}
