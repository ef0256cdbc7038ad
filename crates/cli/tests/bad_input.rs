//! Bad input to the command: the error names what and where, and nothing half-written is left.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, assert_says, recsys, refused};
use recsys_core::npy::Matrix;
use std::path::Path;
use std::process::Command;

impl Folder {
    /// Names of what is left in the folder, hidden files included.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Vectors, ids and a bundle made of them.
    fn bundle(&self) -> String {
        let values = (0..50 * 16)
            .map(|i| ((i * i % 1013 * 7919 % 1013) as f32 - 506.0) / 506.0)
            .collect();
        let vectors = self.write(
            "v.npy",
            Matrix {
                rows: 50,
                columns: 16,
                values,
            }
            .to_bytes(),
        );
        let ids = self.write(
            "ids.txt",
            (0..50).map(|i| format!("item {i}\n")).collect::<String>(),
        );
        let out = self.text("bundle");
        let output = recsys(&["index", "--vectors", &vectors, "--ids", &ids, "--out", &out]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        out
    }
}

fn model() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models/mini-clip")
        .display()
        .to_string()
}

fn index_refused(folder: &Folder, catalogue: &str) -> String {
    let before = folder.names();
    let out = folder.text("out");
    let said = refused(&[
        "index",
        "--catalogue",
        catalogue,
        "--model",
        &model(),
        "--out",
        &out,
    ]);
    assert_eq!(folder.names(), before, "nothing may be left behind");
    said
}

#[test]
fn a_broken_catalogue_line_is_named() {
    let folder = Folder::new();
    let lines = "{\"id\":\"a\",\"name\":\"A\",\"contentUrl\":\"a.jpg\"}\n{\"id\":\"b\",\n";
    let said = index_refused(&folder, &folder.write("videos.jsonl", lines));
    assert_says(&said, &["videos.jsonl, line 2", "expected one JSON object"]);
    let twice = "{\"id\":\"a\",\"name\":\"A\"}\n\n{\"id\":\"a\",\"name\":\"B\"}\n";
    let said = index_refused(&folder, &folder.write("videos.jsonl", twice));
    assert_says(&said, &["line 3", "line 1 already"]);
    assert_says(
        &index_refused(&folder, &folder.write("empty.jsonl", "")),
        &["empty.jsonl", "at least one video"],
    );
}

#[test]
fn media_that_cannot_be_read_are_named_and_the_old_bundle_stays() {
    let folder = Folder::new();
    folder.write("text.jpg", "this is no picture");
    folder.write("text.mp4", "this is no video");
    let catalogue = folder.write(
        "videos.jsonl",
        "{\"id\":\"p\",\"name\":\"P\",\"contentUrl\":\"text.jpg\"}\n\
         {\"id\":\"v\",\"name\":\"V\",\"contentUrl\":\"text.mp4\"}\n\
         {\"id\":\"m\",\"name\":\"M\",\"contentUrl\":\"missing.mp4\"}\n\
         {\"id\":\"n\",\"name\":\"N\"}\n",
    );
    let said = index_refused(&folder, &catalogue);
    assert_says(
        &said,
        &[
            "4 video(s)",
            "--skip-bad",
            "\"p\"",
            "text.jpg",
            "expected a JPEG",
            "\"v\"",
            "text.mp4",
        ],
    );
    assert_says(&said, &["missing.mp4: no such file", "no `contentUrl`"]);

    let bundle = folder.bundle();
    let manifest = std::fs::read(folder.path("bundle/manifest.json")).unwrap();
    refused(&[
        "index",
        "--catalogue",
        &catalogue,
        "--model",
        &model(),
        "--out",
        &bundle,
    ]);
    assert_eq!(
        std::fs::read(folder.path("bundle/manifest.json")).unwrap(),
        manifest
    );
    assert!(recsys(&["verify", &bundle]).status.success());
}

#[test]
fn an_mp4_without_a_video_stream_is_named() {
    let folder = Folder::new();
    let sound = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:duration=1",
            "-c:a",
            "aac",
        ])
        .arg(folder.path("sound.mp4"))
        .status();
    if !sound.is_ok_and(|status| status.success()) {
        println!("skipped: an_mp4_without_a_video_stream_is_named (no ffmpeg)");
        return;
    }
    let line = "{\"id\":\"s\",\"name\":\"S\",\"contentUrl\":\"sound.mp4\"}\n";
    let said = index_refused(&folder, &folder.write("videos.jsonl", line));
    assert_says(
        &said,
        &["\"s\"", "sound.mp4", "expected a video stream, found none"],
    );
}

