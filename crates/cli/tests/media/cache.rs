//! What is kept between runs.

use super::*;

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
