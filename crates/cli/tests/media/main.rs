//! Real videos and pictures as files: what is read of them, what is refused and how, and what is kept between runs. The videos
//! are drawn by ffmpeg's own generators.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

use common::{Folder, assert_says, command, recsys, refused};
use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::ImageEncoder;
use recsys_core::clip::model::{FILE_NAME, Model};
use recsys_core::clip::picture::{Picture, PictureLimits};
use recsys_core::clip::tower::Scratch;
use recsys_core::envelope::Envelope;
use recsys_core::items::ItemTable;
use recsys_core::manifest::Manifest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Skips a test, by its name, where there is no ffmpeg that can write what it needs.
macro_rules! needs {
    ($test:literal, $($encoder:literal),+) => {
        let there = Command::new("ffmpeg").args(["-v", "error", "-encoders"]).stdin(Stdio::null()).output();
        let there = there.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        if ![$($encoder),+].iter().all(|encoder| there.contains(&format!(" {encoder} "))) {
            println!("skipped: {} (no ffmpeg with {})", $test, [$($encoder),+].join(", "));
            return;
        }
    };
}

// Behind the macro, which they use.
mod cache;
mod faults;
mod frames;
mod kinds;

const X264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
/// The same pixels that went in.
const LOSSLESS: &[&str] = &["-c:v", "ffv1", "-pix_fmt", "gbrp"];

fn model_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/mini-clip")
}

fn model() -> String {
    model_dir().display().to_string()
}

fn ffmpeg(args: &[&str], out: &Path) {
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(args)
        .arg(format!("file:{}", out.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{args:?}: {said}");
}

impl Folder {
    /// A video in the folder `media` from a generator.
    fn video(&self, name: &str, generator: &str, encoder: &[&str]) -> PathBuf {
        let media = self.path("media");
        std::fs::create_dir_all(&media).unwrap();
        let path = media.join(name);
        ffmpeg(&[&["-f", "lavfi", "-i", generator], encoder].concat(), &path);
        path
    }

    /// The command `index` over the folder `media`, with a cache of its own.
    fn index(&self, out: &str, more: &[&str]) -> Command {
        let (model, media) = (model(), self.text("media"));
        let (out, cache) = (self.text(out), self.text("cache"));
        let mut args = vec!["index", "--model", &model, "--out", &out];
        if !more.contains(&"--catalogue") {
            args.extend(["--media", &media]);
        }
        if !more.contains(&"--no-cache") {
            args.extend(["--cache", &cache]);
        }
        args.extend(more);
        let mut command = command(&args);
        command.env("SOURCE_DATE_EPOCH", "1700000000");
        command
    }

    /// Indexes, and gives what was said.
    fn indexed(&self, out: &str, more: &[&str]) -> String {
        let output = self.index(out, more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    }

    fn refused(&self, out: &str, more: &[&str]) -> String {
        let output = self.index(out, more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(!said.contains("panicked") && !self.path(out).exists(), "{said}");
        said
    }

    /// The card of every video of a bundle.
    fn cards(&self, bundle: &str) -> BTreeMap<String, Value> {
        let dir = self.path(bundle);
        let file = std::fs::read(dir.join("manifest.json")).unwrap();
        let manifest = Manifest::parse(Envelope::parse(&file).unwrap().manifest_bytes()).unwrap();
        let mut cards = BTreeMap::new();
        for segment in &manifest.segments {
            let bytes = std::fs::read(dir.join(&segment.items.file)).unwrap();
            let table = ItemTable::open(AlignedBytes::copy_of(&bytes)).unwrap();
            for row in 0..table.len() {
                let card = serde_json::from_str(table.card(row)).unwrap();
                cards.insert(table.id(row).to_owned(), card);
            }
        }
        cards
    }

    /// How near each video is to a picture: the cosine of their vectors.
    fn nearness(&self, bundle: &str, picture: &Path) -> BTreeMap<String, f64> {
        let (model, bundle) = (model(), self.text(bundle));
        let picture = picture.display().to_string();
        let output = recsys(&[
            "search", "--bundle", &bundle, "--model", &model, "--image", &picture, "--json", "-k", "50",
        ]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let pair = |hit: &Value| {
            (
                hit["id"].as_str().unwrap().to_owned(),
                hit["score"].as_f64().unwrap(),
            )
        };
        found.iter().map(pair).collect()
    }
}

/// Every file of a folder with its content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// What counts in a vector is the frames alone.
const FRAMES_ALONE: [&str; 4] = ["--title-weight", "0", "--description-weight", "0"];

fn frames_of(card: &Value) -> u64 {
    card["madeOf"]["frames"].as_u64().unwrap()
}

/// A catalogue of pictures, each of another colour scheme, that need no ffmpeg.
fn catalogue(folder: &Folder, n: u32, name: impl Fn(u32) -> String) -> String {
    let mut lines = String::new();
    for i in 0..n {
        let file = format!("{i}.png");
        if !folder.path(&file).exists() {
            let picture = image::RgbImage::from_fn(48, 32, |x, y| {
                image::Rgb([
                    (x * 5 + i * 40) as u8,
                    (y * 7 + i * 20) as u8,
                    ((x * y) / 6) as u8,
                ])
            });
            picture.save(folder.path(&file)).unwrap();
        }
        let line = serde_json::json!({
            "id": format!("v{i}"), "name": name(i), "contentUrl": file,
            "description": "A red fox. It runs through the forest at night!",
        });
        lines.push_str(&format!("{line}\n"));
    }
    folder.write("videos.jsonl", lines)
}
