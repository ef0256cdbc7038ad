use std::collections::HashSet;

use crate::world::{Options, tables, write_world};
use crate::*;

fn scene(thing: Thing, colour: Colour, place: Place, time: Time) -> Scene {
    Scene {
        thing,
        colour,
        place,
        time,
        motion: Motion::Still,
        seed: 7,
    }
}

#[test]
fn frames_repeat_and_move() {
    let mut rng = Rng::new(11);
    for &time in Time::ALL {
        let drifting = Scene {
            time,
            motion: Motion::DriftLeft,
            ..Scene::random(&mut rng)
        };
        let renderer = Renderer::new(&drifting, 160, 90).unwrap();
        let start = renderer.frame(0.0);
        assert_eq!(start.len(), 160 * 90 * 3);
        assert_eq!(start, render_frame(&drifting, 0.0, 160, 90).unwrap());
        assert_ne!(start, renderer.frame(0.5));
        let other = Scene {
            seed: drifting.seed ^ 1,
            ..drifting
        };
        assert_ne!(start, render_frame(&other, 0.0, 160, 90).unwrap());
    }
}

#[test]
fn impossible_sizes_are_refused() {
    let scene = scene(Thing::Fox, Colour::Red, Place::City, Time::Night);
    for (width, height) in [(0, 90), (160, 0), (MAX_SIDE + 1, 1)] {
        let error = render_frame(&scene, 0.0, width, height).unwrap_err();
        assert_eq!(error, RenderError::Size { width, height });
    }
}

/// Each attribute must show in the 64 × 64 crop that models and thumbnails see, the colour at the thing itself.
#[test]
fn every_attribute_changes_the_centre_crop() {
    let base = scene(Thing::Car, Colour::Red, Place::City, Time::Sunny);
    let crop = |scene: &Scene| pairs::crops(scene, &[0.0], 64).unwrap();
    let reference = crop(&base);
    let changed = |scene: &Scene| {
        let pixels = crop(scene);
        let far = |(a, b): (&[u8], &[u8])| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > 40);
        pixels
            .chunks(3)
            .zip(reference.chunks(3))
            .filter(|pair| far(*pair))
            .count()
    };
    let colours = Colour::ALL.iter().skip(1).map(|&colour| Scene { colour, ..base });
    let things = Thing::ALL
        .iter()
        .filter(|t| **t != Thing::Car)
        .map(|&thing| Scene { thing, ..base });
    let places = Place::ALL
        .iter()
        .filter(|p| **p != Place::City)
        .map(|&place| Scene { place, ..base });
    let times = Time::ALL.iter().skip(1).map(|&time| Scene { time, ..base });
    for scene in colours.chain(things).chain(places).chain(times) {
        let pixels = changed(&scene);
        assert!(
            pixels > 200,
            "{} differs from the base in {pixels} pixels only",
            title(&scene)
        );
    }
}

#[test]
fn colours_stay_apart_in_every_light() {
    for &time in Time::ALL {
        let hues: Vec<[i32; 3]> = Colour::ALL
            .iter()
            .map(|&colour| {
                // The middle of a hot air balloon is plain main colour.
                let scene = scene(Thing::Balloon, colour, Place::City, time);
                let frame = render_frame(&scene, 0.0, 320, 180).unwrap();
                let mut sum = [0; 3];
                let mut count = 0;
                for y in 60..80 {
                    for x in 155..165 {
                        let pixel = &frame[(y * 320 + x) * 3..][..3];
                        sum.iter_mut()
                            .zip(pixel)
                            .for_each(|(sum, p)| *sum += i32::from(*p));
                        count += 1;
                    }
                }
                sum.map(|s| s / count)
            })
            .collect();
        for (i, a) in hues.iter().enumerate() {
            for (j, b) in hues.iter().enumerate().take(i) {
                let distance: i32 = a.iter().zip(b).map(|(a, b)| (a - b).pow(2)).sum();
                assert!(
                    distance > 35 * 35,
                    "{:?} and {:?}, {time:?}: {a:?} {b:?}",
                    Colour::ALL[i],
                    Colour::ALL[j]
                );
            }
        }
    }
}

