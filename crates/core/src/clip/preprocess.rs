//! Picture preprocessing as CLIP expects it: shorter side to `size` by one of Pillow's antialiased filters,
//! centre crop to `size × size`, scale to 0..1, subtract the mean and divide by the deviation per channel.
//!
//! Source: the resampling of Pillow (`Resample.c`, 8 bits a channel, 22-bit fixed-point coefficients, a
//! horizontal pass into 8-bit pixels and then a vertical one) and the crop of Hugging Face's
//! `CLIPImageProcessor` (offset rounded down).

use crate::simd::{Work, wide};
use serde::Deserialize;
use thiserror::Error;

/// The largest width or height accepted, in pixels.
pub const MAX_SIDE: u32 = 32_768;

/// Why a picture could not be preprocessed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PreprocessError {
    /// A side is zero or too long.
    #[error("picture of {width}×{height}: each side must be 1 to {MAX_SIDE} pixels; resize it first")]
    Size {
        /// Width found, in pixels.
        width: u32,
        /// Height found, in pixels.
        height: u32,
    },
    /// The buffer does not hold width × height × 3 bytes.
    #[error(
        "picture of {width}×{height} needs {expected} bytes of RGB, found {found}; decode it to 8-bit RGB"
    )]
    Length {
        /// Width, in pixels.
        width: u32,
        /// Height, in pixels.
        height: u32,
        /// Bytes that an RGB picture of that size has.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The output size is zero or too large.
    #[error("output size {0}: must be 1 to 1024 pixels; check `image.size` in the model's manifest")]
    OutputSize(u32),
}

/// Bits of the fixed-point coefficients: 32 less 8 for the pixel and 2 for the overshoot of the kernel.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// How a picture is made smaller or larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Keys' cubic kernel with a = −0.5: OpenAI's CLIP.
    #[default]
    Bicubic,
    /// The triangle: MobileCLIP.
    Bilinear,
}

impl Filter {
    /// The name in a model's manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bicubic => "bicubic",
            Self::Bilinear => "bilinear",
        }
    }

    /// From there on the kernel is 0.
    const fn support(self) -> f64 {
        match self {
            Self::Bicubic => 2.0,
            Self::Bilinear => 1.0,
        }
    }

    fn kernel(self, x: f64) -> f64 {
        match self {
            Self::Bicubic => bicubic(x),
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
        }
    }
}

/// Coefficients for one output pixel: input pixels `start..start + weights.len()`.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

/// Keys' cubic kernel with a = −0.5.
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// Taps for output pixels `skip..skip + take` of a resize from `input` to `output` pixels.
fn taps(filter: Filter, input: usize, output: usize, skip: usize, take: usize) -> Vec<Taps> {
    let scale = input as f64 / output as f64;
    let filter_scale = scale.max(1.0);
    let support = filter.support() * filter_scale;
    (skip..skip + take)
        .map(|x| {
            let centre = (x as f64 + 0.5) * scale;
            let start = ((centre - support + 0.5).max(0.0)) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let raw: Vec<f64> = (start..end)
                .map(|i| filter.kernel((i as f64 - centre + 0.5) / filter_scale))
                .collect();
            let sum: f64 = raw.iter().sum();
            let one = f64::from(1u32 << PRECISION_BITS);
            let weights = raw
                .iter()
                .map(|w| {
                    let w = if sum == 0.0 { *w } else { w / sum };
                    (w * one + if w < 0.0 { -0.5 } else { 0.5 }) as i32
                })
                .collect();
            Taps { start, weights }
        })
        .collect()
}

