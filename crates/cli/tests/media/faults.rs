//! What cannot be read, and what takes long.

use super::*;

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
