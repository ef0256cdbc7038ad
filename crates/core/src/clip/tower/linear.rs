//! A linear layer with int8 weights, and the rows that it is given.

use super::kernel::{COLUMNS, ROWS, four, products};
use super::math::greatest_magnitude;
use crate::simd::{Work, wide};
use std::ops::Range;

/// Rows of f32 as 16-bit codes, each row with a scale of its own.
#[derive(Default)]
pub struct Rows {
    /// Pairs of codes, row by row.
    codes: Vec<[i16; 2]>,
    scales: Vec<f32>,
    /// Pairs in a row.
    pairs: usize,
}

impl Rows {
    /// Reads rows of `length` values, an even number. Codes are as fine as a sum of products with int8 codes has room for in 32
    /// bits.
    pub fn read(&mut self, values: &[f32], length: usize) {
        let room = i32::MAX / 127 / i32::try_from(length.max(1)).unwrap_or(i32::MAX);
        let greatest = room.min(i32::from(i16::MAX)) as f32;
        self.codes.clear();
        self.scales.clear();
        self.pairs = length / 2;
        for row in values.chunks_exact(length) {
            let magnitude = greatest_magnitude(row);
            let (scale, factor) = if magnitude > 0.0 {
                (magnitude / greatest, greatest / magnitude)
            } else {
                (0.0, 0.0)
            };
            self.scales.push(scale);
            let start = self.codes.len();
            self.codes.resize(start + self.pairs, [0; 2]);
            let codes = self.codes.get_mut(start..).unwrap_or_default();
            let (pairs, _) = row.as_chunks::<2>();
            wide(Quantise { codes, pairs, factor });
        }
    }

    fn len(&self) -> usize {
        self.scales.len()
    }
}

struct Quantise<'a> {
    codes: &'a mut [[i16; 2]],
    pairs: &'a [[f32; 2]],
    factor: f32,
}

impl Work for Quantise<'_> {
    #[inline(always)]
    fn run(self) {
        for (code, pair) in self.codes.iter_mut().zip(self.pairs) {
            *code = pair.map(|x| round(x * self.factor));
        }
    }
}

/// To the nearest whole number, of two as near to the even one; magnitudes are below 2^15.
#[inline(always)]
fn round(x: f32) -> i16 {
    const ROUND: f32 = 12_582_912.0;
    ((x + ROUND).to_bits() & 0xffff) as u16 as i16
}

/// y = W x + b, where W has a scale for each output.
#[derive(Clone, Copy)]
pub struct Linear<'a> {
    /// A panel has eight outputs: for each pair of inputs the codes of all eight.
    pub codes: &'a [[i8; 2 * COLUMNS]],
    /// What the codes of an output are multiplied by.
    pub scales: &'a [f32],
    /// Empty where there is none.
    pub bias: &'a [f32],
}

impl<'a> Linear<'a> {
    /// Those of the outputs, by their panels.
    pub fn panels(self, panels: Range<usize>) -> Self {
        let pairs = self.codes.len() * COLUMNS / self.scales.len().max(1);
        let outputs = panels.start * COLUMNS..panels.end * COLUMNS;
        Self {
            codes: self
                .codes
                .get(panels.start * pairs..panels.end * pairs)
                .unwrap_or_default(),
            scales: self.scales.get(outputs.clone()).unwrap_or_default(),
            bias: self.bias.get(outputs).unwrap_or_default(),
        }
    }

    /// Outputs of each row, row by row.
    pub fn forward(self, rows: &Rows, out: &mut Vec<f32>) {
        wide(Product::<false> {
            linear: self,
            rows,
            out,
        });
    }

    /// Adds the outputs to what stands in `out`.
    pub fn add(self, rows: &Rows, out: &mut Vec<f32>) {
        wide(Product::<true> {
            linear: self,
            rows,
            out,
        });
    }
}

/// Outputs of each row, added to what stands in `out` or instead of it.
struct Product<'a, const ADD: bool> {
    linear: Linear<'a>,
    rows: &'a Rows,
    out: &'a mut Vec<f32>,
}

