//! The transformer: tokens in, one vector out.

use super::attention::{Attention, Head, Sees};
use super::format::{Input, Layer, Norm, Tower};
use super::kernel::COLUMNS;
use super::linear::Rows;
use super::math::{activate, layer_norm};

/// Memory that one encoding after the other uses.
#[derive(Default)]
pub struct Scratch {
    /// The residual stream, a row for each token.
    tokens: Vec<f32>,
    /// Rows after a normalisation, an activation or attention.
    rows: Vec<f32>,
    codes: Rows,
    /// Of the tokens that are read in the last layer.
    own_codes: Rows,
    queries: Vec<f32>,
    keys_values: Vec<f32>,
    hidden: Vec<f32>,
    head: Head,
}

impl Tower {
    /// A vector of [`Shape::dim`](super::Shape::dim) values, of no certain length, at the last of the tokens. `rows` has a row of
    /// the token table for each; `None` where there are none, more than the tower has positions, or it is an image tower.
    #[must_use]
    pub fn encode_tokens(&self, rows: &[f32], scratch: &mut Scratch) -> Option<Vec<f32>> {
        let width = self.shape().width;
        let tokens = rows.len() / width;
        let fits = self.shape().input == Input::Text && (1..=self.shape().positions).contains(&tokens);
        if !fits || rows.len() != tokens * width {
            return None;
        }
        scratch.tokens.clear();
        let placed = rows
            .iter()
            .zip(self.positions())
            .map(|(row, position)| row + position);
        scratch.tokens.extend(placed);
        Some(self.layers_and_projection(tokens - 1, Sees::Earlier, scratch))
    }

    /// A vector of [`Shape::dim`](super::Shape::dim) values, of no certain length. `planes` has the normalised picture, `3 × size ×
    /// size`; `None` where its length is another, or it is a text tower.
    #[must_use]
    pub fn encode_planes(&self, planes: &[f32], scratch: &mut Scratch) -> Option<Vec<f32>> {
        let Input::Image { size, patch } = self.shape().input else {
            return None;
        };
        let patches = self.patches()?;
        if planes.len() != 3 * size * size {
            return None;
        }
        gather(planes, size, patch, &mut scratch.rows);
        scratch.codes.read(&scratch.rows, 3 * patch * patch);
        patches.patches.forward(&mut scratch.codes, &mut scratch.hidden);
        let tokens = &mut scratch.tokens;
        tokens.clear();
        let values = patches.class.iter().chain(&scratch.hidden);
        tokens.extend(
            values
                .zip(self.positions())
                .map(|(value, position)| value + position),
        );
        scratch.rows.clone_from(tokens);
        normalise(patches.norm, self.shape().epsilon, &scratch.rows, tokens);
        Some(self.layers_and_projection(0, Sees::All, scratch))
    }

    /// Runs the layers over the tokens, and projects the one that is `read`.
    fn layers_and_projection(&self, read: usize, sees: Sees, scratch: &mut Scratch) -> Vec<f32> {
        let (width, epsilon) = (self.shape().width, self.shape().epsilon);
        let mut layers = self.layers();
        while let Some(layer) = layers.next() {
            // Of the last layer's tokens only one is read further on.
            let only = (layers.len() == 0).then_some(read);
            self.layer(&layer, only, sees, scratch);
        }
        let Scratch {
            tokens, rows, codes, ..
        } = scratch;
        normalise(self.last(), epsilon, tokens, rows);
        codes.read(rows, width);
        let mut vector = Vec::with_capacity(self.shape().dim);
        self.projection().forward(codes, &mut vector);
        vector
    }

    /// One layer; with `only`, of all tokens this one is kept.
    fn layer(&self, layer: &Layer<'_>, only: Option<usize>, sees: Sees, scratch: &mut Scratch) {
        let shape = self.shape();
        let (width, epsilon) = (shape.width, shape.epsilon);
        let third = width / COLUMNS;
        let Scratch {
            tokens,
            rows,
            codes,
            own_codes,
            queries,
            keys_values,
            hidden,
            head,
        } = scratch;
        normalise(layer.before_attention, epsilon, tokens, rows);
        codes.read(rows, width);
        layer
            .attention
            .panels(third..3 * third)
            .forward(codes, keys_values);
        let asking = layer.attention.panels(0..third);
        if let Some(only) = only {
            let own = only * width..(only + 1) * width;
            own_codes.read(rows.get(own.clone()).unwrap_or_default(), width);
            asking.forward(own_codes, queries);
            tokens.copy_within(own, 0);
            tokens.truncate(width);
        } else {
            asking.forward(codes, queries);
        }
        let attention = Attention {
            queries,
            keys_values,
            width,
            heads: shape.heads,
            sees,
        };
        attention.attend(head, rows);
        codes.read(rows, width);
        layer.joined.add(codes, tokens);
        normalise(layer.before_hidden, epsilon, tokens, rows);
        codes.read(rows, width);
        layer.hidden.forward(codes, hidden);
        activate(hidden, shape.activation);
        codes.read(hidden, shape.hidden);
        layer.out.add(codes, tokens);
    }
}

/// Normalises rows.
fn normalise(norm: Norm<'_>, epsilon: f32, rows: &[f32], out: &mut Vec<f32>) {
    out.resize(rows.len(), 0.0);
    layer_norm(rows, norm.gain, norm.bias, epsilon, out);
}

/// The values of each patch: channel by channel, row by row.
fn gather(planes: &[f32], size: usize, patch: usize, out: &mut Vec<f32>) {
    out.clear();
    for top in (0..size).step_by(patch) {
        for left in (0..size).step_by(patch) {
            for plane in planes.chunks_exact(size * size) {
                let lines = plane.chunks_exact(size).skip(top).take(patch);
                for line in lines {
                    out.extend_from_slice(line.get(left..left + patch).unwrap_or_default());
                }
            }
        }
    }
}
