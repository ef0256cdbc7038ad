//! Multi-head attention in f32 (Vaswani et al. 2017).

use super::kernel::{COLUMNS, ROWS, float_products, four};
use super::math::softmax;

/// Memory of one head.
#[derive(Default)]
pub struct Head {
    queries: Vec<f32>,
    /// Panels of eight keys.
    keys: Vec<[f32; COLUMNS]>,
    /// Panels of eight values of every token.
    values: Vec<[f32; COLUMNS]>,
    /// Of four queries.
    scores: [Vec<f32>; ROWS],
}

/// Which tokens a query sees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// All of them.
    All,
    /// Those up to its own; queries are the last of the tokens.
    Earlier,
}

/// The answers of all heads side by side, a row of `width` for each query.
///
/// `queries` has rows of `width`, `keys_values` rows of twice that: the keys, then the values. A head has `width / heads`
/// of each, a multiple of eight.
pub fn attend(
    queries: &[f32],
    keys_values: &[f32],
    width: usize,
    heads: usize,
    sees: Sees,
    head: &mut Head,
    out: &mut Vec<f32>,
) {
    let depth = width / heads.max(1);
    let (asked, tokens) = (
        queries.len() / width.max(1),
        keys_values.len() / (2 * width).max(1),
    );
    out.resize(asked * width, 0.0);
    for offset in (0..width).step_by(depth.max(COLUMNS)) {
        head.read(queries, keys_values, width, offset, depth);
        for first in (0..asked).step_by(ROWS) {
            let seen = |row: usize| match sees {
                Sees::All => tokens,
                Sees::Earlier => (tokens + first + row + 1).saturating_sub(asked).min(tokens),
            };
            head.weigh(depth, first, tokens, seen);
            let rows: [&[f32]; ROWS] = head
                .scores
                .each_ref()
                .map(|row| row.get(..tokens).unwrap_or_default());
            for (panel, values) in head.values.chunks_exact(tokens).enumerate() {
                let sums = float_products(rows, values);
                for (sums, row) in sums.iter().zip(first..asked) {
                    let start = row * width + offset + panel * COLUMNS;
                    if let Some(out) = out.get_mut(start..start + COLUMNS) {
                        out.copy_from_slice(sums);
                    }
                }
            }
        }
    }
}

impl Head {
    /// Copies what one head needs, keys and values in panels.
    fn read(&mut self, queries: &[f32], keys_values: &[f32], width: usize, offset: usize, depth: usize) {
        let scale = 1.0 / (depth as f32).sqrt();
        self.queries.clear();
        for row in queries.chunks_exact(width) {
            let own = row.get(offset..offset + depth).unwrap_or_default();
            self.queries.extend(own.iter().map(|x| x * scale));
        }
        let tokens = keys_values.len() / (2 * width);
        self.keys.clear();
        self.keys.resize(tokens.div_ceil(COLUMNS) * depth, [0.0; COLUMNS]);
        self.values.clear();
        self.values.resize(tokens * depth / COLUMNS, [0.0; COLUMNS]);
        for (token, row) in keys_values.chunks_exact(2 * width).enumerate() {
            let keys = row.get(offset..offset + depth).unwrap_or_default();
            let panel = self
                .keys
                .chunks_exact_mut(depth)
                .nth(token / COLUMNS)
                .unwrap_or_default();
            for (column, key) in panel.iter_mut().zip(keys) {
                if let Some(slot) = column.get_mut(token % COLUMNS) {
                    *slot = *key;
                }
            }
            let values = row
                .get(width + offset..width + offset + depth)
                .unwrap_or_default();
            let (blocks, _) = values.as_chunks::<COLUMNS>();
            let own = self.values.iter_mut().skip(token).step_by(tokens);
            for (slot, block) in own.zip(blocks) {
                *slot = *block;
            }
        }
    }

    /// The weights of all tokens for four queries; of those that a query does not see they are 0.
    fn weigh(&mut self, depth: usize, first: usize, tokens: usize, seen: impl Fn(usize) -> usize) {
        for scores in &mut self.scores {
            scores.resize(tokens.next_multiple_of(COLUMNS), 0.0);
        }
        let rows = four(&self.queries, depth, first);
        for (panel, keys) in self.keys.chunks_exact(depth).enumerate() {
            let sums = float_products(rows, keys);
            for (scores, sums) in self.scores.iter_mut().zip(&sums) {
                let start = panel * COLUMNS;
                if let Some(out) = scores.get_mut(start..start + COLUMNS) {
                    out.copy_from_slice(sums);
                }
            }
        }
        for (row, scores) in self.scores.iter_mut().enumerate() {
            let (seen, hidden) = scores.split_at_mut(seen(row).min(tokens));
            softmax(seen);
            hidden.fill(0.0);
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
            (9, 5, 48, 2),
        ] {
            for sees in [Sees::All, Sees::Earlier] {
                let (queries, both) = (noise(asked * width, 1), noise(tokens * 2 * width, 2));
                let (mut head, mut out) = (Head::default(), Vec::new());
                attend(&queries, &both, width, heads, sees, &mut head, &mut out);
                let expected = naive(&queries, &both, width, heads, sees);
                for (found, expected) in out.iter().zip(&expected) {
                    assert!(
                        (f64::from(*found) - expected).abs() < 1e-5,
                        "{tokens} {asked} {width} {heads}"
                    );
                }
            }
        }
    }
}
