//! Real videos and pictures as files: what is read of them, what is refused and how, and what is kept between runs. The videos
//! are drawn by ffmpeg's own generators.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

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

#[test]
fn videos_of_many_kinds_and_names_become_a_catalogue() {
    needs!(
        "videos_of_many_kinds_and_names_become_a_catalogue",
        "libx264",
        "libvpx",
        "libvpx-vp9",
        "mpeg4"
    );
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("media/deep/er")).unwrap();
    let fast: &[&str] = &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"];
    folder.video("plain_name.mp4", "testsrc2=s=160x90:d=2:r=8", X264);
    folder.video(
        "deep/er/vp9 'two' \"three\" #4 100%.webm",
        "mandelbrot=s=96x54:r=8:end_pts=8,trim=duration=1",
        fast,
    );
    folder.video(
        "-i.webm",
        "smptebars=s=96x54:d=1:r=8",
        &["-c:v", "libvpx", "-deadline", "realtime"],
    );
    folder.video("new\nline.MOV", "gradients=s=96x54:d=1:r=8", X264);
    folder.video("Rød ræv 東京.mkv", "life=s=96x54:r=8,trim=duration=1", X264);
    folder.video("old.avi", "testsrc=s=96x54:d=1:r=8", &["-c:v", "mpeg4"]);
    folder.video("concat:pipe%d.mp4", "rgbtestsrc=s=96x54:d=1:r=8", X264);
    let tags = [
        "-metadata",
        "title=A fox",
        "-metadata",
        "creation_time=2024-05-01T10:00:00Z",
    ];
    folder.video("tagged.mp4", "testsrc2=s=96x54:d=1:r=8", &[X264, &tags].concat());
    folder.video(".hidden.mp4", "testsrc2=s=96x54:d=1:r=8", X264);
    std::fs::write(folder.path("media/notes.txt"), "no video").unwrap();

    let said = folder.indexed("bundle", &[]);
    assert_says(
        &said,
        &["1 other file(s)", "8 encoded, 0 from the cache, 0 failed"],
    );
    let cards = folder.cards("bundle");
    let ids: Vec<&str> = cards.keys().map(String::as_str).collect();
    assert_eq!(
        ids,
        [
            "-i.webm",
            "Rød ræv 東京.mkv",
            "concat:pipe%25d.mp4",
            "deep/er/vp9 'two' \"three\" #4 100%25.webm",
            "new%0Aline.MOV",
            "old.avi",
            "plain_name.mp4",
            "tagged.mp4",
        ]
    );
    let card = |id: &str| cards.get(id).unwrap();
    assert_eq!(card("plain_name.mp4")["name"], "plain name");
    assert_eq!(card("plain_name.mp4")["durationSeconds"], 2.0);
    assert_eq!(card("new%0Aline.MOV")["name"], "new line");
    assert_eq!(card("tagged.mp4")["name"], "A fox");
    assert!(
        card("tagged.mp4")["uploadDate"]
            .as_str()
            .unwrap()
            .starts_with("2024-05-01T10:00:00")
    );
    assert_eq!(
        card("deep/er/vp9 'two' \"three\" #4 100%25.webm")["contentUrl"],
        "deep/er/vp9%20%27two%27%20%22three%22%20%234%20100%25.webm"
    );
    assert!(cards.values().all(|card| (1..=8).contains(&frames_of(card))));
}

