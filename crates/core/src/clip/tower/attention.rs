//! Multi-head attention (Vaswani et al. 2017): scores and answers as exact sums of 16-bit codes, the softmax in f32.

use super::kernel::{Block, COLUMNS, Groups, PANELS, Sums, Take, Values, multiply, values};
use super::linear::{Rows, round, scale};
use super::math::{exponentials, greater, greatest_magnitude};
use crate::simd::{Work, wide};
use std::ops::Range;

/// Codes of values are at most this: what is left of 31 bits is for the sum of weights.
const GREATEST_VALUE: i16 = 4095;
/// The greatest sum of the codes of weights, before each is rounded: a tower has at most 4,097 tokens.
const GREATEST_SUM: f32 = (i32::MAX / 4096 - 2_100) as f32;
/// Queries that are answered at once: their scores of all tokens are kept.
pub const QUERIES: usize = 256;

/// Memory of one head.
#[derive(Default)]
pub struct Head {
    queries: Rows,
    keys: Rows,
    /// [`keys`](Self::keys) in panels of tokens.
    key_panels: Vec<Block<i16>>,
    /// Panels of values, by pairs of tokens.
    values: Vec<Block<i16>>,
    value_scale: f32,
    /// A row of all tokens for each of some queries.
    scores: Vec<f32>,
    /// The same after the softmax, as codes, by pairs of tokens.
    weights: Vec<[i16; 2]>,
    /// What the codes of weights are divided by, for each query.
    sums: Vec<f32>,
    groups: Groups,
}

/// Which tokens a query sees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// All of them.
    All,
    /// Those up to its own; queries are the last of the tokens.
    Earlier,
}

/// What attention is given.
#[derive(Clone, Copy)]
pub struct Attention<'a> {
    /// A row of `width` for each query.
    pub queries: &'a [f32],
    /// Rows of twice that: the keys, then the values.
    pub keys_values: &'a [f32],
    /// A head has `width / heads` of each, a multiple of eight.
    pub width: usize,
    /// Heads.
    pub heads: usize,
    /// Which tokens a query sees.
    pub sees: Sees,
}

impl Attention<'_> {
    /// The answers of all heads side by side, a row of `width` for each query.
    pub fn attend(self, head: &mut Head, out: &mut Vec<f32>) {
        wide(Attend {
            attention: self,
            head,
            out,
        });
    }

    fn depth(&self) -> usize {
        self.width / self.heads.max(1)
    }

    fn tokens(&self) -> usize {
        self.keys_values.len() / (2 * self.width).max(1)
    }
}

struct Attend<'a> {
    attention: Attention<'a>,
    head: &'a mut Head,
    out: &'a mut Vec<f32>,
}

impl Work for Attend<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { attention, head, out } = self;
        let Attention { width, sees, .. } = attention;
        let (depth, tokens) = (attention.depth(), attention.tokens());
        let asked = attention.queries.len() / width.max(1);
        out.resize(asked * width, 0.0);
        for offset in (0..width).step_by(depth.max(1)) {
            head.read(attention, offset);
            for first in (0..asked).step_by(QUERIES) {
                head.score(first..asked.min(first + QUERIES), depth, tokens);
                head.weigh(tokens, |query| match sees {
                    Sees::All => tokens,
                    Sees::Earlier => (tokens + first + query + 1).saturating_sub(asked).min(tokens),
                });
                let out = out.get_mut(first * width..).unwrap_or_default();
                head.mix(width, offset..offset + depth, tokens, out);
            }
        }
    }
}

impl Head {
    /// Copies what one head needs, keys and values in panels.
    #[inline(always)]
    fn read(&mut self, attention: Attention<'_>, offset: usize) {
        let (width, depth, tokens) = (attention.width, attention.depth(), attention.tokens());
        let part = offset..offset + depth;
        let room = i32::MAX / i32::try_from(depth.max(1)).unwrap_or(i32::MAX);
        let greatest = i16::try_from(room.isqrt()).unwrap_or(i16::MAX);
        self.queries
            .read_part(attention.queries, width, part.clone(), greatest);
        self.keys
            .read_part(attention.keys_values, 2 * width, part.clone(), greatest);
        let pairs = depth / 2;
        self.key_panels
            .resize(tokens.div_ceil(COLUMNS) * pairs, [0; 2 * COLUMNS]);
        let panels = self.key_panels.chunks_exact_mut(pairs.max(1));
        for (panel, keys) in panels.zip(self.keys.codes().chunks((COLUMNS * pairs).max(1))) {
            for (column, row) in keys.chunks_exact(pairs).enumerate() {
                for (block, pair) in panel.iter_mut().zip(row) {
                    if let Some(slot) = block.as_chunks_mut().0.get_mut(column) {
                        *slot = *pair;
                    }
                }
            }
        }
        self.read_values(attention.keys_values, 2 * width, width + offset, depth);
    }

