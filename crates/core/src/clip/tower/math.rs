//! The functions of a transformer over rows of f32, without branches, so that every target vectorises them and gives the same
//! bits.

use crate::simd::{Work, wide};

/// How many sums are kept beside each other.
const LANES: usize = 16;

/// What a feed-forward layer applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · σ(1.702 x), as in OpenAI's models.
    QuickGelu,
    /// x · Φ(x), as in OpenCLIP's.
    Gelu,
}

/// eˣ within 2 units of the last place for x from −87 to 88, beyond which x counts as the nearer limit.
///
/// Cody and Waite's reduction by powers of two, and a polynomial of degree 6.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added and taken away, it rounds to a whole number, which then stands in the last bits.
    const ROUND: f32 = 12_582_912.0;
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * HIGH) - n * LOW;
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        p = p * r + coefficient;
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    (p * r * r + r + 1.0) * power
}

/// Φ(x)'s error function within 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let mut p = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = p * t + coefficient;
    }
    (1.0 - p * t * exp(-a * a)).copysign(x)
}

/// Applies the activation to each value.
pub fn activate(values: &mut [f32], activation: Activation) {
    match activation {
        Activation::QuickGelu => wide(QuickGelu(values)),
        Activation::Gelu => wide(Gelu(values)),
    }
}

struct QuickGelu<'a>(&'a mut [f32]);

impl Work for QuickGelu<'_> {
    #[inline(always)]
    fn run(self) {
        for x in self.0 {
            *x /= 1.0 + exp(-1.702 * *x);
        }
    }
}

struct Gelu<'a>(&'a mut [f32]);

impl Work for Gelu<'_> {
    #[inline(always)]
    fn run(self) {
        for x in self.0 {
            *x *= 0.5 * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2));
        }
    }
}

/// eˣ of each score less the greatest one, in its place; their sum.
#[inline(always)]
pub fn exponentials(scores: &mut [f32]) -> f32 {
    let greatest = fold(scores, f32::NEG_INFINITY, |x| x, greater);
    for x in &mut *scores {
        *x = exp(*x - greatest);
    }
    fold(scores, 0.0, |x| x, |a, b| a + b)
}

/// Layer normalisation of rows (Ba et al. 2016): less the mean, divided by the deviation, times `gain`, plus `bias`. A row has
/// the length of `gain`.
pub fn layer_norm(rows: &[f32], gain: &[f32], bias: &[f32], epsilon: f32, out: &mut [f32]) {
    wide(LayerNorm {
        rows,
        gain,
        bias,
        epsilon,
        out,
    });
}

struct LayerNorm<'a> {
    rows: &'a [f32],
    gain: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
    out: &'a mut [f32],
}

impl Work for LayerNorm<'_> {
    #[inline(always)]
    fn run(self) {
        let width = self.gain.len().max(1);
        let (n, add) = (width as f32, |a, b| a + b);
        for (row, out) in self
            .rows
            .chunks_exact(width)
            .zip(self.out.chunks_exact_mut(width))
        {
            let mean = fold(row, 0.0, |x| x, add) / n;
            let variance = fold(row, 0.0, |x| (x - mean) * (x - mean), add) / n;
            let scale = 1.0 / (variance + self.epsilon).sqrt();
            for (((out, x), gain), bias) in out.iter_mut().zip(row).zip(self.gain).zip(self.bias) {
                *out = (x - mean) * scale * gain + bias;
            }
        }
    }
}

/// The greatest magnitude in a row.
#[inline(always)]
pub fn greatest_magnitude(row: &[f32]) -> f32 {
    fold(row, 0.0, f32::abs, greater)
}

/// `f32::max` is a call where there is no instruction with its treatment of NaN.
#[inline(always)]
pub fn greater(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Folds a row in lanes, in one order on every target. `start` leaves what it is joined with as it is.
#[inline(always)]
fn fold(row: &[f32], start: f32, map: impl Fn(f32) -> f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, map(*x));
        }
    }
    let rest = rest.iter().fold(start, |all, x| join(all, map(*x)));
    lanes.into_iter().fold(rest, join)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_near_that_of_the_library() {
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let (found, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((found / expected - 1.0).abs() < 2.5e-7, "{x}: {found} {expected}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) > 0.0 && exp(f32::INFINITY).is_finite());
    }

    #[test]
    fn activations_are_near_their_definitions() {
        for i in -2000..2000 {
            let x = i as f32 * 1e-2;
            let mut values = [x, x];
            activate(&mut values[..1], Activation::QuickGelu);
            activate(&mut values[1..], Activation::Gelu);
            let wide = f64::from(x);
            let quick = wide / (1.0 + (-1.702 * wide).exp());
            let exact = wide * 0.5 * statistical_erfc(-wide / std::f64::consts::SQRT_2);
            for (found, expected) in values.into_iter().zip([quick, exact]) {
                let error = (f64::from(found) - expected).abs();
                assert!(error < 2e-6, "{x}: {found} {expected}");
            }
        }
    }

    /// 1 − erf(x), by the series of erf near 0 and by its continued fraction far from it.
    fn statistical_erfc(x: f64) -> f64 {
        let factor = (-x * x).exp() / std::f64::consts::PI.sqrt();
        if x.abs() < 3.0 {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= 2.0 * x * x / f64::from(2 * n + 1);
                sum += term;
            }
            return 1.0 - 2.0 * factor * sum;
        }
        let a = x.abs();
        let fraction = (1..80).rev().fold(a, |below, n| a + f64::from(n) / 2.0 / below);
        let tail = factor / fraction;
        if x > 0.0 { tail } else { 2.0 - tail }
    }

    #[test]
    fn exponentials_keep_the_order_and_give_their_sum() {
        let mut scores: Vec<f32> = (0..77).map(|i| (i * 37 % 77) as f32 * 0.3 - 300.0).collect();
        let before = scores.clone();
        let sum = exponentials(&mut scores);
        assert!((scores.iter().sum::<f32>() / sum - 1.0).abs() < 1e-6);
        assert_eq!(scores.iter().fold(0.0, |a: f32, b| a.max(*b)), 1.0);
        for (i, j) in (0..77).zip(1..77) {
            assert_eq!(
                before[i] < before[j],
                scores[i] < scores[j] || scores[i] == 0.0 && scores[j] == 0.0
            );
        }
    }

    #[test]
    fn a_normalised_row_has_mean_0_and_deviation_1() {
        let row: Vec<f32> = (0..100).map(|i| (i * i % 17) as f32 + 50.0).collect();
        let mut out = vec![0.0; 100];
        layer_norm(&row, &[1.0; 100], &[0.0; 100], 1e-5, &mut out);
        let mean = out.iter().sum::<f32>() / 100.0;
        let variance = out.iter().map(|x| x * x).sum::<f32>() / 100.0;
        assert!(
            mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4,
            "{mean} {variance}"
        );
    }
}