#[test]
fn every_scene_has_a_frame_that_stands_for_its_time() {
    needs!("every_scene_has_a_frame_that_stands_for_its_time", "ffv1", "png");
    let folder = Folder::new();
    // Four still pictures, a black lead-in, and one of them again.
    let scenes = [
        ("color=black", 1.0),
        ("smptebars", 0.5),
        ("rgbtestsrc", 1.0),
        ("pal100bars", 2.0),
        ("smptebars", 1.5),
        ("yuvtestsrc", 3.0),
    ];
    let list: Vec<String> = scenes
        .iter()
        .map(|(scene, seconds)| {
            let sign = if scene.contains('=') { ':' } else { '=' };
            format!("{scene}{sign}s=160x90:d={seconds}:r=10,format=gbrp,setsar=1")
        })
        .collect();
    let inputs = list
        .iter()
        .flat_map(|scene| ["-f", "lavfi", "-i", scene])
        .collect::<Vec<_>>();
    let joined = format!("concat=n={}:v=1", scenes.len());
    std::fs::create_dir_all(folder.path("media")).unwrap();
    ffmpeg(
        &[&inputs[..], &["-filter_complex", &joined], LOSSLESS].concat(),
        &folder.path("media/scenes.mkv"),
    );
    folder.indexed("bundle", &FRAMES_ALONE);
    let card = &folder.cards("bundle")["scenes.mkv"];
    assert_eq!(card["madeOf"], serde_json::json!({ "frames": 4, "cuts": 4 }));

    // The vector is the mean of the four by their seconds; the black one stands for nothing.
    let model = Model::parse(&std::fs::read(model_dir().join(FILE_NAME)).unwrap()).unwrap();
    let tower = AlignedBytes::copy_of(&std::fs::read(model_dir().join(&model.image.tower.file)).unwrap());
    let encoder = ImageEncoder::new(&model, tower).unwrap();
    let mut mean = vec![0f32; 128];
    for (scene, weight) in [(1, 2.0), (2, 1.0), (3, 2.0), (5, 3.0)] {
        let png = folder.path("still.png");
        ffmpeg(&["-f", "lavfi", "-i", &list[scene], "-frames:v", "1"], &png);
        let picture = Picture::decode(&std::fs::read(&png).unwrap(), &PictureLimits::NATIVE).unwrap();
        let vector = encoder.encode(
            &picture.rgb,
            picture.width,
            picture.height,
            &mut Scratch::default(),
        );
        mean.iter_mut()
            .zip(vector.unwrap())
            .for_each(|(m, v)| *m += weight * v);
    }
    let found = bundle_vectors(&folder, &mean);
    assert!(found >= 0.999, "{found}");

    // Two frames are asked for: the two scenes that last longest are among them, or the nearest to them.
    folder.indexed("two", &[&FRAMES_ALONE[..], &["--frames", "2"]].concat());
    assert_eq!(frames_of(&folder.cards("two")["scenes.mkv"]), 2);
}

/// How near the only video of `bundle` is to a vector.
fn bundle_vectors(folder: &Folder, vector: &[f32]) -> f64 {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    let query = recsys_core::npy::Matrix {
        rows: 1,
        columns: vector.len(),
        values: vector.iter().map(|v| v / length).collect(),
    };
    let query = folder.write("query.npy", query.to_bytes());
    let output = recsys(&[
        "search",
        "--bundle",
        &folder.text("bundle"),
        "--vectors",
        &query,
        "--json",
    ]);
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    found[0]["score"].as_f64().unwrap()
}

