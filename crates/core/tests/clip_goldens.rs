//! Imported models against Hugging Face's CLIPModel: `fixtures/clip/make.py` has the weights' recipe and makes the vectors.

use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::TokenTable;
use recsys_core::clip::import::{Files, Imported, hugging_face};
use recsys_core::clip::tower::{Scratch, Tower};
use recsys_core::npy::Matrix;
use recsys_core::rng::SplitMix64;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

const START: u32 = 49_406;
const END: u32 = 49_407;
const TEXTS: usize = 12;
const PICTURES: usize = 6;
const MODELS: &str = include_str!("fixtures/clip/models.json");

/// Numbers from −1 to 1.
fn noise(seed: u64, n: usize) -> impl Iterator<Item = f32> {
    let mut rng = SplitMix64::new(seed);
    (0..n).map(move |_| (rng.next_u64() >> 40) as f32 / (1u32 << 23) as f32 - 1.0)
}

/// The tensors of a model with their shapes, by name.
fn shapes(config: &Value) -> Vec<(String, Vec<usize>)> {
    let number = |part: &str, name: &str| config[part][name].as_u64().unwrap() as usize;
    let dim = config["projection_dim"].as_u64().unwrap() as usize;
    let mut all = Vec::new();
    for (tower, part) in [("text_model", "text_config"), ("vision_model", "vision_config")] {
        let (width, hidden) = (number(part, "hidden_size"), number(part, "intermediate_size"));
        let mut add = |name: &str, shape: &[usize]| all.push((format!("{tower}.{name}"), shape.to_vec()));
        let norms: &[&str] = if part == "text_config" {
            add("embeddings.token_embedding.weight", &[49_408, width]);
            add("embeddings.position_embedding.weight", &[77, width]);
            &["final_layer_norm"]
        } else {
            let (size, patch) = (number(part, "image_size"), number(part, "patch_size"));
            add("embeddings.class_embedding", &[width]);
            add("embeddings.patch_embedding.weight", &[width, 3, patch, patch]);
            add(
                "embeddings.position_embedding.weight",
                &[(size / patch).pow(2) + 1, width],
            );
            &["pre_layrnorm", "post_layernorm"]
        };
        for layer in 0..number(part, "num_hidden_layers") {
            for (name, outputs, inputs) in [
                ("self_attn.q_proj", width, width),
                ("self_attn.k_proj", width, width),
                ("self_attn.v_proj", width, width),
                ("self_attn.out_proj", width, width),
                ("mlp.fc1", hidden, width),
                ("mlp.fc2", width, hidden),
            ] {
                add(
                    &format!("encoder.layers.{layer}.{name}.weight"),
                    &[outputs, inputs],
                );
                add(&format!("encoder.layers.{layer}.{name}.bias"), &[outputs]);
            }
            for name in ["layer_norm1", "layer_norm2"] {
                add(&format!("encoder.layers.{layer}.{name}.weight"), &[width]);
                add(&format!("encoder.layers.{layer}.{name}.bias"), &[width]);
            }
        }
        for name in norms {
            add(&format!("{name}.weight"), &[width]);
            add(&format!("{name}.bias"), &[width]);
        }
        let projection = if part == "text_config" {
            "text_projection"
        } else {
            "visual_projection"
        };
        all.push((format!("{projection}.weight"), vec![dim, width]));
    }
    all.sort();
    all
}

fn weight(seed: u64, name: &str, shape: &[usize]) -> Vec<f32> {
    let n = shape.iter().product();
    let norm = name.contains("norm");
    let embedding = name.contains("embedding") && !name.contains("patch");
    let middle = if norm && name.ends_with("weight") {
        1.0
    } else {
        0.0
    };
    let spread = match (norm, embedding, name.ends_with("bias")) {
        (true, ..) | (_, false, true) => 0.1,
        (_, true, _) => 0.5,
        _ => (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt() as f32,
    };
    noise(seed, n).map(|x| middle + spread * x).collect()
}

/// As `model.safetensors`.
fn weights(config: &Value) -> Vec<u8> {
    let shapes = shapes(config);
    let made: Vec<Vec<u8>> = (1..)
        .zip(&shapes)
        .map(|(seed, (name, shape))| {
            weight(seed, name, shape)
                .into_iter()
                .flat_map(f32::to_le_bytes)
                .collect()
        })
        .collect();
    let views = shapes.iter().zip(&made).map(|((name, shape), bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

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
