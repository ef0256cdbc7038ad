//! `recsys model import` of ONNX pairs, and an index made with one.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, assert_says, recsys, refused};
use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::model::{FILE_NAME, Model};
use recsys_core::clip::tower::Scratch;
use recsys_core::clip::{ImageEncoder, TextEncoder};
use recsys_core::npy::Matrix;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn fixture(name: &str) -> PathBuf {
    repository("crates/core/tests/fixtures/clip").join(name)
}

/// What `fixtures/clip/make_onnx.py` wrote of its models.
fn about() -> Value {
    serde_json::from_slice(&std::fs::read(fixture("onnx.json")).unwrap()).unwrap()
}

/// A folder as exporters make it: config.json, and the graphs in `onnx`.
fn exported(folder: &Folder) -> String {
    let onnx = folder.path("exported/onnx");
    std::fs::create_dir_all(&onnx).unwrap();
    std::fs::copy(fixture("optimum-vision.onnx"), onnx.join("vision_model.onnx")).unwrap();
    std::fs::copy(fixture("optimum-text.onnx"), onnx.join("text_model.onnx")).unwrap();
    folder.write("exported/config.json", about()["config"].to_string());
    folder.write("exported/preprocessor_config.json", r#"{ "crop_size": 32 }"#);
    folder.text("exported")
}

fn imported(args: &[&str]) -> String {
    let output = recsys(&[&["model", "import"], args].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn encoders(dir: &Path) -> (Model, TextEncoder, ImageEncoder) {
    let model = Model::parse(&std::fs::read(dir.join(FILE_NAME)).unwrap()).unwrap();
    let read = |file: &str| AlignedBytes::copy_of(&std::fs::read(dir.join(file)).unwrap());
    let tokens = model.text.tokens().map(|file| read(&file.file));
    let text = TextEncoder::new(&model, read(&model.text.tower.file), tokens).unwrap();
    let image = ImageEncoder::new(&model, read(&model.image.tower.file)).unwrap();
    (model, text, image)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn a_folder_of_an_exporter_becomes_a_model_that_agrees_with_pytorch() {
    let folder = Folder::new();
    let out = folder.text("model");
    let said = imported(&[&exported(&folder), "--out", &out, "--licence", "MIT"]);
    assert_says(
        &said,
        &[
            "exported, 16 dimensions",
            "natively alone",
            "neither at the edge nor in the browser",
        ],
    );
    let (model, text, _) = encoders(Path::new(&out));
    assert_eq!(
        (model.name.as_str(), model.image.size, model.text.context),
        ("exported", 32, 77)
    );
    let goldens = Matrix::parse(&std::fs::read(fixture("onnx.npy")).unwrap()).unwrap();
    for (words, golden) in about()["texts"]
        .as_array()
        .unwrap()
        .iter()
        .zip(goldens.values.chunks(goldens.columns))
    {
        let vector = text
            .encode(words.as_str().unwrap(), &mut Scratch::default())
            .unwrap();
        assert!(cosine(&vector, golden) >= 0.9999);
    }
}

#[test]
fn an_index_is_made_with_an_imported_pair() {
    let folder = Folder::new();
    let model = folder.text("model");
    imported(&[&exported(&folder), "--out", &model]);
    let mut lines = String::new();
    for (id, colour) in [("a", [255u8, 0, 0]), ("b", [0, 0, 255]), ("c", [0, 255, 0])] {
        let pixels = image::RgbImage::from_fn(40, 32, |x, y| {
            let [r, g, b] = colour;
            image::Rgb([r, g.wrapping_add(x as u8), b.wrapping_add(y as u8)])
        });
        pixels.save(folder.path(&format!("{id}.png"))).unwrap();
        lines += &format!("{{\"id\":\"{id}\",\"name\":\"The picture {id}\",\"contentUrl\":\"{id}.png\"}}\n");
    }
    let catalogue = folder.write("videos.jsonl", lines);
    let bundle = folder.text("bundle");
    let output = recsys(&[
        "index",
        "--catalogue",
        &catalogue,
        "--model",
        &model,
        "--title-weight",
        "0",
        "--out",
        &bundle,
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let picture = folder.text("b.png");
    let search = [
        "search", "--bundle", &bundle, "--model", &model, "-k", "1", "--json",
    ];
    for query in [&["--image", &picture][..], &["--text", "the picture"]] {
        let output = recsys(&[&search[..], query].concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        if query[0] == "--image" {
            assert_eq!(found[0]["id"], "b");
        }
    }
}

#[test]
fn graphs_are_named_one_by_one_and_may_read_a_token_table() {
    let folder = Folder::new();
    let mini = repository("models/mini-clip/onnx");
    for name in ["image.onnx", "text.onnx", "tokens.bin"] {
        std::fs::copy(mini.join(name), folder.path(name)).unwrap();
    }
    folder.write(
        "config.json",
        r#"{ "text_config": { "max_position_embeddings": 32 } }"#,
    );
    let (image, text, out) = (
        folder.text("image.onnx"),
        folder.text("text.onnx"),
        folder.text("model"),
    );
    let said = imported(&[
        "--image", &image, "--text", &text, "--name", "mini", "--out", &out,
    ]);
    assert_says(&said, &["mini, 128 dimensions"]);
    let (model, text, _) = encoders(Path::new(&out));
    assert!(model.text.tokens().is_some());
    let (_, own, _) = encoders(&mini);
    let encode = |encoder: &TextEncoder| encoder.encode("Red robot at the funfair", &mut Scratch::default());
    assert_eq!(encode(&text).unwrap(), encode(&own).unwrap());
}

#[test]
fn what_is_no_model_is_refused_and_leaves_nothing() {
    let folder = Folder::new();
    let out = folder.text("model");
    std::fs::create_dir(folder.path("empty")).unwrap();
    let said = refused(&["model", "import", &folder.text("empty"), "--out", &out]);
    assert_says(
        &said,
        &[
            "empty",
            "model.safetensors",
            "onnx/vision_model.onnx",
            "--image FILE",
        ],
    );

    let dir = exported(&folder);
    let text = folder.path("exported/onnx/text_model.onnx");
    let whole = std::fs::read(&text).unwrap();
    std::fs::write(&text, &whole[..whole.len() / 2]).unwrap();
    let said = refused(&["model", "import", &dir, "--out", &out]);
    assert_says(&said, &["text_model.onnx", "text tower, as ONNX"]);
    std::fs::write(&text, whole).unwrap();
    folder.write("exported/preprocessor_config.json", r#"{ "crop_size": 224 }"#);
    let said = refused(&["model", "import", &dir, "--out", &out]);
    assert_says(&said, &["preprocessor_config.json: crop_size: expected 32"]);
    std::fs::remove_file(folder.path("exported/preprocessor_config.json")).unwrap();
    let vision = folder.text("exported/onnx/vision_model.onnx");
    let said = refused(&[
        "model", "import", "--image", &vision, "--text", &vision, "--out", &out,
    ]);
    assert_says(
        &said,
        &["text tower, as ONNX", "token ids [n, tokens]", "pixel_values F32"],
    );
    assert!(!folder.path("model").exists());
}
