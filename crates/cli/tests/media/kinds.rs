//! Folders and catalogues of videos.

use super::*;

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
