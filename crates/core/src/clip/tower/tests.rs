//! Towers of made weights against a transformer in f64 from the definition.

use super::*;
use crate::bytes::AlignedBytes;
use crate::rng::SplitMix64;

/// The weights of a tower, as they are stored: a linear layer's are rounded to its codes.
struct Made {
    shape: Shape,
    bytes: AlignedBytes,
    floats: Vec<Vec<f64>>,
}

impl Made {
    fn new(shape: Shape, seed: u64) -> Self {
        let mut rng = SplitMix64::new(seed);
        let mut writer = Writer::new(&shape);
        let mut floats = Vec::new();
        let mut noise = |n: usize, middle: f32, spread: f32| -> Vec<f32> {
            let unit = |_| (rng.below(20_001) as f32 - 10_000.0) / 10_000.0;
            (0..n).map(unit).map(|x| middle + spread * x).collect()
        };
        let wide = |values: &[f32]| values.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
        let Shape {
            width, hidden, dim, ..
        } = shape;
        enum Part {
            Floats(usize, f32),
            Linear(usize, usize, bool),
        }
        let mut parts = Vec::new();
        let norm = [Part::Floats(width, 1.0), Part::Floats(width, 0.0)];
        if let Input::Image { patch, .. } = shape.input {
            parts.extend([
                Part::Floats(width, 0.0),
                Part::Linear(3 * patch * patch, width, false),
            ]);
            parts.extend(norm);
        }
        parts.push(Part::Floats(shape.positions * width, 0.0));
        for _ in 0..shape.layers {
            parts.extend([Part::Floats(width, 1.0), Part::Floats(width, 0.0)]);
            parts.extend([
                Part::Linear(width, 3 * width, true),
                Part::Linear(width, width, true),
            ]);
            parts.extend([Part::Floats(width, 1.0), Part::Floats(width, 0.0)]);
            parts.extend([
                Part::Linear(width, hidden, true),
                Part::Linear(hidden, width, true),
            ]);
        }
        parts.extend([Part::Floats(width, 1.0), Part::Floats(width, 0.0)]);
        parts.push(Part::Linear(width, dim, false));
        for part in parts {
            match part {
                Part::Floats(n, middle) => {
                    let values = noise(n, middle, 0.5);
                    writer.floats(&values);
                    floats.push(wide(&values));
                }
                Part::Linear(inputs, outputs, biased) => {
                    let weights = noise(inputs * outputs, 0.0, 2.0 / (inputs as f32).sqrt());
                    let bias = noise(if biased { outputs } else { 0 }, 0.0, 0.3);
                    let (codes, scales) = pack(&weights, inputs).unwrap();
                    let (codes, scales, bias) = (&codes[..], &scales[..], &bias[..]);
                    writer.linear(Linear { codes, scales, bias });
                    let row = |output: usize| &weights[output * inputs..(output + 1) * inputs];
                    let stored = |(output, scale): (usize, &f32)| {
                        let codes = row(output).iter().map(move |w| (w / scale).round_ties_even());
                        codes
                            .map(|code| f64::from(code) * f64::from(*scale))
                            .collect::<Vec<f64>>()
                    };
                    floats.push(scales.iter().enumerate().flat_map(stored).collect());
                    floats.push(wide(bias));
                }
            }
        }
        let bytes = writer.finish().unwrap();
        Self { shape, bytes, floats }
    }

