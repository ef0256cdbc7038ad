//! Pairs of ONNX graphs on tract against PyTorch: `fixtures/clip/make_onnx.py` exports them and makes the vectors. And graphs that
//! no importer should take.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

use prost::Message;
use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::import::{ImportError, OnnxFiles, OnnxPair, onnx_pair};
use recsys_core::clip::model::Model;
use recsys_core::clip::tower::Scratch;
use recsys_core::clip::{ImageEncoder, TextEncoder};
use recsys_core::npy::Matrix;
use serde_json::{Value, json};
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto};

const SIZE: usize = 32;
const ABOUT: &str = include_str!("fixtures/clip/onnx.json");
const GOLDENS: &[u8] = include_bytes!("fixtures/clip/onnx.npy");
const OPTIMUM: [&[u8]; 2] = [
    include_bytes!("fixtures/clip/optimum-vision.onnx"),
    include_bytes!("fixtures/clip/optimum-text.onnx"),
];
const FIXED: [&[u8]; 2] = [
    include_bytes!("fixtures/clip/fixed-vision.onnx"),
    include_bytes!("fixtures/clip/fixed-text.onnx"),
];
const SEEING: &[u8] = include_bytes!("fixtures/clip/seeing-text.onnx");
const CAUSAL: &[u8] = include_bytes!("fixtures/clip/causal-text.onnx");
const MINI: [&[u8]; 3] = [
    include_bytes!("../../../models/mini-clip/onnx/image.onnx"),
    include_bytes!("../../../models/mini-clip/onnx/text.onnx"),
    include_bytes!("../../../models/mini-clip/onnx/tokens.bin"),
];

fn about() -> Value {
    serde_json::from_str(ABOUT).unwrap()
}

fn files<'a>([image, text]: [&'a [u8]; 2], config: Option<&'a [u8]>) -> OnnxFiles<'a> {
    OnnxFiles {
        image,
        text,
        tokens: None,
        config,
        preprocessor: None,
    }
}

/// As `recsys model import` writes it.
fn manifest(pair: &OnnxPair) -> Model {
    let file = json!({ "file": "f", "sha256": "0".repeat(64), "bytes": 1 });
    let mut text = file.clone();
    text["context"] = json!(pair.context);
    text["input"] = json!("ids");
    text["padded"] = json!(pair.padded);
    let mut image = file;
    image["size"] = json!(pair.size);
    image["mean"] = json!(pair.mean);
    image["std"] = json!(pair.std);
    image["resize"] = json!(pair.filter.name());
    let manifest = json!({ "name": "m", "dim": pair.dim, "image": image, "text": text });
    Model::parse(manifest.to_string().as_bytes()).unwrap()
}

