//! Writes the smallest files of each kind of the project's own, by its own writers: seeds that a mutation changes at a
//! place that matters. `cargo xtask fuzz` runs it.
//!
//!     cargo run --manifest-path fuzz/Cargo.toml --example seeds -- FOLDER

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recsys_core::candidates::Reply;
use recsys_core::clip::import::hugging_face;
use recsys_core::envelope::seal;
use recsys_core::milvus::{Entity, Head};
use recsys_fuzz::clip;
use std::path::Path;
use std::{env, fs, io};

#[path = "../../crates/core/tests/bundle/small.rs"]
mod small;

/// An input of the target `safetensors`, as `clip::weights` reads it.
fn safetensors(dtype: &str, filler: &[u8]) -> Vec<u8> {
    let mut at = 0;
    let mut header = serde_json::Map::new();
    for (name, shape) in clip::tensors() {
        let end = at + 2 * shape.iter().product::<usize>();
        header.insert(name, serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [at, end] }));
        at = end;
    }
    // The file must end where its last tensor does.
    let rest = serde_json::json!({ "dtype": dtype, "shape": [(clip::TENSORS - at) / 2], "data_offsets": [at, clip::TENSORS] });
    header.insert("rest".to_owned(), rest);
    let header = serde_json::Value::Object(header).to_string();
    [header.as_bytes(), &[0xff], filler].concat()
}

fn main() -> io::Result<()> {
    let folder = env::args()
        .nth(1)
        .ok_or_else(|| io::Error::other("expected a folder"))?;
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)
    };
    for (name, videos, dim, layers) in [
        ("one", 1, 8, 0),
        ("flat", 5, 8, 0),
        ("wide", 2, 40, 1),
        ("graph", 9, 8, 1),
        ("layers", 12, 16, 3),
    ] {
        write("shard", name, &small::shard(videos, dim, layers))?;
    }
    for videos in [1, 2, 7] {
        let name = videos.to_string();
        write("items", &name, &small::items(videos))?;
        write("cowatch", &name, &small::co_watch(videos))?;
        write("candidates", &name, &small::candidates(videos, 8, None))?;
        let reply = Reply::open(&small::candidates(videos, 8, None)).map_err(io::Error::other)?;
        for entity in reply.entries().filter_map(|entry| Entity::of(&entry, Some(6)).ok()) {
            let bytes = STANDARD.decode(entity.entry()).map_err(io::Error::other)?;
            write("milvus", &format!("{videos}-{}", entity.video()), &bytes)?;
        }
    }
    let head = Head {
        contents: "0123456789abcdef".to_owned(),
        items: 3,
        sequence: 1,
        mean: vec![0.25; 8],
    };
    let bytes = STANDARD.decode(head.entity().entry()).map_err(io::Error::other)?;
    write("milvus", "head", &bytes)?;
    write(
        "candidates",
        "degraded",
        &small::candidates(3, 16, Some("no ranker")),
    )?;
    let segment = |shard: &[u8]| small::segment(4, [shard, b"items", b"co-watch"]);
    let plain = small::manifest(7, 8, vec![segment(b"one"), segment(b"two")]);
    write("manifest", "plain", &seal(&plain.to_bytes(), &[]))?;
    write("manifest", "full", &seal(&small::full_manifest().to_bytes(), &[]))?;
    write(
        "manifest",
        "signed",
        include_bytes!("../../crates/core/tests/fixtures/manifest/v2-signed-by-openssl.json"),
    )?;
    for (name, videos, layers) in [("one", 1, 0), ("flat", 4, 0), ("graph", 7, 2)] {
        let shard = small::shard(videos, 8, layers);
        let length = u16::try_from(shard.len()).map_err(io::Error::other)?;
        let delta = [&length.to_le_bytes()[..], &shard, &small::items(videos)].concat();
        write("delta", name, &delta)?;
    }
    for segments in [1, 2, 5] {
        write("removed", &segments.to_string(), &small::removed(segments))?;
    }
    write("dictionaries", "small", &small::dictionaries())?;
    write("ranker", "small", &small::ranker())?;
    write("npy", "matrix", &small::matrix().to_bytes())?;
    write("videos", "both", small::VIDEOS.as_bytes())?;
    // 1 and −1 as f16, in no order that repeats soon.
    let filler: Vec<u8> = (0..101).flat_map(|i| [0, if i % 3 == 0 { 0xbc } else { 0x3c }]).collect();
    for (name, dtype) in [("f16", "F16"), ("bf16", "BF16")] {
        write("safetensors", name, &safetensors(dtype, &filler))?;
    }
    let model = hugging_face(&clip::files(&clip::weights(&safetensors("F16", &filler)))).map_err(io::Error::other)?;
    write("tower", "image", model.image.as_slice())?;
    write("tower", "text", model.text.as_slice())?;
    let tokens = include_bytes!("../../models/mini-clip/tokens.bin");
    write("tokens", "mini-clip", tokens)?;
    write("model", "towers", include_bytes!("../../models/mini-clip/model.json"))?;
    write("model", "onnx", include_bytes!("../../models/mini-clip/onnx/model.json"))?;
    small::VIDEOS
        .lines()
        .enumerate()
        .try_for_each(|(i, line)| write("videos", &i.to_string(), line.as_bytes()))
}