#[test]
fn about_a_tenth_is_held_out_and_every_value_is_trained() {
    let mut held = 0;
    for &thing in Thing::ALL {
        for &colour in Colour::ALL {
            let count = Place::ALL
                .iter()
                .filter(|place| is_held_out(thing, colour, **place))
                .count();
            assert!(
                count < Place::ALL.len(),
                "{thing:?} is never trained in {colour:?}"
            );
            held += count;
        }
    }
    let share = held as f64 / (Thing::ALL.len() * Colour::ALL.len() * Place::ALL.len()) as f64;
    assert!((0.08..0.12).contains(&share), "{share}");
    assert!((0..2_000).all(|index| !pairs::training_scene(3, index).held_out()));
}

#[test]
fn the_heldout_set_is_held_out_and_its_neighbours_differ_in_one_attribute() {
    let set = heldout_set(1);
    assert_eq!(set.len(), HELDOUT_VIDEOS);
    let key = |s: &Scene| (s.thing, s.colour, s.place, s.time);
    assert_eq!(
        set.iter()
            .map(|held| key(&held.scene))
            .collect::<HashSet<_>>()
            .len(),
        HELDOUT_VIDEOS
    );
    for HeldOut { scene, neighbours } in &set {
        assert!(scene.held_out());
        assert_eq!(
            neighbours.iter().map(key).collect::<HashSet<_>>().len(),
            NEIGHBOURS
        );
        for other in neighbours {
            let differences = usize::from(scene.thing != other.thing)
                + usize::from(scene.colour != other.colour)
                + usize::from(scene.place != other.place)
                + usize::from(scene.time != other.time);
            assert_eq!(differences, 1);
        }
    }
    assert_ne!(heldout_set(2)[0].scene, set[0].scene);
}

/// Every caption says something true, and the first says everything.
#[test]
fn captions_name_what_they_show() {
    let mut rng = Rng::new(4);
    let mut distinct = HashSet::new();
    for _ in 0..500 {
        let scene = Scene::random(&mut rng);
        let captions = captions(&scene, 8, &mut rng);
        for word in [
            scene.thing.name(),
            scene.colour.name(),
            scene.place.name(),
            scene.time.name(),
        ] {
            assert!(captions[0].contains(word), "{:?} lacks {word:?}", captions[0]);
        }
        let words: Vec<&str> = [
            scene.thing.synonyms(),
            scene.colour.synonyms(),
            scene.place.synonyms(),
        ]
        .concat()
        .into_iter()
        .chain(scene.time.synonyms().iter().copied())
        .chain([scene.thing.name(), scene.colour.name(), scene.thing.kind()])
        .chain([scene.place.noun(), scene.time.adjective()])
        .collect();
        for caption in captions {
            assert!(
                words.iter().any(|word| caption.contains(word)),
                "{caption:?} names nothing of {scene:?}"
            );
            assert!(caption.split_whitespace().count() <= 20, "{caption:?}");
            assert!(
                caption
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || " ,:".contains(c)),
                "{caption:?}"
            );
            distinct.insert(caption);
        }
    }
    assert!(
        distinct.len() > 3_000,
        "{} distinct captions of 4000",
        distinct.len()
    );
    let fox = scene(Thing::Fox, Colour::Red, Place::Forest, Time::Night);
    assert_eq!(title(&fox), "Red fox in the forest at night");
}

#[test]
fn npy_headers_follow_the_format() {
    let header = npy::header(&[800, 64, 64, 3]).unwrap();
    assert_eq!(&header[..8], b"\x93NUMPY\x01\x00");
    assert_eq!(
        usize::from(u16::from_le_bytes([header[8], header[9]])) + 10,
        npy::HEADER_LEN
    );
    let text = std::str::from_utf8(&header[10..]).unwrap();
    assert_eq!(
        text.trim_end(),
        "{'descr': '|u1', 'fortran_order': False, 'shape': (800, 64, 64, 3,), }"
    );
    assert!(text.ends_with('\n'));
    assert!(npy::header(&[usize::MAX; 9]).is_err());
    assert!(npy::write(&mut Vec::new(), &[2, 3], &[0; 5]).is_err());
}

#[test]
fn training_pairs_do_not_depend_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    let files = |name: &str, threads: usize| {
        let out = folder.path().join(name);
        pairs::write_training(&out, 5, 9, 32, threads, &|_| ()).unwrap();
        (
            std::fs::read(out.join("images.npy")).unwrap(),
            std::fs::read(out.join("captions.jsonl")).unwrap(),
        )
    };
    let one = files("one", 1);
    assert_eq!(one, files("three", 3));
    assert_eq!(one.0.len(), npy::HEADER_LEN + 5 * 32 * 32 * 3);
    assert_eq!(one.1.iter().filter(|byte| **byte == b'\n').count(), 5);
}