impl<const ADD: bool> Work for Product<'_, ADD> {
    #[inline(always)]
    fn run(self) {
        let Self { linear, rows, out } = self;
        let width = linear.scales.len();
        out.resize(rows.len() * width, 0.0);
        let panels = linear.codes.chunks_exact(rows.pairs.max(1));
        let (scales, _) = linear.scales.as_chunks::<COLUMNS>();
        let (bias, _) = linear.bias.as_chunks::<COLUMNS>();
        for (panel, (codes, scales)) in panels.zip(scales).enumerate() {
            let bias = bias.get(panel).copied().unwrap_or_default();
            for first in (0..rows.len()).step_by(ROWS) {
                let sums = products(four(&rows.codes, rows.pairs, first), codes);
                for (sums, row) in sums.iter().zip(first..rows.len()) {
                    let scale = rows.scales.get(row).copied().unwrap_or_default();
                    let start = row * width + panel * COLUMNS;
                    let out = out.get_mut(start..).and_then(<[f32]>::first_chunk_mut::<COLUMNS>);
                    let Some(out) = out else { continue };
                    for (((out, sum), column), bias) in out.iter_mut().zip(sums).zip(scales).zip(bias) {
                        let value = *sum as f32 * (scale * column) + bias;
                        *out = if ADD { value + *out } else { value };
                    }
                }
            }
        }
    }
}

/// int8 codes with a scale for each output of a matrix `outputs × inputs`, in panels; `None` where a weight is not finite or the
/// numbers are no multiples of 8 and 2.
pub fn pack(weights: &[f32], inputs: usize) -> Option<(Vec<[i8; 2 * COLUMNS]>, Vec<f32>)> {
    let outputs = weights.len() / inputs.max(1);
    let fits =
        inputs.is_multiple_of(2) && outputs.is_multiple_of(COLUMNS) && outputs * inputs == weights.len();
    if !fits || !weights.iter().all(|w| w.is_finite()) {
        return None;
    }
    let rows: Vec<&[f32]> = weights.chunks_exact(inputs.max(1)).collect();
    let scales: Vec<f32> = rows.iter().map(|row| greatest_magnitude(row) / 127.0).collect();
    let code = |output: usize, input: usize| {
        let (row, scale) = (rows.get(output)?, scales.get(output)?);
        Some((row.get(input)? / scale.max(f32::MIN_POSITIVE)).round_ties_even() as i8)
    };
    let mut codes = Vec::with_capacity(weights.len() / (2 * COLUMNS));
    for panel in 0..outputs / COLUMNS {
        for pair in 0..inputs / 2 {
            let mut block = [0; 2 * COLUMNS];
            for (at, byte) in block.iter_mut().enumerate() {
                *byte = code(panel * COLUMNS + at / 2, pair * 2 + at % 2)?;
            }
            codes.push(block);
        }
    }
    Some((codes, scales))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix64;

    #[test]
    fn it_is_a_matrix_product() {
        let mut rng = SplitMix64::new(8);
        let mut noise =
            |n: usize| -> Vec<f32> { (0..n).map(|_| rng.below(2001) as f32 / 2000.0 - 0.5).collect() };
        for (tokens, inputs, outputs) in [(1, 2, 8), (3, 16, 8), (5, 66, 24), (9, 256, 40)] {
            let (weights, bias, x) = (noise(outputs * inputs), noise(outputs), noise(tokens * inputs));
            let (codes, scales) = pack(&weights, inputs).unwrap();
            let (codes, scales, bias) = (&codes[..], &scales[..], &bias[..]);
            let linear = Linear { codes, scales, bias };
            let (mut rows, mut out) = (Rows::default(), Vec::new());
            rows.read(&x, inputs);
            linear.forward(&rows, &mut out);
            let error = |row: usize, output: usize, found: f32| {
                let products = weights[output * inputs..]
                    .iter()
                    .zip(&x[row * inputs..(row + 1) * inputs]);
                (products.map(|(w, x)| w * x).sum::<f32>() + bias[output] - found).abs()
            };
            for row in 0..tokens {
                for output in 0..outputs {
                    let found = out[row * outputs + output];
                    assert!(error(row, output, found) < 0.02, "{tokens} {inputs} {outputs}");
                }
            }
            let mut second = Vec::new();
            linear
                .panels(outputs / 8 - 1..outputs / 8)
                .forward(&rows, &mut second);
            for row in 0..tokens {
                assert_eq!(
                    second[row * 8..(row + 1) * 8],
                    out[(row + 1) * outputs - 8..(row + 1) * outputs]
                );
            }
            let once = out.clone();
            linear.add(&rows, &mut out);
            assert!(
                out.iter()
                    .zip(once)
                    .all(|(twice, once)| (twice - 2.0 * once).abs() < 1e-5)
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_not_packed() {
        assert!(pack(&[0.0; 16], 2).is_some());
        assert!(pack(&[0.0; 24], 3).is_none());
        assert!(pack(&[0.0; 20], 2).is_none());
        assert!(pack(&[f32::NAN; 16], 2).is_none());
    }
}