    /// The vector of some tokens, which have their positions not yet.
    fn expected(&self, input: &[f32]) -> Vec<f64> {
        let mut floats = self.floats.iter();
        let mut next = || floats.next().unwrap().as_slice();
        let shape = &self.shape;
        let input: Vec<f64> = input.iter().map(|x| f64::from(*x)).collect();
        let mut x = match shape.input {
            Input::Text => {
                let positions = next();
                rows(&input, shape.width)
                    .zip(rows(positions, shape.width))
                    .map(|(a, b)| sum(&a, &b))
                    .collect()
            }
            Input::Image { size, patch } => {
                let (class, weights, none, gain, bias) = (next(), next(), next(), next(), next());
                let mut tokens = vec![class.to_vec()];
                for at in 0..(size / patch).pow(2) {
                    let (top, left) = (at / (size / patch) * patch, at % (size / patch) * patch);
                    let value = |i: usize| {
                        let (channel, row, column) = (i / (patch * patch), i / patch % patch, i % patch);
                        input[channel * size * size + (top + row) * size + left + column]
                    };
                    let values: Vec<f64> = (0..3 * patch * patch).map(value).collect();
                    tokens.push(linear(&values, weights, none));
                }
                let positions = next();
                let placed = tokens
                    .iter()
                    .zip(rows(positions, shape.width))
                    .map(|(a, b)| sum(a, &b));
                placed
                    .map(|row| norm(&row, gain, bias, shape.epsilon))
                    .collect::<Vec<_>>()
            }
        };
        for _ in 0..shape.layers {
            let w: Vec<&[f64]> = (0..12).map(|_| next()).collect();
            x = self.layer(&x, &w);
        }
        let (gain, bias, projection) = (next(), next(), next());
        let read = if shape.input == Input::Text {
            x.len() - 1
        } else {
            0
        };
        linear(&norm(&x[read], gain, bias, shape.epsilon), projection, &[])
    }

    fn layer(&self, x: &[Vec<f64>], w: &[&[f64]]) -> Vec<Vec<f64>> {
        let shape = &self.shape;
        let (width, depth) = (shape.width, shape.width / shape.heads);
        let epsilon = shape.epsilon;
        let qkv: Vec<Vec<f64>> = x
            .iter()
            .map(|row| linear(&norm(row, w[0], w[1], epsilon), w[2], w[3]))
            .collect();
        let mut out = Vec::new();
        for (at, row) in x.iter().enumerate() {
            let seen = if shape.input == Input::Text {
                at + 1
            } else {
                x.len()
            };
            let mut joined = Vec::new();
            for head in 0..shape.heads {
                let part = |row: usize, third: usize| &qkv[row][third * width + head * depth..][..depth];
                let score = |other: usize| {
                    let products = part(at, 0).iter().zip(part(other, 1)).map(|(a, b)| a * b);
                    (products.sum::<f64>() / (depth as f64).sqrt()).exp()
                };
                let weights: Vec<f64> = (0..seen).map(score).collect();
                let all: f64 = weights.iter().sum();
                for i in 0..depth {
                    joined.push(
                        (0..seen)
                            .map(|other| weights[other] * part(other, 2)[i])
                            .sum::<f64>()
                            / all,
                    );
                }
            }
            let row = sum(row, &linear(&joined, w[4], w[5]));
            let mut hidden = linear(&norm(&row, w[6], w[7], epsilon), w[8], w[9]);
            for h in &mut hidden {
                *h = match shape.activation {
                    Activation::QuickGelu => *h / (1.0 + (-1.702 * *h).exp()),
                    // The tanh form is within 5e-4 of the exact one.
                    Activation::Gelu => {
                        0.5 * *h * (1.0 + (0.797_884_560_8 * (*h + 0.044_715 * h.powi(3))).tanh())
                    }
                };
            }
            out.push(sum(&row, &linear(&hidden, w[10], w[11])));
        }
        out
    }
}

fn rows(values: &[f64], width: usize) -> impl Iterator<Item = Vec<f64>> {
    values.chunks(width).map(<[f64]>::to_vec)
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

fn linear(x: &[f64], weights: &[f64], bias: &[f64]) -> Vec<f64> {
    let outputs = weights.chunks(x.len()).enumerate();
    let product = |(at, row): (usize, &[f64])| {
        row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + bias.get(at).copied().unwrap_or(0.0)
    };
    outputs.map(product).collect()
}

fn norm(row: &[f64], gain: &[f64], bias: &[f64], epsilon: f32) -> Vec<f64> {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
    let scale = 1.0 / (variance + f64::from(epsilon)).sqrt();
    let parts = row.iter().zip(gain).zip(bias);
    parts
        .map(|((x, gain), bias)| (x - mean) * scale * gain + bias)
        .collect()
}

fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let a: Vec<f64> = a.iter().map(|x| f64::from(*x)).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(&a, b) / (dot(&a, &a) * dot(b, b)).sqrt()
}

