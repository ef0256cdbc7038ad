//! Sprite sheets: small stills of every video on a few JPEGs that everybody fetches alike.

use crate::bundle::BundleWriter;
use crate::media::Picture;
use anyhow::{Context, Result};
use image::{RgbImage, imageops};
use recsys_core::manifest::Sprites;

const COLUMNS: u32 = 10;
const ROWS: u32 = 10;
const WIDTH: u32 = 160;
const HEIGHT: u32 = 90;
const QUALITY: u8 = 82;

/// A still cut to 16:9 and made small.
pub fn still(picture: &Picture) -> Option<RgbImage> {
    let image = RgbImage::from_raw(picture.width, picture.height, picture.rgb.clone())?;
    let (w, h) = image.dimensions();
    // The largest 16:9 part in the middle.
    let (cut_w, cut_h) = if w * 9 > h * 16 {
        (h * 16 / 9, h)
    } else {
        (w, w * 9 / 16)
    };
    let cut = imageops::crop_imm(
        &image,
        (w - cut_w) / 2,
        (h - cut_h) / 2,
        cut_w.max(1),
        cut_h.max(1),
    );
    Some(imageops::resize(
        &cut.to_image(),
        WIDTH,
        HEIGHT,
        imageops::FilterType::Triangle,
    ))
}

/// Writes the sheets: still i is cell i.
pub fn write(writer: &BundleWriter, stills: &[RgbImage]) -> Result<Sprites> {
    let mut sheets = Vec::new();
    for cells in stills.chunks((COLUMNS * ROWS) as usize) {
        let mut sheet = RgbImage::from_pixel(COLUMNS * WIDTH, ROWS * HEIGHT, image::Rgb([128, 128, 128]));
        for (cell, still) in (0u32..).zip(cells) {
            let (x, y) = (cell % COLUMNS * WIDTH, cell / COLUMNS * HEIGHT);
            imageops::replace(&mut sheet, still, x.into(), y.into());
        }
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
            .encode_image(&sheet)
            .context("a sprite sheet could not be encoded")?;
        sheets.push(writer.add("sprites", "jpg", &jpeg)?);
    }
    Ok(Sprites {
        columns: COLUMNS,
        rows: ROWS,
        width: WIDTH,
        height: HEIGHT,
        sheets,
    })
}