#[test]
fn frames_are_what_a_viewer_sees_whatever_ffmpeg_reduces() {
    needs!(
        "frames_are_what_a_viewer_sees_whatever_ffmpeg_reduces",
        "ffv1",
        "libx264",
        "png",
        "bmp"
    );
    let folder = Folder::new();
    let one = |more: &[&'static str]| [LOSSLESS, &["-frames:v", "1"], more].concat();
    let scene = "testsrc2=s=1280x720:r=1:d=1";
    folder.video("large.mkv", scene, &one(&[]));
    // Half as wide, and shown at full width.
    folder.video(
        "narrow.mkv",
        &format!("{scene},scale=640:720,setsar=2"),
        &one(&[]),
    );
    let still = folder.path("still.png");
    ffmpeg(&["-f", "lavfi", "-i", scene, "-frames:v", "1"], &still);
    // Turned by its metadata alone.
    folder.video("upright.mp4", "testsrc2=s=320x180:r=1:d=1", X264);
    let upright = folder.text("media/upright.mp4");
    let turned = folder.path("media/turned.mp4");
    ffmpeg(
        &["-i", &upright, "-c", "copy", "-metadata:s:v", "rotate=90"],
        &turned,
    );
    let (shown, lying) = (folder.path("shown.png"), folder.path("lying.png"));
    ffmpeg(
        &["-i", &folder.text("media/turned.mp4"), "-frames:v", "1"],
        &shown,
    );
    ffmpeg(&["-i", &upright, "-frames:v", "1"], &lying);

    folder.indexed("bundle", &FRAMES_ALONE);
    let near = folder.nearness("bundle", &still);
    println!("{near:?}");
    assert!(
        near["large.mkv"] >= 0.999 && near["narrow.mkv"] >= 0.995,
        "{near:?}"
    );
    let (to_shown, to_lying) = (
        folder.nearness("bundle", &shown),
        folder.nearness("bundle", &lying),
    );
    println!("{to_shown:?} {to_lying:?}");
    assert!(to_shown["turned.mp4"] >= 0.999 && to_lying["upright.mp4"] >= 0.999);
    assert!(to_lying["turned.mp4"] < 0.98, "{to_lying:?}");

    // A picture that only ffmpeg reads.
    let bmp = folder.path("still.bmp");
    ffmpeg(&["-i", &still.display().to_string()], &bmp);
    assert!(folder.nearness("bundle", &bmp)["large.mkv"] >= 0.999);
}

#[test]
fn what_cannot_be_read_is_named_with_the_remedy() {
    needs!("what_cannot_be_read_is_named_with_the_remedy", "libx264", "aac");
    let folder = Folder::new();
    folder.video("good.mp4", "testsrc2=s=96x54:d=1:r=8", X264);
    folder.video("sound.mp4", "sine=d=1", &["-c:a", "aac"]);
    let whole = folder.video(
        "whole.mp4",
        "testsrc2=s=320x180:d=20:r=10",
        &[X264, &["-movflags", "+faststart"]].concat(),
    );
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(folder.path("media/cut.mp4"), &bytes[..bytes.len() / 4]).unwrap();
    let late = folder.video("unfinished.mp4", "testsrc2=s=96x54:d=1:r=8", X264);
    let bytes = std::fs::read(&late).unwrap();
    std::fs::write(&late, &bytes[..bytes.len() - 100]).unwrap();
    std::fs::write(folder.path("media/empty.mp4"), "").unwrap();
    std::fs::write(folder.path("media/text.mp4"), "this is no video").unwrap();
    // A playlist that names something elsewhere is not followed.
    let playlist = "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n";
    std::fs::write(folder.path("media/list.mp4"), playlist).unwrap();

    let said = folder.refused("bundle", &[]);
    assert_says(
        &said,
        &["5 video(s) cannot be indexed", "--skip-bad", "in the cache"],
    );
    let said = folder.indexed("bundle", &["--skip-bad"]);
    assert_says(
        &said,
        &[
            "0 encoded, 3 from the cache, 5 failed",
            "left out 5 video(s)",
            "\"sound.mp4\"",
            "expected a video stream, found none",
            "\"empty.mp4\"",
            "the file is empty; copy it again",
            "\"unfinished.mp4\"",
            "moov atom not found",
            "copy or export it again",
            "\"text.mp4\"",
            "\"list.mp4\"",
            "1 video(s) are indexed in part",
            "\"cut.mp4\": only the first",
            "of 20 s were read",
        ],
    );
    let cards = folder.cards("bundle");
    assert_eq!(
        cards.keys().map(String::as_str).collect::<Vec<_>>(),
        ["cut.mp4", "good.mp4", "whole.mp4"]
    );
    assert!(frames_of(&cards["cut.mp4"]) < frames_of(&cards["whole.mp4"]));

    let none = Folder::new();
    std::fs::create_dir(none.path("media")).unwrap();
    assert_says(&none.refused("bundle", &[]), &["expected videos (", "found none"]);
}

#[test]
fn one_frame_varying_rates_and_unknown_lengths_are_read() {
    needs!(
        "one_frame_varying_rates_and_unknown_lengths_are_read",
        "libx264",
        "libvpx"
    );
    let folder = Folder::new();
    folder.video(
        "one.mp4",
        "testsrc2=s=96x54:d=1:r=8",
        &[X264, &["-frames:v", "1"]].concat(),
    );
    let varying = "testsrc2=s=96x54:d=4:r=25,select='lt(mod(n,17),5)'";
    folder.video("varying.mkv", varying, &[X264, &["-vsync", "vfr"]].concat());
    // As a browser records it: the container has no length.
    let live = folder.path("media/live.webm");
    let pipe = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=96x54:d=2:r=8",
            "-c:v",
            "libvpx",
        ])
        .args(["-deadline", "realtime", "-f", "webm", "pipe:1"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    std::fs::write(&live, pipe.stdout).unwrap();
    folder.video("flat.mp4", "color=red:s=96x54:d=2:r=8", X264);
    folder.indexed("bundle", &[]);
    let frames: Vec<u64> = folder.cards("bundle").values().map(frames_of).collect();
    let [flat, live, one, varying] = frames[..] else {
        panic!("{frames:?}")
    };
    assert_eq!((flat, one), (1, 1));
    assert!(live >= 6 && varying >= 6, "{frames:?}");
    assert!(folder.cards("bundle")["live.webm"]["durationSeconds"].is_null());
}

#[test]
fn ten_hours_take_seconds() {
    needs!("ten_hours_take_seconds", "libx264");
    let folder = Folder::new();
    // Ten minutes of colours that change, sixty times over: 36,000 s with a frame that stands alone every 20 s.
    let scenes = "testsrc2=s=96x54:r=1:d=600,hue=H=2*PI*t/600";
    let part = folder.path("part.mp4");
    ffmpeg(
        &[&["-f", "lavfi", "-i", scenes][..], X264, &["-g", "20"]].concat(),
        &part,
    );
    std::fs::create_dir(folder.path("media")).unwrap();
    let film = folder.path("media/film.mp4");
    ffmpeg(
        &["-stream_loop", "59", "-i", &folder.text("part.mp4"), "-c", "copy"],
        &film,
    );
    folder.video("red.mp4", "color=red:s=96x54:r=1/10:d=36000", X264);
    let start = Instant::now();
    folder.indexed("bundle", &[]);
    let taken = start.elapsed();
    println!("two films of ten hours: {taken:?}");
    // Some dozens of starts of ffmpeg, on a machine that may be busy.
    assert!(taken < Duration::from_secs(120), "{taken:?}");
    let cards = folder.cards("bundle");
    assert_eq!(cards["film.mp4"]["durationSeconds"], 36_000.0);
    assert_eq!(
        (frames_of(&cards["film.mp4"]), frames_of(&cards["red.mp4"])),
        (8, 1)
    );
}

#[test]
fn a_program_that_hangs_is_stopped() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("media")).unwrap();
    std::fs::create_dir(folder.path("bin")).unwrap();
    std::fs::write(folder.path("media/a.mp4"), "never read").unwrap();
    let program = |name: &str, script: &str| {
        let path = folder.path("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let answer = r#"echo '{"streams":[{"width":64,"height":64,"duration":"2.0"}]}'"#;
    let run = || -> Output {
        let mut command = folder.index("bundle", &["--media-timeout", "1"]);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", folder.text("bin")));
        let start = Instant::now();
        let output = command.output().unwrap();
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        output
    };
    let said = |output: Output| String::from_utf8_lossy(&output.stderr).into_owned();
    program("ffprobe", "exec sleep 60");
    assert_says(
        &said(run()),
        &["\"a.mp4\"", "ffprobe took too long", "--media-timeout"],
    );
    program("ffprobe", answer);
    program("ffmpeg", "exec sleep 60");
    assert_says(
        &said(run()),
        &["\"a.mp4\"", "ffmpeg took too long", "--media-timeout"],
    );
    // One frame comes, then nothing: that frame is used, and the next run tries again.
    let frame = "echo frame:0 pts_time:0 >&2; echo lavfi.scene_score=0 >&2; head -c 12288 /dev/zero";
    program("ffmpeg", &format!("{frame}; exec sleep 60"));
    for _ in 0..2 {
        let output = run();
        assert!(output.status.success());
        assert_says(
            &said(output),
            &["1 encoded", "indexed in part", "ffmpeg took too long"],
        );
    }
    // Without the programs, the error says how to get them.
    let mut command = folder.index("bundle", &[]);
    let said = said(command.env("PATH", folder.text("none")).output().unwrap());
    assert_says(
        &said,
        &["ffmpeg and ffprobe are needed", "apt-get install ffmpeg"],
    );
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

#[test]
fn a_second_run_encodes_what_has_changed_and_gives_the_same_bundle() {
    let folder = Folder::new();
    let names = |i: u32| format!("red fox number {i}");
    let path = catalogue(&folder, 12, names);
    let with: &[&str] = &["--catalogue", &path];
    assert_says(
        &folder.indexed("one", with),
        &["12 encoded, 0 from the cache, 0 failed"],
    );
    assert_says(
        &folder.indexed("two", with),
        &["0 encoded, 12 from the cache, 0 failed"],
    );
    let fresh = folder.indexed("three", &[with, &["--no-cache"]].concat());
    assert_says(&fresh, &["12 encoded, 0 from the cache"]);
    assert_eq!(files(&folder.path("one")), files(&folder.path("two")));
    assert_eq!(files(&folder.path("one")), files(&folder.path("three")));
    let card = &folder.cards("one")["v0"];
    assert_eq!(
        card["madeOf"],
        serde_json::json!({ "frames": 1, "texts": ["name", "description"] })
    );

    // One title, one file, and an option that all depend on.
    catalogue(
        &folder,
        12,
        |i| if i == 3 { "blue cat".to_owned() } else { names(i) },
    );
    assert_says(&folder.indexed("four", with), &["1 encoded, 11 from the cache"]);
    assert_ne!(files(&folder.path("one")), files(&folder.path("four")));
    std::fs::copy(folder.path("5.png"), folder.path("4.png")).unwrap();
    assert_says(&folder.indexed("five", with), &["0 encoded, 12 from the cache"]);
    image::RgbImage::from_fn(40, 40, |x, y| image::Rgb([x as u8, y as u8, 200]))
        .save(folder.path("4.png"))
        .unwrap();
    assert_says(&folder.indexed("six", with), &["1 encoded, 11 from the cache"]);
    let frames = folder.indexed("seven", &[with, &["--frames", "3"]].concat());
    assert_says(&frames, &["12 encoded, 0 from the cache"]);
    // Shares are not what is kept.
    let shares = folder.indexed("eight", &[with, &["--title-weight", "0.5"]].concat());
    assert_says(&shares, &["0 encoded, 12 from the cache"]);

    let said = folder.refused(
        "nine",
        &[with, &["--title-weight", "0.8", "--description-weight", "0.3"]].concat(),
    );
    assert_says(&said, &["--title-weight 0.8", "together at most 1"]);
}

/// The files of a cache, without those that are being written.
fn kept(folder: &Folder) -> Vec<PathBuf> {
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(folder.path("cache")).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_name() != "unfinished" {
            kept.extend(
                std::fs::read_dir(entry.path())
                    .unwrap()
                    .map(|file| file.unwrap().path()),
            );
        }
    }
    kept
}

#[test]
fn damaged_and_foreign_files_in_the_cache_are_told_and_made_again() {
    let folder = Folder::new();
    let path = catalogue(&folder, 3, |i| format!("fox {i}"));
    let with: &[&str] = &["--catalogue", &path];
    folder.indexed("one", with);
    for (i, file) in kept(&folder).iter().enumerate() {
        let bytes = std::fs::read(file).unwrap();
        let damaged = match i % 3 {
            0 => bytes[..bytes.len() / 2].to_vec(),
            1 => b"somebody else's".to_vec(),
            _ => [&bytes[..bytes.len() - 1], &[!bytes[bytes.len() - 1]]].concat(),
        };
        std::fs::write(file, damaged).unwrap();
    }
    let said = folder.indexed("two", with);
    assert_says(
        &said,
        &[
            "warning:",
            "damaged, or no file of recsys; made again",
            "3 encoded, 0 from the cache",
        ],
    );
    assert_eq!(files(&folder.path("one")), files(&folder.path("two")));
    assert_says(&folder.indexed("three", with), &["0 encoded, 3 from the cache"]);

    // A cache that was asked for and cannot be made.
    folder.write("file", "");
    let mut command = folder.index("four", &[with, &["--no-cache"]].concat());
    let both = command.args(["--cache", &folder.text("file")]).output().unwrap();
    assert!(String::from_utf8_lossy(&both.stderr).contains("cannot be used with"));
    let said = refused(&[
        "index",
        "--catalogue",
        &path,
        "--out",
        &folder.text("four"),
        "--model",
        &model(),
        "--cache",
        &folder.text("file"),
    ]);
    assert_says(&said, &["cannot make the cache's folder", "--no-cache"]);
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    const VIDEOS: u32 = 60;
    let folder = Folder::new();
    let path = catalogue(&folder, VIDEOS, |i| format!("fox {i}"));
    // Larger pictures, so that there is time to interrupt.
    for i in 0..VIDEOS {
        image::RgbImage::from_fn(1200, 900, |x, y| {
            image::Rgb([(x + i * 3) as u8, (y * i) as u8, (x * y) as u8])
        })
        .save(folder.path(&format!("{i}.png")))
        .unwrap();
    }
    let with: &[&str] = &["--catalogue", &path, "--threads", "1"];
    let mut child = folder
        .index("bundle", with)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while kept(&folder).len() < 15 {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing is kept");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        !folder.path("bundle").exists(),
        "it should have been killed before its end"
    );

    let said = folder.indexed("bundle", with);
    let line = said.lines().find(|line| line.contains("from the cache")).unwrap();
    let numbers: Vec<u32> = line
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect();
    let [encoded, from_cache, failed] = numbers[..] else {
        panic!("{line}")
    };
    println!("{line}");
    assert_eq!((encoded + from_cache, failed), (VIDEOS, 0));
    assert!(from_cache >= 3 && encoded > 0, "{line}");
    folder.indexed("fresh", &[with, &["--no-cache"]].concat());
    assert_eq!(files(&folder.path("bundle")), files(&folder.path("fresh")));
}

#[test]
fn a_catalogue_may_have_its_media_elsewhere() {
    let folder = Folder::new();
    let path = catalogue(&folder, 2, |i| format!("fox {i}"));
    std::fs::create_dir(folder.path("elsewhere")).unwrap();
    for file in ["0.png", "1.png"] {
        std::fs::rename(folder.path(file), folder.path("elsewhere").join(file)).unwrap();
    }
    let said = folder.refused("bundle", &["--catalogue", &path]);
    assert_says(&said, &["0.png: no such file", "contentUrl"]);
    folder.indexed(
        "bundle",
        &["--catalogue", &path, "--media", &folder.text("elsewhere")],
    );
    assert_eq!(folder.cards("bundle")["v1"]["contentUrl"], "1.png");
}