#[inline(always)]
fn clip8(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// Resizes RGB bytes so that the shorter side is `size`, and crops the centre `size × size`.
///
/// `rgb` is `height × width × 3`, row by row; the result is `size × size × 3`.
///
/// # Errors
/// A side outside 1..=[`MAX_SIDE`], a buffer of another length, or a `size` outside 1..=1024.
pub fn resize_centre_crop(
    rgb: &[u8],
    width: u32,
    height: u32,
    size: u32,
    filter: Filter,
) -> Result<Vec<u8>, PreprocessError> {
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(PreprocessError::Size { width, height });
    }
    if size == 0 || size > 1024 {
        return Err(PreprocessError::OutputSize(size));
    }
    let (w, h, size) = (width as usize, height as usize, size as usize);
    let expected = w * h * 3;
    if rgb.len() != expected {
        return Err(PreprocessError::Length {
            width,
            height,
            expected,
            found: rgb.len(),
        });
    }
    // The longer side is truncated, not rounded, as torchvision and Hugging Face both do.
    let (out_w, out_h) = if w <= h {
        (size, size * h / w)
    } else {
        (size * w / h, size)
    };
    let columns = taps(filter, w, out_w, (out_w - size) / 2, size);
    let rows = taps(filter, h, out_h, (out_h - size) / 2, size);
    // Only the rows that some output row reads go through the horizontal pass.
    let first = rows.iter().map(|t| t.start).min().unwrap_or(0);
    let last = rows.iter().map(|t| t.start + t.weights.len()).max().unwrap_or(0);

    let stride = size * 3;
    let mut middle = vec![0u8; (last - first) * stride];
    let lines = rgb.get(first * w * 3..).unwrap_or_default();
    wide(Across {
        columns: &columns,
        lines,
        length: w * 3,
        out: &mut middle,
    });
    let mut out = vec![0u8; size * stride];
    wide(Down {
        rows: &rows,
        first,
        lines: &middle,
        length: stride,
        out: &mut out,
    });
    Ok(out)
}

/// Half of the last place that is kept of a sum.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// The horizontal pass.
struct Across<'a> {
    columns: &'a [Taps],
    /// Lines of `length` bytes of RGB.
    lines: &'a [u8],
    length: usize,
    /// Lines of a pixel for each column.
    out: &'a mut [u8],
}

impl Work for Across<'_> {
    #[inline(always)]
    fn run(self) {
        let lines = self.lines.chunks_exact(self.length);
        for (line, out) in lines.zip(self.out.chunks_exact_mut(3 * self.columns.len())) {
            for (tap, pixel) in self.columns.iter().zip(out.as_chunks_mut::<3>().0) {
                let own = line.get(3 * tap.start..).unwrap_or_default();
                // Four lanes, of which three are used: so compilers vectorise it.
                let mut sums = [HALF; 4];
                for (at, weight) in tap.weights.iter().enumerate() {
                    let bytes = own.get(3 * at..).unwrap_or_default();
                    let bytes = match bytes.first_chunk::<4>() {
                        Some(bytes) => *bytes,
                        None => bytes.first_chunk().map_or([0; 4], |[r, g, b]| [*r, *g, *b, 0]),
                    };
                    for (sum, byte) in sums.iter_mut().zip(&bytes) {
                        *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(*byte)));
                    }
                }
                let [r, g, b, _] = sums;
                *pixel = [clip8(r), clip8(g), clip8(b)];
            }
        }
    }
}

/// The vertical pass.
struct Down<'a> {
    rows: &'a [Taps],
    /// The row of the picture that is the first of the lines.
    first: usize,
    /// Lines of `length` bytes of RGB.
    lines: &'a [u8],
    length: usize,
    out: &'a mut [u8],
}

impl Work for Down<'_> {
    #[inline(always)]
    fn run(self) {
        let mut sums = vec![0i32; self.length];
        for (tap, out) in self.rows.iter().zip(self.out.chunks_exact_mut(self.length)) {
            sums.fill(HALF);
            let lines = self.lines.chunks_exact(self.length).skip(tap.start - self.first);
            for (weight, line) in tap.weights.iter().zip(lines) {
                for (sum, byte) in sums.iter_mut().zip(line) {
                    *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(*byte)));
                }
            }
            for (byte, sum) in out.iter_mut().zip(&sums) {
                *byte = clip8(*sum);
            }
        }
    }
}