fn small() -> Options {
    Options {
        videos: 60,
        viewers: 12,
        seed: 3,
        frames: 2,
        mp4: false,
        ..Options::default()
    }
}

/// 64-bit FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Anyone with the same seed has the same catalogue and log. A change here is a change of the demo's content:
/// the committed models were trained and measured on it.
#[test]
fn tables_are_pinned() {
    let tables = tables(&small()).unwrap();
    assert_eq!(
        (hash(&tables.videos), hash(&tables.events)),
        (3_144_205_830_855_577_689, 10_935_903_632_040_394_823)
    );
}

#[test]
fn core_reads_every_line_and_every_event_names_a_video() {
    let options = Options {
        videos: 400,
        viewers: 80,
        ..small()
    };
    let tables = tables(&options).unwrap();
    let lines = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let videos: HashSet<_> = lines(&tables.videos)
        .lines()
        .map(|line| {
            let video = recsys_core::catalogue::Video::parse(line.as_bytes()).unwrap();
            assert!(video.impressions.is_some() && video.genre.is_some() && video.creator.is_some());
            video.id
        })
        .collect();
    assert_eq!(videos.len(), options.videos);
    let events: Vec<_> = lines(&tables.events)
        .lines()
        .map(|line| recsys_core::events::parse_line(line).unwrap())
        .collect();
    assert!(events.is_sorted_by_key(|event| event.ts_ms));
    let slates = recsys_core::events::join(&events, recsys_core::events::Label::Click).unwrap();
    let (mut shown, mut clicked, mut expected) = (0, 0, 0.0);
    for item in slates.iter().flat_map(|slate| &slate.shown) {
        assert!(videos.contains(&item.item));
        shown += 1;
        clicked += usize::from(item.positive);
        expected += 1.0 / item.propensity.unwrap();
    }
    assert_eq!((shown, clicked), (tables.impressions, tables.clicks));
    let rate = clicked as f64 / f64::from(shown as u32);
    assert!((0.11..0.22).contains(&rate), "click rate {rate}");
    // Inverse propensities estimate the number of items that could have been shown, for each slate.
    let per_slate = expected / slates.len() as f64;
    assert!((per_slate / 390.0 - 1.0).abs() < 0.08, "{per_slate}");
    let uniform = slates
        .iter()
        .filter(|s| s.arm.as_deref() == Some(recsys_core::events::UNIFORM_ARM))
        .count();
    assert!((0.42..0.62).contains(&(uniform as f64 / slates.len() as f64)));
}

#[test]
fn a_world_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("world");
    let options = Options {
        videos: 3,
        viewers: 2,
        ..small()
    };
    let report = write_world(&out, &options, &|_| ()).unwrap();
    assert_eq!(report.videos, 3);
    for file in [
        "media/v00003/001.jpg",
        "thumbs/v00001.jpg",
        "previews/v00002.jpg",
        "videos.jsonl",
        "world.json",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let strip = image::open(out.join("previews/v00001.jpg")).unwrap();
    assert_eq!((strip.width(), strip.height()), (8 * 240, 135));
    let listing = |path: &std::path::Path| std::fs::read_dir(path).unwrap().count();
    // A second world replaces the first, and nothing is left beside it.
    write_world(
        &out,
        &Options {
            videos: 2,
            ..options.clone()
        },
        &|_| (),
    )
    .unwrap();
    assert_eq!((listing(&out.join("thumbs")), listing(folder.path())), (2, 1));
    // Somebody else's folder is left alone.
    let theirs = folder.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    std::fs::write(theirs.join("letter.txt"), "dear").unwrap();
    let error = write_world(&theirs, &options, &|_| ()).unwrap_err();
    assert!(format!("{error:#}").contains("--force"), "{error:#}");
    assert_eq!(listing(&theirs), 1);
    write_world(
        &theirs,
        &Options {
            force: true,
            ..options.clone()
        },
        &|_| (),
    )
    .unwrap();
    assert!(!theirs.join("letter.txt").exists());
    let bad = Options { videos: 0, ..options };
    assert!(write_world(&folder.path().join("none"), &bad, &|_| ()).is_err());
    assert!(!folder.path().join("none").exists());
}