    /// Of rows of `length` the `depth` values from `start` on, as codes with one scale.
    #[inline(always)]
    fn read_values(&mut self, rows: &[f32], length: usize, start: usize, depth: usize) {
        let length = length.max(1);
        let mut magnitude = 0.0f32;
        for row in rows.chunks_exact(length) {
            let own = greatest_magnitude(row.get(start..start + depth).unwrap_or_default());
            magnitude = greater(magnitude, own);
        }
        let (scale, factor) = scale(magnitude, GREATEST_VALUE);
        self.value_scale = scale;
        let pairs = (rows.len() / length).div_ceil(2);
        self.values.resize(depth / COLUMNS * pairs, [0; 2 * COLUMNS]);
        for (at, both) in rows.chunks(2 * length).enumerate() {
            let first = both.get(start..start + depth).unwrap_or_default();
            // The weight of a token that is not there is 0.
            let second = both.get(length + start..length + start + depth).unwrap_or(first);
            let values = first.as_chunks::<COLUMNS>().0.iter().zip(second.as_chunks().0);
            let own = self.values.iter_mut().skip(at).step_by(pairs);
            for (block, (first, second)) in own.zip(values) {
                let second: &[f32; COLUMNS] = second;
                let codes = block.as_chunks_mut::<2>().0.iter_mut();
                for (pair, (first, second)) in codes.zip(first.iter().zip(second)) {
                    *pair = [round(first * factor), round(second * factor)];
                }
            }
        }
    }

    /// The scores of all tokens for some queries.
    #[inline(always)]
    fn score(&mut self, own: Range<usize>, depth: usize, tokens: usize) {
        let (length, pairs) = (tokens.next_multiple_of(PANELS * COLUMNS), depth / 2);
        self.scores.resize(own.len() * length, 0.0);
        let codes = self.queries.codes().get(own.start * pairs..own.end * pairs);
        let mut to = Scores {
            queries: self.queries.scales().get(own).unwrap_or_default(),
            keys: self.keys.scales(),
            factor: 1.0 / (depth as f32).sqrt(),
            length,
            scores: &mut self.scores,
            first: 0,
            own_keys: Values::default(),
        };
        let queries = codes.unwrap_or_default();
        multiply(queries, &self.key_panels, pairs, &mut self.groups, &mut to);
    }

    /// Codes of weights in place of scores; of tokens that a query does not see they are 0.
    #[inline(always)]
    fn weigh(&mut self, tokens: usize, seen: impl Fn(usize) -> usize) {
        let length = tokens.next_multiple_of(PANELS * COLUMNS).max(1);
        let (asked, pairs) = (self.scores.len() / length, tokens.div_ceil(2));
        self.weights.resize(asked * pairs, [0; 2]);
        self.sums.clear();
        let scores = self.scores.chunks_exact_mut(length);
        let weights = self.weights.chunks_exact_mut(pairs.max(1));
        for (query, (scores, weights)) in scores.zip(weights).enumerate() {
            let scores = scores.get_mut(..seen(query)).unwrap_or_default();
            let factor = (GREATEST_SUM / exponentials(scores)).min(f32::from(i16::MAX));
            let (own, others) = weights.as_flattened_mut().split_at_mut(scores.len());
            let mut sum = 0;
            for (weight, score) in own.iter_mut().zip(&*scores) {
                *weight = round(score * factor);
                sum += i32::from(*weight);
            }
            others.fill(0);
            self.sums.push(sum as f32);
        }
    }

    /// The weighted means of values, to the part of rows of `width`.
    #[inline(always)]
    fn mix(&mut self, width: usize, part: Range<usize>, tokens: usize, out: &mut [f32]) {
        let mut to = Answers {
            sums: &self.sums,
            value_scale: self.value_scale,
            width,
            part,
            out,
            first: 0,
        };
        let pairs = tokens.div_ceil(2);
        multiply(&self.weights, &self.values, pairs, &mut self.groups, &mut to);
    }
}