/// Turns `n × 3` interleaved RGB bytes into planes (`3 × n`, channel first), normalised:
/// `(value / 255 − mean[c]) / std[c]`.
#[must_use]
pub fn normalise(rgb: &[u8], mean: [f32; 3], std: [f32; 3]) -> Vec<f32> {
    let pixels = rgb.len() / 3;
    let mut out = vec![0f32; pixels * 3];
    for (c, plane) in out.chunks_exact_mut(pixels.max(1)).enumerate() {
        let (Some(mean), Some(std)) = (mean.get(c), std.get(c)) else {
            break;
        };
        for (value, px) in plane.iter_mut().zip(rgb.chunks_exact(3)) {
            let byte = px.get(c).copied().unwrap_or(0);
            *value = (f32::from(byte) / 255.0 - mean) / std;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat() {
        let rgb: Vec<u8> = [10u8, 130, 250]
            .iter()
            .copied()
            .cycle()
            .take(37 * 23 * 3)
            .collect();
        let out = resize_centre_crop(&rgb, 37, 23, 16, Filter::Bicubic).unwrap();
        assert_eq!(out.len(), 16 * 16 * 3);
        assert!(out.chunks(3).all(|p| p == [10, 130, 250]));
    }

    #[test]
    fn same_size_is_the_identity_and_the_crop_is_centred() {
        let rgb: Vec<u8> = (0..6u32 * 4 * 3).map(|i| (i * 3 % 256) as u8).collect();
        let out = resize_centre_crop(&rgb, 6, 4, 4, Filter::Bicubic).unwrap();
        for y in 0..4 {
            assert_eq!(out[y * 12..y * 12 + 12], rgb[y * 18 + 3..y * 18 + 15]);
        }
    }

    /// Values of Pillow's `Image.resize` and `Image.crop`.
    #[test]
    fn both_filters_are_pillows() {
        let (w, h) = (13usize, 9usize);
        let value = |i: usize| {
            let (y, x, c) = (i / 3 / w, i / 3 % w, i % 3);
            ((x * 17 + y * 29 + c * 61 + x * y * 5) % 256) as u8
        };
        let rgb: Vec<u8> = (0..w * h * 3).map(value).collect();
        let resized = |size, filter| resize_centre_crop(&rgb, 13, 9, size, filter).unwrap();
        let bilinear = resized(4, Filter::Bilinear);
        assert_eq!(
            bilinear[..12],
            [46, 107, 165, 95, 156, 160, 146, 167, 113, 160, 123, 87]
        );
        let bicubic = resized(4, Filter::Bicubic);
        assert_eq!(
            bicubic[..12],
            [37, 98, 168, 92, 160, 167, 151, 175, 110, 164, 120, 81]
        );
        for (filter, sum, weighted) in [
            (Filter::Bilinear, 55_274, 6_141_603),
            (Filter::Bicubic, 55_414, 6_159_812),
        ] {
            let larger = resized(12, filter);
            let weight = |(i, v): (usize, &u8)| i % 251 * usize::from(*v);
            let found: usize = larger.iter().map(|v| usize::from(*v)).sum();
            assert_eq!(found, sum, "{filter:?}");
            assert_eq!(
                larger.iter().enumerate().map(weight).sum::<usize>(),
                weighted,
                "{filter:?}"
            );
        }
    }

    #[test]
    fn refuses_wrong_lengths_and_sides() {
        assert!(matches!(
            resize_centre_crop(&[0; 11], 2, 2, 4, Filter::Bicubic),
            Err(PreprocessError::Length { .. })
        ));
        assert!(matches!(
            resize_centre_crop(&[], 0, 2, 4, Filter::Bicubic),
            Err(PreprocessError::Size { .. })
        ));
        assert!(matches!(
            resize_centre_crop(&[0; 3], 1, 1, 0, Filter::Bicubic),
            Err(PreprocessError::OutputSize(0))
        ));
    }

    #[test]
    fn normalises_into_planes() {
        let out = normalise(&[0, 255, 51, 255, 0, 102], [0.0, 0.5, 0.2], [1.0, 0.5, 0.2]);
        let expected = [0.0, 1.0, 1.0, -1.0, 0.0, 1.0];
        for (a, b) in out.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
