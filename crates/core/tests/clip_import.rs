//! Models that the importer must refuse: each by the file and the field or tensor, with what to do.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod clip;

use clip::{Made, file, tensors};
use recsys_core::clip::import::{Files, Imported, hugging_face};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

const QUERY: &str = "text_model.encoder.layers.0.self_attn.q_proj.weight";

fn config() -> Value {
    let transformer = json!({
        "hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 1, "num_hidden_layers": 1,
    });
    let mut vision = transformer.clone();
    vision["image_size"] = json!(16);
    vision["patch_size"] = json!(8);
    json!({ "model_type": "clip", "projection_dim": 8, "text_config": transformer, "vision_config": vision })
}

fn import(config: &[u8], weights: &[u8]) -> Result<Imported, String> {
    let files = Files {
        config,
        preprocessor: None,
        weights,
    };
    hugging_face(&files).map_err(|error| error.to_string())
}

fn assert_refused(result: Result<Imported, String>, words: &[&str]) {
    let said = result.map(|_| ()).unwrap_err();
    for word in words {
        assert!(said.contains(word), "expected {word:?} in: {said}");
    }
    // What to do.
    assert!(said.contains("; "), "{said}");
}

/// The model with its weights changed.
fn with_weights(change: impl FnOnce(&mut Vec<Made>)) -> Result<Imported, String> {
    let config = config();
    let mut made = tensors(&config);
    change(&mut made);
    import(config.to_string().as_bytes(), &file(&made))
}

/// The model with another config beside its weights.
fn with_config(change: impl FnOnce(&mut Value)) -> Result<Imported, String> {
    let weights = file(&tensors(&config()));
    let mut config = config();
    change(&mut config);
    import(config.to_string().as_bytes(), &weights)
}

fn find<'a>(made: &'a mut [Made], name: &str) -> &'a mut Made {
    made.iter_mut().find(|made| made.name == name).unwrap()
}

#[test]
fn the_model_itself_is_imported_and_so_are_16_bit_weights() {
    let whole = with_weights(|_| {}).unwrap();
    assert_eq!((whole.dim, whole.context, whole.size), (8, 77, 16));
    // The upper half of an f32 is a bf16.
    let halves = with_weights(|made| {
        for tensor in made {
            tensor.dtype = Dtype::BF16;
            tensor.bytes = tensor
                .bytes
                .as_chunks::<4>()
                .0
                .iter()
                .flat_map(|b| [b[2], b[3]])
                .collect();
        }
    });
    assert_eq!(
        halves.unwrap().image.as_slice().len(),
        whole.image.as_slice().len()
    );
}

#[test]
fn a_tensor_that_is_missing_or_of_another_shape_or_type_is_named() {
    for name in [
        QUERY,
        "vision_model.pre_layrnorm.bias",
        "text_projection.weight",
        "text_model.embeddings.token_embedding.weight",
    ] {
        let gone = with_weights(|made| made.retain(|made| made.name != name));
        assert_refused(
            gone,
            &[
                "model.safetensors",
                name,
                "found none",
                "take the whole model's file",
            ],
        );
        let flat = with_weights(|made| {
            let tensor = find(made, name);
            tensor.shape = vec![tensor.shape.iter().product()];
            tensor.shape.push(1);
        });
        assert_refused(flat, &["model.safetensors", name, "shape", "by config.json"]);
    }
    let numbers = with_weights(|made| find(made, QUERY).dtype = Dtype::I32);
    assert_refused(numbers, &[QUERY, "F32, F16 or BF16", "I32"]);
}

#[test]
fn a_weight_that_is_no_number_is_named_with_its_place() {
    for (value, said) in [
        (f32::NAN, "NaN"),
        (f32::INFINITY, "inf"),
        (f32::NEG_INFINITY, "-inf"),
    ] {
        let result = with_weights(|made| {
            find(made, QUERY).bytes[4 * 5..4 * 6].copy_from_slice(&value.to_le_bytes());
        });
        assert_refused(result, &[QUERY, "value 5: expected a finite number", said]);
    }
}

