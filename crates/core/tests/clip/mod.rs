//! CLIP models of Hugging Face's form with made weights; `fixtures/clip/make.py` makes the same.

// Each test uses its part.
#![allow(dead_code, clippy::unwrap_used)]

use recsys_core::rng::SplitMix64;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

/// Numbers from −1 to 1.
pub fn noise(seed: u64, n: usize) -> impl Iterator<Item = f32> {
    let mut rng = SplitMix64::new(seed);
    (0..n).map(move |_| (rng.next_u64() >> 40) as f32 / (1u32 << 23) as f32 - 1.0)
}

/// The tensors of a model with their shapes, by name.
pub fn shapes(config: &Value) -> Vec<(String, Vec<usize>)> {
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

pub fn weight(seed: u64, name: &str, shape: &[usize]) -> Vec<f32> {
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

/// A tensor as a file has it.
pub struct Made {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub bytes: Vec<u8>,
}

/// The tensors of a model.
pub fn tensors(config: &Value) -> Vec<Made> {
    let made = (1..).zip(shapes(config)).map(|(seed, (name, shape))| {
        let values = weight(seed, &name, &shape).into_iter();
        let bytes = values.flat_map(f32::to_le_bytes).collect();
        let dtype = Dtype::F32;
        Made {
            name,
            shape,
            dtype,
            bytes,
        }
    });
    made.collect()
}

/// As `model.safetensors`.
pub fn file(tensors: &[Made]) -> Vec<u8> {
    let views = tensors.iter().map(|made| {
        let view = TensorView::new(made.dtype, made.shape.clone(), &made.bytes).unwrap();
        (made.name.as_str(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// `model.safetensors` of a model.
pub fn weights(config: &Value) -> Vec<u8> {
    file(&tensors(config))
}
