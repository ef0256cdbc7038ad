//! Which frames are taken, and what of them.

use super::*;

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