#[test]
fn a_header_that_lies_is_refused() {
    let config = config().to_string();
    let good = file(&tensors(&self::config()));
    let length = u64::from_le_bytes(good[..8].try_into().unwrap());
    let header = String::from_utf8(good[8..8 + length as usize].to_vec()).unwrap();
    let data = &good[8 + length as usize..];
    let refused = |bytes: &[u8]| {
        assert_refused(
            import(config.as_bytes(), bytes),
            &["model.safetensors", "fetch it again"],
        );
    };
    let built = |header: &str| [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    assert!(import(config.as_bytes(), &built(&header)).is_ok());

    for claimed in [0, 1, length - 1, length + 1, good.len() as u64, 1 << 40, u64::MAX] {
        let mut lying = good.clone();
        lying[..8].copy_from_slice(&claimed.to_le_bytes());
        refused(&lying);
    }
    // Every place in turn says something else: an end past the file, an overlap, a shape that its bytes do not have, a type.
    let mut json: Value = serde_json::from_str(&header).unwrap();
    let entry = json[QUERY].clone();
    for (field, value) in [
        ("data_offsets", json!([0, u64::MAX])),
        ("data_offsets", json!([entry["data_offsets"][0], data.len() + 4])),
        (
            "data_offsets",
            json!([entry["data_offsets"][1], entry["data_offsets"][0]]),
        ),
        ("data_offsets", json!([0, 256])),
        ("shape", json!([8, 9])),
        ("shape", json!([u64::MAX, u64::MAX])),
        ("dtype", json!("F64")),
        ("dtype", json!("F31")),
    ] {
        json[QUERY][field] = value;
        refused(&built(&json.to_string()));
        json[QUERY] = entry.clone();
    }
    for text in ["", "{", "[]", "null", &header[1..]] {
        refused(&built(text));
    }
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_it_ends() {
    let config = config().to_string();
    let good = file(&tensors(&self::config()));
    let cuts = (0..64)
        .map(|i| good.len() * i / 64)
        .chain([1, 7, 8, 9, good.len() - 1]);
    for cut in cuts {
        assert_refused(
            import(config.as_bytes(), &good[..cut]),
            &["model.safetensors", "fetch it again"],
        );
    }
    let mut more = good;
    more.push(0);
    assert_refused(import(config.as_bytes(), &more), &["model.safetensors"]);
}

#[test]
fn a_config_that_contradicts_the_weights_is_refused_by_the_tensor() {
    let layers = with_config(|config| config["text_config"]["num_hidden_layers"] = json!(2));
    assert_refused(layers, &["text_model.encoder.layers.1.", "found none"]);
    let width = with_config(|config| config["vision_config"]["hidden_size"] = json!(16));
    assert_refused(width, &["vision_model.", "expected shape", "by config.json"]);
    let hidden = with_config(|config| config["text_config"]["intermediate_size"] = json!(32));
    assert_refused(
        hidden,
        &["mlp.fc1.weight", "expected shape [32, 8]", "found [16, 8]"],
    );
    let dim = with_config(|config| config["projection_dim"] = json!(16));
    assert_refused(dim, &["projection.weight", "expected shape [16, 8]"]);
    let size = with_config(|config| config["vision_config"]["image_size"] = json!(32));
    assert_refused(
        size,
        &["vision_model.embeddings.position_embedding.weight", "[17, 8]"],
    );
    let context = with_config(|config| config["text_config"]["max_position_embeddings"] = json!(64));
    assert_refused(
        context,
        &["text_model.embeddings.position_embedding.weight", "[64, 8]"],
    );
}

#[test]
fn a_config_of_another_model_is_refused_by_the_field() {
    for (part, field, value, words) in [
        ("text_config", "vocab_size", json!(32_000), "expected 49408"),
        ("text_config", "max_position_embeddings", json!(248), "3 to 77"),
        ("text_config", "hidden_act", json!("relu"), "quick_gelu or gelu"),
        ("text_config", "hidden_size", json!(12), "text_config"),
        ("text_config", "num_attention_heads", json!(0), "text_config"),
        (
            "text_config",
            "num_hidden_layers",
            json!(1_000_000),
            "text_config",
        ),
        ("text_config", "layer_norm_eps", json!(1), "text_config"),
        (
            "vision_config",
            "num_channels",
            json!(4),
            "num_channels: expected 3",
        ),
        ("vision_config", "patch_size", json!(7), "patch_size"),
        ("vision_config", "patch_size", json!(0), "patch_size"),
        ("vision_config", "image_size", json!(1_000_000), "image_size"),
        (
            "vision_config",
            "hidden_size",
            json!("wide"),
            "vision_config: expected fields",
        ),
        (
            "vision_config",
            "hidden_size",
            json!(-8),
            "vision_config: expected fields",
        ),
    ] {
        let result = with_config(|config| config[part][field] = value.clone());
        assert_refused(result, &["config.json: ", words]);
    }
    let siglip = with_config(|config| config["model_type"] = json!("siglip"));
    assert_refused(
        siglip,
        &["model_type: expected clip, found siglip", "pair of ONNX files"],
    );
    let weights = file(&tensors(&config()));
    for text in ["", "[]", "{", "\"clip\"", "nonsense", "{\"text_config\": 7}"] {
        assert_refused(import(text.as_bytes(), &weights), &["config.json"]);
    }
}