/// Takes products of queries and keys.
struct Scores<'a> {
    queries: &'a [f32],
    keys: &'a [f32],
    factor: f32,
    /// Of a row.
    length: usize,
    scores: &'a mut [f32],
    /// The first of the columns, and their keys' scales.
    first: usize,
    own_keys: Values,
}

impl Take for Scores<'_> {
    #[inline(always)]
    fn columns(&mut self, first: usize) {
        self.first = first;
        self.own_keys = values(self.keys, first);
    }

    #[inline(always)]
    fn take(&mut self, row: usize, sums: &Sums) {
        let scale = self.queries.get(row).copied().unwrap_or_default() * self.factor;
        let scores = self.scores.get_mut(row * self.length + self.first..);
        let (scores, _) = scores.unwrap_or_default().as_chunks_mut::<COLUMNS>();
        let (sums, _) = sums.as_chunks::<COLUMNS>();
        let (keys, _) = self.own_keys.as_chunks::<COLUMNS>();
        for ((scores, sums), keys) in scores.iter_mut().zip(sums).zip(keys) {
            let mut values = *keys;
            for (value, sum) in values.iter_mut().zip(sums) {
                *value = *sum as f32 * (scale * *value);
            }
            *scores = values;
        }
    }
}

/// Takes products of weights and values.
struct Answers<'a> {
    sums: &'a [f32],
    value_scale: f32,
    width: usize,
    /// Of a row, the head's own.
    part: Range<usize>,
    out: &'a mut [f32],
    /// The first of the columns.
    first: usize,
}

impl Take for Answers<'_> {
    #[inline(always)]
    fn columns(&mut self, first: usize) {
        self.first = first;
    }

    #[inline(always)]
    fn take(&mut self, row: usize, sums: &Sums) {
        let scale = self.value_scale / self.sums.get(row).copied().unwrap_or(1.0);
        let start = row * self.width;
        let own = start + self.part.start + self.first..start + self.part.end;
        let (out, _) = self
            .out
            .get_mut(own)
            .unwrap_or_default()
            .as_chunks_mut::<COLUMNS>();
        for (out, sums) in out.iter_mut().zip(sums.as_chunks::<COLUMNS>().0) {
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = *sum as f32 * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attention as its definition has it, in f64.
    fn naive(queries: &[f32], both: &[f32], width: usize, heads: usize, sees: Sees) -> Vec<f64> {
        let (depth, tokens, asked) = (width / heads, both.len() / (2 * width), queries.len() / width);
        let mut out = vec![0.0; queries.len()];
        for query in 0..asked {
            for head in 0..heads {
                let seen = if sees == Sees::All {
                    tokens
                } else {
                    tokens - asked + query + 1
                };
                let at = |row: usize, part: usize, i: usize| {
                    f64::from(both[row * 2 * width + part * width + head * depth + i])
                };
                let score = |row: usize| {
                    let products = (0..depth)
                        .map(|i| f64::from(queries[query * width + head * depth + i]) * at(row, 0, i));
                    products.sum::<f64>() / (depth as f64).sqrt()
                };
                let weights: Vec<f64> = (0..seen).map(|row| score(row).exp()).collect();
                let sum: f64 = weights.iter().sum();
                for i in 0..depth {
                    let mixed = weights.iter().enumerate().map(|(row, w)| w * at(row, 1, i));
                    out[query * width + head * depth + i] = mixed.sum::<f64>() / sum;
                }
            }
        }
        out
    }

    #[test]
    fn it_is_attention() {
        let noise = |n: usize, seed: usize| -> Vec<f32> {
            (0..n)
                .map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 300.0 - 1.7)
                .collect()
        };
        for (tokens, asked, width, heads) in [
            (1, 1, 8, 1),
            (7, 7, 32, 2),
            (17, 17, 64, 4),
            (17, 1, 64, 4),
            (300, 300, 16, 1),
            (9, 5, 48, 2),
        ] {
            for sees in [Sees::All, Sees::Earlier] {
                let (queries, both) = (noise(asked * width, 1), noise(tokens * 2 * width, 2));
                let (mut head, mut out) = (Head::default(), Vec::new());
                let attention = Attention {
                    queries: &queries,
                    keys_values: &both,
                    width,
                    heads,
                    sees,
                };
                attention.attend(&mut head, &mut out);
                let expected = naive(&queries, &both, width, heads, sees);
                for (found, expected) in out.iter().zip(&expected) {
                    assert!(
                        (f64::from(*found) - expected).abs() < 4e-4,
                        "{tokens} {asked} {width} {heads}"
                    );
                }
            }
        }
    }
}
