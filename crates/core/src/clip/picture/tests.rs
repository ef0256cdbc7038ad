use super::*;
use crate::clip::preprocess::{Filter, resize_centre_crop};
use std::path::{Path, PathBuf};

/// Side of a golden.
const SIZE: u32 = 16;
const GOLDENS: &[u8] = include_bytes!("../../../tests/fixtures/pictures/goldens.bin");
const NAMES: &str = include_str!("../../../tests/fixtures/pictures/names.txt");
/// 64 pixels of each of the photos at 224 × 224.
const PHOTOS: &[u8] = include_bytes!("../../../tests/fixtures/pictures/photos.bin");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn decode(bytes: &[u8]) -> Result<Picture, PictureError> {
    Picture::decode(bytes, &PictureLimits::NATIVE)
}

fn preprocessed(bytes: &[u8], size: u32) -> Vec<u8> {
    let picture = decode(bytes).unwrap();
    resize_centre_crop(&picture.rgb, picture.width, picture.height, size, Filter::Bicubic).unwrap()
}

fn greatest_difference(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn every_kind_of_picture_is_what_pillow_makes_of_it() {
    let goldens = GOLDENS.chunks_exact((SIZE * SIZE * 3) as usize);
    assert_eq!(NAMES.lines().count(), goldens.len());
    let mut wrong = Vec::new();
    for (name, golden) in NAMES.lines().zip(goldens) {
        let difference = greatest_difference(&preprocessed(&fixture(name), SIZE), golden);
        println!("{name}: {difference}");
        if difference > 2 {
            wrong.push(format!("{name}: {difference}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn photos_are_what_pillow_makes_of_them() {
    let Some(data) = std::env::var_os("RECSYS_DATA") else {
        println!("skipped: photos_are_what_pillow_makes_of_them (RECSYS_DATA unset)");
        return;
    };
    let mut photos: Vec<PathBuf> = std::fs::read_dir(Path::new(&data).join("photos"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jpg"))
        .collect();
    photos.sort();
    let goldens = PHOTOS.chunks_exact(64 * 3);
    assert_eq!(photos.len(), goldens.len());
    let mut state = 1u64;
    let positions: Vec<usize> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % (224 * 224)
    })
    .take(64)
    .collect();
    let differences = photos.iter().zip(goldens).map(|(path, golden)| {
        let pixels = preprocessed(&std::fs::read(path).unwrap(), 224);
        let found: Vec<u8> = positions
            .iter()
            .flat_map(|at| pixels[at * 3..at * 3 + 3].to_vec())
            .collect();
        greatest_difference(&found, golden)
    });
    let differences: Vec<u8> = differences.collect();
    println!("{} photos, greatest differences {differences:?}", photos.len());
    assert!(differences.iter().all(|d| *d <= 2));
}

#[test]
fn all_eight_orientations_show_the_same_picture() {
    // The same pixels were written eight times; turned back, they must be the first one.
    let upright = decode(&fixture("turned-1.jpg")).unwrap();
    let at = |p: &Picture, x: u32, y: u32| {
        let i = ((y * p.width + x) * 3) as usize;
        p.rgb[i..i + 3].to_vec()
    };
    let (w, h) = (upright.width, upright.height);
    // Where the pixel at (x, y) of the file is shown.
    type Shown = fn(u32, u32, u32, u32) -> (u32, u32);
    let shown: [Shown; 8] = [
        |x, y, _, _| (x, y),
        |x, y, w, _| (w - 1 - x, y),
        |x, y, w, h| (w - 1 - x, h - 1 - y),
        |x, y, _, h| (x, h - 1 - y),
        |x, y, _, _| (y, x),
        |x, y, _, h| (h - 1 - y, x),
        |x, y, w, h| (h - 1 - y, w - 1 - x),
        |x, y, w, _| (y, w - 1 - x),
    ];
    for (number, shown) in (1..).zip(shown) {
        let turned = decode(&fixture(&format!("turned-{number}.jpg"))).unwrap();
        let sides = if number > 4 { (h, w) } else { (w, h) };
        assert_eq!((turned.width, turned.height), sides, "{number}");
        for (x, y) in [(0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1), (7, 11), (30, 5)] {
            let (sx, sy) = shown(x, y, w, h);
            assert_eq!(at(&upright, x, y), at(&turned, sx, sy), "{number} at {x} {y}");
        }
    }
}

#[test]
fn other_formats_are_named() {
    for (start, format) in [
        (&b"\0\0\0\x20ftypavif\0\0\0\0avifmif1"[..], "AVIF"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"BM\x46\0\0\0\0\0\0\0", "BMP"),
        (b"this is text", "12 bytes of something else"),
        (b"", "0 bytes"),
    ] {
        assert!(!is_picture(start));
        let said = decode(start).unwrap_err().to_string();
        assert!(
            said.contains(format) && said.contains("expected a JPEG"),
            "{said}"
        );
    }
    assert!(is_picture(&fixture("baseline.jpg")[..16]) && is_picture(&fixture("lossless.webp")[..16]));
}

/// A file whose header promises a huge picture.
fn bomb(format: &str) -> Vec<u8> {
    match format {
        "gif" => b"GIF89a\xff\xff\xff\xff\xf0\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02".to_vec(),
        "pnm" => b"P6 30000 30000 255\n".to_vec(),
        "png" => {
            let mut png = fixture("point.png");
            png[16..20].copy_from_slice(&30_000u32.to_be_bytes());
            png[20..24].copy_from_slice(&30_000u32.to_be_bytes());
            let crc = crc32(&png[12..29]);
            png[29..33].copy_from_slice(&crc.to_be_bytes());
            png
        }
        _ => {
            let mut jpeg = fixture(format);
            let sof = jpeg
                .windows(2)
                .position(|w| matches!(w, [0xff, 0xc0 | 0xc2]))
                .unwrap();
            jpeg[sof + 5..sof + 9].copy_from_slice(&[0x75, 0x30, 0x75, 0x30]);
            jpeg
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[test]
fn bombs_are_refused_by_their_header() {
    for format in ["gif", "pnm", "png", "baseline.jpg", "progressive.jpg"] {
        for limits in [PictureLimits::NATIVE, PictureLimits::EDGE] {
            let said = Picture::decode(&bomb(format), &limits).unwrap_err().to_string();
            assert!(said.contains("at most"), "{format}: {said}");
        }
    }
}

#[test]
fn the_memory_of_a_picture_is_counted_before_it_is_taken() {
    let limits = |memory| PictureLimits {
        pixels: 1 << 20,
        memory,
    };
    let needs = |name: &str| {
        let bytes = fixture(name);
        (0..1 << 20)
            .step_by(64)
            .find(|memory| {
                !matches!(
                    Picture::decode(&bytes, &limits(*memory)),
                    Err(PictureError::TooLarge { .. })
                )
            })
            .unwrap()
    };
    let rounded = |bytes: u64| bytes.next_multiple_of(64);
    assert_eq!(needs("baseline.jpg"), rounded(150 * 100 * 3));
    // Coefficients of 16 bits for each of three components.
    assert_eq!(needs("progressive.jpg"), rounded(67 * 91 * (3 + 6)));
    assert_eq!(needs("turned-6.jpg"), rounded(45 * 32 * 6));
    assert_eq!(needs("sixteen-alpha.png"), rounded(18 * 25 * (8 + 3)));
}

#[test]
fn a_cut_file_is_refused_at_every_byte() {
    for name in NAMES.lines() {
        let bytes = fixture(name);
        // Behind the first picture of a GIF there may be anything; a PNG is whole without its end.
        let first = match name {
            "animation.gif" => continue,
            name if name.ends_with(".png") => bytes.len() - 24,
            _ => bytes.len(),
        };
        for cut in (0..first).step_by(1 + first / 300).chain([first - 1]) {
            assert!(
                decode(&bytes[..cut]).is_err(),
                "{name} cut at {cut} of {}",
                bytes.len()
            );
        }
    }
    let said = decode(&fixture("baseline.jpg")[..2000]).unwrap_err().to_string();
    assert!(said.contains("cut off"), "{said}");
}

#[test]
fn damage_never_panics() {
    for name in NAMES.lines() {
        let bytes = fixture(name);
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 400) {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                if let Ok(picture) = Picture::decode(&damaged, &PictureLimits::EDGE) {
                    let pixels = picture.width as usize * picture.height as usize;
                    assert_eq!(picture.rgb.len(), pixels * 3, "{name} at {at}");
                }
            }
        }
    }
}

/// What `cargo xtask fuzz picture` found.
#[test]
fn palettes_of_no_whole_number_of_colours_are_refused() {
    let found = fixture("damaged/palette-of-112-bytes.png");
    let error = decode(&found).unwrap_err().to_string();
    assert!(
        error.contains("a palette of 112 bytes, expected three for each"),
        "{error}"
    );
    let whole = fixture("palette.png");
    assert!(decode(&whole).is_ok());
    let at = whole.windows(4).position(|kind| kind == b"PLTE").unwrap();
    for length in [0u32, 1, 2, 4, 767, 771, u32::MAX] {
        let mut damaged = whole.clone();
        damaged[at - 4..at].copy_from_slice(&length.to_be_bytes());
        assert!(decode(&damaged).is_err(), "{length}");
    }
}

#[test]
fn what_comes_behind_the_end_of_a_jpeg_does_not_matter() {
    let mut bytes = fixture("restarts-422.jpg");
    let whole = decode(&bytes).unwrap();
    bytes.extend(fixture("grey.jpg"));
    assert_eq!(decode(&bytes).unwrap(), whole);
}
