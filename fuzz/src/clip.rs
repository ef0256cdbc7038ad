//! A CLIP model of the smallest size, and what must hold for every model that is accepted.

use recsys_core::clip::TokenTable;
use recsys_core::clip::import::{Files, Imported};
use recsys_core::clip::tower::{Input, Scratch, Tower};

/// `config.json` of the smallest model.
pub const CONFIG: &str = r#"{"model_type":"clip","projection_dim":8,
"text_config":{"hidden_size":8,"intermediate_size":8,"num_attention_heads":1,"num_hidden_layers":1,"max_position_embeddings":3},
"vision_config":{"hidden_size":8,"intermediate_size":8,"num_attention_heads":1,"num_hidden_layers":1,"image_size":4,"patch_size":2}}"#;
/// Its `preprocessor_config.json`.
pub const PREPROCESSOR: &str = r#"{"size":{"shortest_edge":4},"crop_size":{"height":4,"width":4}}"#;

/// Bytes of its tensors as f16: most are rows of tokens.
pub const TENSORS: usize = 2 * (49_408 * 8 + 2_048);
/// Wider or deeper towers are not run: an input should take milliseconds.
const MAX_WORK: usize = 1 << 24;

/// The names and shapes of its tensors.
pub fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut all = vec![
        ("text_model.embeddings.token_embedding.weight".to_owned(), vec![49_408, 8]),
        ("text_model.embeddings.position_embedding.weight".to_owned(), vec![3, 8]),
        ("vision_model.embeddings.class_embedding".to_owned(), vec![8]),
        ("vision_model.embeddings.patch_embedding.weight".to_owned(), vec![8, 3, 2, 2]),
        ("vision_model.embeddings.position_embedding.weight".to_owned(), vec![5, 8]),
        ("text_projection.weight".to_owned(), vec![8, 8]),
        ("visual_projection.weight".to_owned(), vec![8, 8]),
    ];
    for tower in ["text_model", "vision_model"] {
        let layer = format!("{tower}.encoder.layers.0");
        for part in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2"] {
            all.push((format!("{layer}.{part}.weight"), vec![8, 8]));
            all.push((format!("{layer}.{part}.bias"), vec![8]));
        }
        let own: &[&str] = if tower == "text_model" { &["final_layer_norm"] } else { &["pre_layrnorm", "post_layernorm"] };
        let norms = [format!("{layer}.layer_norm1"), format!("{layer}.layer_norm2")];
        for norm in norms.into_iter().chain(own.iter().map(|norm| format!("{tower}.{norm}"))) {
            all.push((format!("{norm}.weight"), vec![8]));
            all.push((format!("{norm}.bias"), vec![8]));
        }
    }
    all
}

/// `model.safetensors` from an input: its header up to a byte that no JSON has, and what all tensors are filled with. The length
/// of the header, which no mutation would get right, is put in.
pub fn weights(data: &[u8]) -> Vec<u8> {
    let mut parts = data.splitn(2, |byte| *byte == 0xff);
    let header = parts.next().unwrap_or_default();
    let filler = parts.next().filter(|filler| !filler.is_empty()).unwrap_or(&[0]);
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.extend(filler.iter().cycle().take(TENSORS));
    file
}

/// The files of the smallest model, with these weights.
pub fn files(weights: &[u8]) -> Files<'_> {
    Files {
        config: CONFIG.as_bytes(),
        preprocessor: Some(PREPROCESSOR.as_bytes()),
        weights,
    }
}

/// The files that were written open, with the numbers of the model.
///
/// # Panics
/// Where they do not.
pub fn holds(model: &Imported) {
    let image = Tower::open(model.image.clone()).expect("the image tower that was written");
    let text = Tower::open(model.text.clone()).expect("the text tower that was written");
    assert_eq!((image.shape().dim, text.shape().dim), (model.dim, model.dim));
    assert_eq!((image.shape().size(), text.shape().positions), (model.size, model.context));
    let tokens = recsys_core::bytes::AlignedBytes::copy_of(&model.tokens);
    let table = TokenTable::open(tokens).expect("the token table that was written");
    assert_eq!(table.width(), text.shape().width);
    run(&image);
    run(&text);
}

/// A tower answers its own kind of input with a vector of its length, and the other kind not at all.
///
/// # Panics
/// Where it does not.
pub fn run(tower: &Tower) {
    let shape = tower.shape();
    let layer = shape.width * (4 * shape.width + 2 * shape.hidden) + shape.positions * shape.width;
    if shape.positions * (layer * shape.layers + 3 * shape.patch().pow(2) * shape.width) > MAX_WORK {
        return;
    }
    let mut scratch = Scratch::default();
    let values = |count: usize| -> Vec<f32> { (0..count).map(|i| (i * 37 % 101) as f32 * 0.02 - 1.0).collect() };
    let (rows, planes) = match shape.input {
        Input::Text => (shape.positions.min(4) * shape.width, 12),
        Input::Image { size, .. } => (shape.width, 3 * size * size),
    };
    let by_tokens = tower.encode_tokens(&values(rows), &mut scratch);
    let by_planes = tower.encode_planes(&values(planes), &mut scratch);
    let (own, other) = match shape.input {
        Input::Text => (by_tokens, by_planes),
        Input::Image { .. } => (by_planes, by_tokens),
    };
    assert_eq!(own.map(|vector| vector.len()), Some(shape.dim));
    assert_eq!(other, None);
}