/// RGB, row by row.
fn picture(number: usize) -> Vec<u8> {
    let value = |i: usize| {
        let (y, x, c) = (i / 3 / SIZE, i / 3 % SIZE, i % 3);
        (x * (number + 3) + y * (11 - number) + c * 80 + x * y * (number + 1)) % 256
    };
    (0..3 * SIZE * SIZE).map(|i| value(i) as u8).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn lowest(what: &str, found: &[Vec<f32>], rows: &[Vec<f32>]) {
    assert_eq!(found.len(), rows.len());
    let lowest = found
        .iter()
        .zip(rows)
        .map(|(a, b)| cosine(a, b))
        .fold(1f32, f32::min);
    let furthest = rows.iter().map(|row| cosine(&rows[0], row)).fold(1f32, f32::min);
    println!("{what}: lowest cosine to PyTorch's {lowest:.7}; of the first to another {furthest:.3}");
    assert!(
        lowest >= 0.9999 && furthest < 0.98,
        "{what}: {lowest}, {furthest}"
    );
}

/// Vectors of the texts of `onnx.json`.
fn text_vectors(model: &Model, graph: &[u8]) -> Vec<Vec<f32>> {
    let encoder = TextEncoder::new(model, AlignedBytes::copy_of(graph), None).unwrap();
    let texts = about()["texts"].as_array().unwrap().clone();
    let encode = |text: &Value| encoder.encode(text.as_str().unwrap(), &mut Scratch::default());
    texts.iter().map(|text| encode(text).unwrap()).collect()
}

/// Vectors of its pictures.
fn picture_vectors(model: &Model, graph: &[u8]) -> Vec<Vec<f32>> {
    let encoder = ImageEncoder::new(model, AlignedBytes::copy_of(graph)).unwrap();
    let side = SIZE as u32;
    let encode = |n| encoder.encode(&picture(n), side, side, &mut Scratch::default());
    let pictures = about()["pictures"].as_u64().unwrap() as usize;
    (0..pictures).map(|n| encode(n).unwrap()).collect()
}

/// Rows of the goldens, texts and pictures; after those of `models` models, the texts of `layers` layers.
fn goldens(models: usize, layers: usize) -> [Vec<Vec<f32>>; 2] {
    let matrix = Matrix::parse(GOLDENS).unwrap();
    let rows: Vec<Vec<f32>> = matrix
        .values
        .chunks(matrix.columns)
        .map(<[f32]>::to_vec)
        .collect();
    let texts = about()["texts"].as_array().unwrap().len();
    let both = texts + about()["pictures"].as_u64().unwrap() as usize;
    let rows = &rows[models * both + layers * texts..];
    let pictures = rows.get(texts..both).unwrap_or_default();
    [rows[..texts].to_vec(), pictures.to_vec()]
}

/// A pair whose texts are filled up gives the vectors of its goldens.
fn a_padded_pair_agrees(graphs: [&[u8]; 2], config: Option<&[u8]>, golden: usize) {
    let pair = onnx_pair(&files(graphs, config)).unwrap();
    assert_eq!(
        (pair.dim, pair.context, pair.size, pair.padded),
        (16, 77, 32, Some(true))
    );
    let model = manifest(&pair);
    let [texts, pictures] = goldens(golden, 0);
    lowest("texts", &text_vectors(&model, graphs[1]), &texts);
    lowest("pictures", &picture_vectors(&model, graphs[0]), &pictures);
}

#[test]
fn a_pair_of_optimum_agrees() {
    // tract cannot run this graph with an open number of tokens.
    let config = about()["config"].to_string();
    a_padded_pair_agrees(OPTIMUM, Some(config.as_bytes()), 0);
}

#[test]
fn a_pair_of_fixed_sizes_and_32_bit_ids_agrees_and_is_padded() {
    a_padded_pair_agrees(FIXED, None, 1);
}

#[test]
fn a_text_tower_gets_the_padding_that_it_sees_and_no_other() {
    for (layer, graph) in [SEEING, CAUSAL].into_iter().enumerate() {
        let pair = onnx_pair(&files([FIXED[0], graph], None)).unwrap();
        assert_eq!(pair.padded, Some(layer == 0));
        let [texts, _] = goldens(2, layer);
        lowest("texts", &text_vectors(&manifest(&pair), graph), &texts);
    }
}

#[test]
fn a_pair_that_reads_rows_of_a_token_table() {
    let [image, text, tokens] = MINI;
    let config = br#"{ "text_config": { "max_position_embeddings": 32 } }"#;
    let mut mini = files([image, text], Some(config));
    mini.tokens = Some(tokens);
    let pair = onnx_pair(&mini).unwrap();
    assert_eq!(
        (pair.dim, pair.context, pair.size, pair.padded),
        (128, 32, 64, None)
    );
    mini.tokens = None;
    assert_refused(onnx_pair(&mini), &["rows, and no tokens.bin"]);
    mini.tokens = Some(&tokens[..1000]);
    assert_refused(onnx_pair(&mini), &["token table"]);
    (mini.tokens, mini.config) = (Some(tokens), None);
    assert_refused(onnx_pair(&mini), &["text tower, as ONNX"]);
}

fn assert_refused(result: Result<OnnxPair, ImportError>, words: &[&str]) {
    let said = result.map(|_| ()).unwrap_err().to_string();
    for word in words {
        assert!(said.contains(word), "expected {word:?} in: {said}");
    }
}

/// The graph, changed.
fn changed(onnx: &[u8], change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    let mut model = ModelProto::decode(onnx).unwrap();
    change(model.graph.as_mut().unwrap());
    model.encode_to_vec()
}

fn set_dim(value: &mut ValueInfoProto, at: usize, n: i64) {
    let Some(Type::TensorType(tensor)) = &mut value.r#type.as_mut().unwrap().value else {
        return;
    };
    tensor.shape.as_mut().unwrap().dim[at] = Dimension {
        denotation: String::new(),
        value: Some(dimension::Value::DimValue(n)),
    };
}

#[test]
fn graphs_of_another_kind_are_refused_by_what_they_declare() {
    let [image, text] = FIXED;
    let swapped = onnx_pair(&files([text, image], None));
    assert_refused(swapped, &["image tower", "one input, pixels", "text I32 [1, 77]"]);
    let rectangle = changed(image, |graph| set_dim(&mut graph.input[0], 3, 16));
    assert_refused(
        onnx_pair(&files([&rectangle, text], None)),
        &["image F32 [1, 3, 32, 16]"],
    );
    let both = changed(text, |graph| {
        let pixels = ModelProto::decode(image).unwrap().graph.unwrap().input.remove(0);
        graph.input.push(pixels);
    });
    assert_refused(
        onnx_pair(&files([image, &both], None)),
        &["text tower", "not a graph of both towers", "image F32"],
    );
    let long = changed(text, |graph| set_dim(&mut graph.input[0], 1, 248));
    assert_refused(onnx_pair(&files([image, &long], None)), &["3 to 77", "248"]);
    let stray = changed(text, |graph| graph.output[0].name = "nowhere".to_owned());
    assert_refused(
        onnx_pair(&files([image, &stray], None)),
        &["outputs that the graph computes", "nowhere"],
    );
}

