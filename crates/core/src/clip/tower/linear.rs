//! A linear layer with int8 weights, and the rows that it is given.

use super::kernel::{Block, COLUMNS, Groups, Sums, Take, Values, multiply, values};
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
    groups: Groups,
}

impl Rows {
    /// Reads rows of `length` values, an even number. Codes are as fine as a sum of products with int8 codes has room for in 32
    /// bits.
    pub fn read(&mut self, values: &[f32], length: usize) {
        wide(Quantise {
            rows: self,
            values,
            length,
        });
    }

    /// Reads of rows of `length` values the `part`, an even number of them, as codes of at most `greatest`.
    #[inline(always)]
    pub fn read_part(&mut self, values: &[f32], length: usize, part: Range<usize>, greatest: i16) {
        self.pairs = part.len() / 2;
        self.scales.clear();
        self.codes
            .resize(values.len() / length.max(1) * self.pairs, [0; 2]);
        let codes = self.codes.chunks_exact_mut(self.pairs.max(1));
        for (row, codes) in values.chunks_exact(length.max(1)).zip(codes) {
            let (pairs, _) = row.get(part.clone()).unwrap_or_default().as_chunks::<2>();
            let (scale, factor) = scale(greatest_magnitude(pairs.as_flattened()), greatest);
            self.scales.push(scale);
            for (code, pair) in codes.iter_mut().zip(pairs) {
                *code = [round(pair[0] * factor), round(pair[1] * factor)];
            }
        }
    }

    /// Pairs of codes, row by row.
    pub fn codes(&self) -> &[[i16; 2]] {
        &self.codes
    }

    /// What the codes of each row are multiplied by.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }
}

struct Quantise<'a> {
    rows: &'a mut Rows,
    values: &'a [f32],
    length: usize,
}

impl Work for Quantise<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { rows, values, length } = self;
        let room = i32::MAX / 127 / i32::try_from(length.max(1)).unwrap_or(i32::MAX);
        let greatest = i16::try_from(room).unwrap_or(i16::MAX);
        rows.read_part(values, length, 0..length, greatest);
    }
}

/// What codes of at most `greatest` are multiplied by, and what gives them.
#[inline(always)]
pub fn scale(magnitude: f32, greatest: i16) -> (f32, f32) {
    let greatest = f32::from(greatest);
    if magnitude > 0.0 {
        (magnitude / greatest, greatest / magnitude)
    } else {
        (0.0, 0.0)
    }
}

/// To the nearest whole number, of two as near to the even one; magnitudes are below 2^15.
#[inline(always)]
pub fn round(x: f32) -> i16 {
    const ROUND: f32 = 12_582_912.0;
    ((x + ROUND).to_bits() & 0xffff) as u16 as i16
}

/// y = W x + b, where W has a scale for each output.
#[derive(Clone, Copy)]
pub struct Linear<'a> {
    /// A panel has eight outputs: for each pair of inputs the codes of all eight.
    pub codes: &'a [Block<i8>],
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
    pub fn forward(self, rows: &mut Rows, out: &mut Vec<f32>) {
        wide(Product::<false> {
            linear: self,
            rows,
            out,
        });
    }

    /// Adds the outputs to what stands in `out`.
    pub fn add(self, rows: &mut Rows, out: &mut Vec<f32>) {
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
    rows: &'a mut Rows,
    out: &'a mut Vec<f32>,
}

impl<const ADD: bool> Work for Product<'_, ADD> {
    #[inline(always)]
    fn run(self) {
        let Self { linear, rows, out } = self;
        out.resize(rows.scales.len() * linear.scales.len(), 0.0);
        let mut to = Outputs::<ADD> {
            linear,
            rows: &rows.scales,
            out,
            first: 0,
            scales: Default::default(),
            bias: Default::default(),
        };
        multiply(&rows.codes, linear.codes, rows.pairs, &mut rows.groups, &mut to);
    }
}

/// Takes the sums of a product.
struct Outputs<'a, const ADD: bool> {
    linear: Linear<'a>,
    /// A scale of each row.
    rows: &'a [f32],
    out: &'a mut [f32],
    /// The first of the columns, and what belongs to them.
    first: usize,
    scales: Values,
    bias: Values,
}

impl<const ADD: bool> Take for Outputs<'_, ADD> {
    #[inline(always)]
    fn columns(&mut self, first: usize) {
        self.first = first;
        self.scales = values(self.linear.scales, first);
        self.bias = values(self.linear.bias, first);
    }

    #[inline(always)]
    fn take(&mut self, row: usize, sums: &Sums) {
        let width = self.linear.scales.len();
        let scale = self.rows.get(row).copied().unwrap_or_default();
        let out = self.out.get_mut(row * width + self.first..(row + 1) * width);
        let (out, _) = out.unwrap_or_default().as_chunks_mut::<COLUMNS>();
        let (sums, _) = sums.as_chunks::<COLUMNS>();
        let (scales, _) = self.scales.as_chunks::<COLUMNS>();
        let (bias, _) = self.bias.as_chunks::<COLUMNS>();
        for (((out, sums), scales), bias) in out.iter_mut().zip(sums).zip(scales).zip(bias) {
            // In steps over values of its own, which every compiler vectorises.
            let mut values = *scales;
            for (value, sum) in values.iter_mut().zip(sums) {
                *value = *sum as f32 * (scale * *value);
            }
            for (value, bias) in values.iter_mut().zip(bias) {
                *value += bias;
            }
            if ADD {
                for (value, out) in values.iter_mut().zip(&*out) {
                    *value += out;
                }
            }
            *out = values;
        }
    }
}

/// int8 codes with a scale for each output of a matrix `outputs × inputs`, in panels; `None` where a weight is not finite or the
/// numbers are no multiples of 8 and 2.
pub fn pack(weights: &[f32], inputs: usize) -> Option<(Vec<Block<i8>>, Vec<f32>)> {
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
            linear.forward(&mut rows, &mut out);
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
                .forward(&mut rows, &mut second);
            for row in 0..tokens {
                assert_eq!(
                    second[row * 8..(row + 1) * 8],
                    out[(row + 1) * outputs - 8..(row + 1) * outputs]
                );
            }
            let once = out.clone();
            linear.add(&mut rows, &mut out);
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