const TEXT: Shape = Shape {
    input: Input::Text,
    positions: 13,
    width: 48,
    heads: 3,
    layers: 3,
    hidden: 96,
    dim: 24,
    activation: Activation::QuickGelu,
    epsilon: 1e-5,
};

const IMAGE: Shape = Shape {
    input: Input::Image { size: 24, patch: 4 },
    positions: 37,
    width: 32,
    heads: 2,
    layers: 2,
    hidden: 64,
    dim: 16,
    activation: Activation::Gelu,
    epsilon: 1e-5,
};

fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = SplitMix64::new(seed);
    (0..n).map(|_| rng.below(2001) as f32 / 1000.0 - 1.0).collect()
}

#[test]
fn texts_of_any_length_agree_with_the_definition() {
    for activation in [Activation::QuickGelu, Activation::Gelu] {
        let made = Made::new(Shape { activation, ..TEXT }, 3);
        let tower = Tower::open(made.bytes.clone()).unwrap();
        let mut scratch = Scratch::default();
        for tokens in [13, 1, 2, 5, 8, 12] {
            let rows = noise(tokens as u64, tokens * TEXT.width);
            let found = tower.encode_tokens(&rows, &mut scratch).unwrap();
            let near = cosine(&found, &made.expected(&rows));
            assert!(near > 0.999_999, "{tokens} {activation:?}: {near}");
        }
    }
}

#[test]
fn pictures_agree_with_the_definition() {
    for activation in [Activation::QuickGelu, Activation::Gelu] {
        let made = Made::new(Shape { activation, ..IMAGE }, 4);
        let tower = Tower::open(made.bytes.clone()).unwrap();
        let mut scratch = Scratch::default();
        for seed in 0..3 {
            let planes = noise(seed, 3 * 24 * 24);
            let found = tower.encode_planes(&planes, &mut scratch).unwrap();
            let near = cosine(&found, &made.expected(&planes));
            assert!(near > 0.999_999, "{activation:?}: {near}");
        }
    }
}

#[test]
fn what_does_not_fit_the_tower_is_no_input() {
    let (text, image) = (Made::new(TEXT, 1), Made::new(IMAGE, 1));
    let (text, image) = (
        Tower::open(text.bytes).unwrap(),
        Tower::open(image.bytes).unwrap(),
    );
    let scratch = &mut Scratch::default();
    for rows in [0, 47, 49, 48 * 14] {
        assert!(text.encode_tokens(&vec![0.0; rows], scratch).is_none(), "{rows}");
    }
    assert!(text.encode_planes(&[0.0; 3 * 24 * 24], scratch).is_none());
    assert!(image.encode_planes(&[0.0; 3 * 24 * 24 - 1], scratch).is_none());
    assert!(image.encode_tokens(&[0.0; 32], scratch).is_none());
}

#[test]
fn every_cut_and_every_flipped_bit_of_the_header_is_refused_or_harmless() {
    for shape in [TEXT, IMAGE] {
        let made = Made::new(shape, 2);
        let good = made.bytes.as_slice();
        for cut in (0..good.len()).step_by(97).chain(0..80) {
            assert!(Tower::open(AlignedBytes::copy_of(&good[..cut])).is_err(), "{cut}");
        }
        let longer = [good, &[0]].concat();
        assert!(Tower::open(AlignedBytes::copy_of(&longer)).is_err());
        for bit in 0..56 * 8 {
            let mut bytes = made.bytes.clone();
            bytes.as_mut_slice()[bit / 8] ^= 1 << (bit % 8);
            if let Ok(tower) = Tower::open(bytes) {
                let scratch = &mut Scratch::default();
                let _ = tower.encode_tokens(&noise(1, tower.shape().width), scratch);
                let _ = tower.encode_planes(&noise(1, 3 * 24 * 24), scratch);
            }
        }
        let mut bytes = made.bytes.clone();
        bytes.as_mut_slice()[64..68].copy_from_slice(&f32::NAN.to_le_bytes());
        let error = Tower::open(bytes).unwrap_err().to_string();
        assert!(error.contains("finite"), "{error}");
    }
}