#[test]
fn vectors_and_ids_that_do_not_fit_are_named() {
    let folder = Folder::new();
    let matrix = |values: Vec<f32>| {
        Matrix {
            rows: 2,
            columns: 8,
            values,
        }
        .to_bytes()
    };
    let good = matrix(vec![0.5; 16]);
    let ids = folder.write("ids.txt", "a\nb\n");
    let out = folder.text("out");
    let index = |vectors: &str, ids: &str| {
        let said = refused(&["index", "--vectors", vectors, "--ids", ids, "--out", &out]);
        assert!(!folder.path("out").exists());
        said
    };
    let vectors = folder.write("v.npy", &good);
    assert_says(
        &index(&vectors, &folder.write("one.txt", "a\n")),
        &["one.txt", "expected 2 ids", "found 1"],
    );
    assert_says(
        &index(&vectors, &folder.write("same.txt", "a\na\n")),
        &["same.txt, line 2", "ids must differ"],
    );
    assert_says(
        &index(&vectors, &folder.write("gap.txt", "a\n\nb")),
        &["gap.txt, line 2", "empty"],
    );
    assert_says(
        &index(&folder.write("cut.npy", &good[..good.len() - 1]), &ids),
        &["cut.npy", "2 × 8 × 4 bytes"],
    );
    assert_says(
        &index(&folder.write("no.npy", "hello"), &ids),
        &["no.npy", "magic"],
    );
    let mut nan = vec![0.5; 16];
    nan[11] = f32::NAN;
    assert_says(
        &index(&folder.write("nan.npy", matrix(nan)), &ids),
        &["nan.npy, row 1", "component 3"],
    );
    let mut zero = vec![0.5; 16];
    zero[..8].fill(0.0);
    assert_says(
        &index(&folder.write("zero.npy", matrix(zero)), &ids),
        &["zero.npy, row 0", "length is 0"],
    );
    std::fs::create_dir(folder.path("full")).unwrap();
    folder.write("full/mine.txt", "mine");
    let said = refused(&[
        "index",
        "--vectors",
        &vectors,
        "--ids",
        &ids,
        "--out",
        &folder.text("full"),
    ]);
    assert_says(&said, &["found other files", "another --out"]);
}

#[test]
fn a_damaged_bundle_is_refused_by_file_and_reason() {
    let folder = Folder::new();
    let bundle = folder.bundle();
    let shard = std::fs::read_dir(&bundle)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.file_name().unwrap().to_string_lossy().starts_with("shard-"))
        .unwrap();
    let good = std::fs::read(&shard).unwrap();
    let query = folder.text("v.npy");
    let name = shard.file_name().unwrap().to_string_lossy().into_owned();

    std::fs::write(&shard, &good[..good.len() / 2]).unwrap();
    assert_says(&refused(&["verify", &bundle]), &[&name, "bytes, found"]);
    assert_says(
        &refused(&["search", "--bundle", &bundle, "--vectors", &query]),
        &[&name],
    );
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    std::fs::write(&shard, &flipped).unwrap();
    assert_says(&refused(&["verify", &bundle]), &[&name, "SHA-256"]);
    std::fs::remove_file(&shard).unwrap();
    assert_says(&refused(&["verify", &bundle]), &[&name, "cannot open"]);
    std::fs::write(&shard, &good).unwrap();
    assert!(recsys(&["verify", &bundle]).status.success());
}

#[test]
fn bad_searches_are_refused() {
    let folder = Folder::new();
    let bundle = folder.bundle();
    let short = folder.write(
        "q.npy",
        Matrix {
            rows: 1,
            columns: 15,
            values: vec![1.0; 15],
        }
        .to_bytes(),
    );
    let said = refused(&["search", "--bundle", &bundle, "--vectors", &short]);
    assert_says(&said, &["query 1", "15 dimensions", "has 16"]);
    let good = folder.text("v.npy");
    assert_says(
        &refused(&["search", "--bundle", &bundle, "--vectors", &good, "-k", "0"]),
        &["-k 0", "1 to 10000"],
    );
    assert_says(
        &refused(&[
            "search",
            "--bundle",
            &bundle,
            "--vectors",
            &good,
            "-k",
            "1000000000",
        ]),
        &["-k"],
    );
    let said = refused(&[
        "search",
        "--bundle",
        &bundle,
        "--text",
        "a fox",
        "--model",
        &model(),
    ]);
    assert_says(&said, &["made from vectors"]);
    assert_says(
        &refused(&["search", "--bundle", &folder.text("none"), "--text", "x"]),
        &["expected a bundle"],
    );
}

#[test]
fn vectors_of_my_own_are_found_again() {
    let folder = Folder::new();
    let (bundle, vectors) = (folder.bundle(), folder.text("v.npy"));
    let output = recsys(&[
        "search",
        "--bundle",
        &bundle,
        "--vectors",
        &vectors,
        "-k",
        "1",
        "--json",
        "--graph",
    ]);
    assert!(output.status.success());
    let found = String::from_utf8(output.stdout).unwrap();
    for (i, line) in found.lines().enumerate() {
        let hits: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(hits[0]["id"], format!("item {i}"));
        assert!(hits[0]["score"].as_f64().unwrap() > 0.99);
    }
    assert_eq!(found.lines().count(), 50);
}