#[test]
fn what_tract_cannot_run_is_refused_with_what_it_said() {
    let [image, text] = FIXED;
    let unheard = changed(image, |graph| {
        let node = graph.node.iter_mut().find(|node| node.op_type == "Softmax");
        node.unwrap().op_type = "Unheard".to_owned();
    });
    assert_refused(
        onnx_pair(&files([&unheard, text], None)),
        &["image tower, as ONNX", "Unheard"],
    );
    for cut in [0, 1, 1000, text.len() / 2, text.len() - 1] {
        assert_refused(onnx_pair(&files([image, &text[..cut]], None)), &["text tower"]);
    }
    let noise: Vec<u8> = (0..1000u32).map(|i| (i * i % 251) as u8).collect();
    assert_refused(onnx_pair(&files([&noise, text], None)), &["image tower"]);
}

#[test]
fn files_that_contradict_the_graphs_are_refused() {
    let with = |config: Value| onnx_pair(&files(FIXED, Some(config.to_string().as_bytes())));
    assert_refused(
        with(json!({ "projection_dim": 512 })),
        &["projection_dim: expected 16", "found 512"],
    );
    assert_refused(
        with(json!({ "vision_config": { "image_size": 224 } })),
        &["vision_config.image_size: expected 32, as in the graph, found 224"],
    );
    assert_refused(
        with(json!({ "text_config": { "max_position_embeddings": 64 } })),
        &["expected 77, as in the graph, found 64"],
    );
    assert_refused(
        with(json!({ "text_config": { "vocab_size": 32_000 } })),
        &["vocab_size: expected 49408"],
    );
    let mut sized = files(FIXED, None);
    sized.preprocessor = Some(br#"{ "size": 224 }"#);
    assert_refused(onnx_pair(&sized), &["size: expected 32", "found 224"]);
    assert_refused(
        onnx_pair(&files([OPTIMUM[0], FIXED[1]], None)),
        &["the graph leaves it open"],
    );
    // The graph leaves it open, and what the file says does not run.
    let wrong = json!({ "vision_config": { "image_size": 40 } }).to_string();
    assert_refused(
        onnx_pair(&files([OPTIMUM[0], FIXED[1]], Some(wrong.as_bytes()))),
        &["image tower, as ONNX"],
    );
}

#[test]
fn towers_of_different_dimensions_are_no_pair() {
    let config = br#"{ "text_config": { "max_position_embeddings": 32 } }"#;
    let [image, text, tokens] = MINI;
    let mut pair = files([FIXED[0], text], Some(config));
    pair.tokens = Some(tokens);
    assert_refused(onnx_pair(&pair), &["16 (image) and 128 (text)"]);
    assert!(image.len() > text.len());
}

#[test]
fn of_several_outputs_the_one_of_the_towers_name_is_taken() {
    let config = about()["config"].to_string();
    let [image, text] = OPTIMUM;
    // Two of the vector's shape, the named one last.
    let two = changed(image, |graph| {
        let named = graph.output[0].name.clone();
        let node = graph
            .node
            .iter()
            .find(|node| node.output.contains(&named))
            .unwrap();
        let mut other = node.clone();
        (other.name, other.output) = ("other".to_owned(), vec!["other".to_owned()]);
        graph.node.push(other);
        let mut value = graph.output[0].clone();
        value.name = "other".to_owned();
        graph.output.insert(0, value);
    });
    let pair = onnx_pair(&files([&two, text], Some(config.as_bytes()))).unwrap();
    let [_, pictures] = goldens(0, 0);
    lowest("pictures", &picture_vectors(&manifest(&pair), &two), &pictures);
    // Neither has the name.
    let unnamed = changed(&two, |graph| {
        let old = std::mem::replace(&mut graph.output[1].name, "another".to_owned());
        for node in &mut graph.node {
            node.output
                .iter_mut()
                .filter(|name| **name == old)
                .for_each(|name| "another".clone_into(name));
        }
    });
    assert_refused(
        onnx_pair(&files([&unnamed, text], Some(config.as_bytes()))),
        &[
            "expected an output image_embeds, or only one of shape",
            "other",
            "another",
        ],
    );
}
