//! What each feature adds to a raw score: exact Shapley values of boosted trees.
//!
//! The game is that of path-dependent TreeSHAP (Lundberg, Erion and Lee, "Consistent Individualized Feature
//! Attribution for Tree Ensembles", 2018), whose values LightGBM's `pred_contrib` and XGBoost's `pred_contribs`
//! give: at a split on a feature outside the coalition, a row goes both ways in proportion to the training data
//! that did. For one leaf of value `v`, let `z` be the share of the data that a feature's splits on the path let
//! through, and `o` be 1 if they let this row through, else 0. The leaf's game is then
//! `v · ∏ o (features inside) · ∏ z (features outside)`.
//!
//! A Shapley value is the integral of the game's multilinear extension (Owen, "Multilinear Extensions of Games",
//! 1972): for feature `i` of a path, `v · (o_i − z_i) · ∫₀¹ ∏_{j≠i} ((1−t) z_j + t o_j) dt`. The integrand is a
//! polynomial in t of one degree less than the path has features, so Gauss-Legendre quadrature with half as many
//! points as that gives it exactly. All factors are between 0 and 1 and nothing is unwound, so rounding stays small
//! however deep the tree; and since each point takes one walk down and one up, time is linear in nodes × points.

use super::kernel::ShapeError;
use super::model::{Link, Model};
use std::ops::Range;
use thiserror::Error;

/// A model without what exact attributions rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the model has no covers, so what each feature adds to its scores is not known: import it again from a file that \
     has them (LightGBM's leaf_count, XGBoost's sum_hessian), or train it with this version of recsys"
)]
pub struct NoCovers;

/// Splits raw scores of one model into what each feature adds. Made by [`Model::explainer`].
#[derive(Debug)]
pub struct Explainer<'m> {
    model: &'m Model,
    /// For each edge, the share of its split's training data that takes it.
    shares: Vec<f64>,
    /// For each split, the nearest edge above it that hangs from a split on the same feature.
    above: Vec<Option<Edge>>,
    points: Vec<Point>,
    /// One a class.
    expected: Vec<f64>,
}

/// Twice the index of a split, plus the side: 0 is left.
type Edge = usize;

/// A point of the quadrature on 0..1.
#[derive(Debug, Clone, Copy)]
struct Point {
    t: f64,
    weight: f64,
}

/// How the splits on one feature, down to some edge, let through the training data and the row at hand.
#[derive(Debug, Clone, Copy)]
struct Passage {
    /// Share of the data, 0 to 1.
    data: f64,
    /// Whether the row itself.
    row: bool,
}

impl Passage {
    /// Where no split on the feature stands.
    const FREE: Self = Self { data: 1.0, row: true };

    /// The factor of the multilinear extension at `t`.
    fn factor(self, t: f64) -> f64 {
        (1.0 - t) * self.data + if self.row { t } else { 0.0 }
    }

    /// The factor's derivative.
    fn slope(self) -> f64 {
        if self.row { 1.0 - self.data } else { -self.data }
    }
}

impl Model {
    /// Prepares attributions; takes time and memory linear in the model.
    ///
    /// # Errors
    /// The model [has no covers](Model::has_covers).
    pub fn explainer(&self) -> Result<Explainer<'_>, NoCovers> {
        if !self.has_covers() {
            return Err(NoCovers);
        }
        let shares = shares(self);
        let (above, features) = paths(self);
        Ok(Explainer {
            expected: expected(self, &shares),
            points: gauss_legendre(features.div_ceil(2)),
            model: self,
            shares,
            above,
        })
    }
}

impl Explainer<'_> {
    /// The mean raw score of each class over the training data, weighted by cover: what contributions add to.
    #[must_use]
    pub fn expected(&self) -> &[f64] {
        &self.expected
    }

    /// What each feature adds to each raw score of one row.
    ///
    /// `row` is as for [`Model::score`]. `out` is overwritten: for each class [`Model::feature_count`] contributions and
    /// then the class's [expected score](Self::expected), which all together add up to the row's raw score.
    ///
    /// # Errors
    /// Lengths that do not fit the model.
    pub fn contributions(&self, row: &[f32], out: &mut [f64]) -> Result<(), ShapeError> {
        let model = self.model;
        let (features, width) = (model.features, model.features + 1);
        let room = model.base.len() * width;
        if row.len() != features || out.len() != room {
            return Err(ShapeError {
                features,
                classes: room,
                rows: row.len(),
                out: out.len(),
            });
        }
        out.fill(0.0);
        let passages = self.passages(row);
        let mut start = 0;
        for ((out, &expected), &end) in out
            .chunks_exact_mut(width)
            .zip(&self.expected)
            .zip(&model.class_ends)
        {
            for point in &self.points {
                self.add_point(start..end, &passages, *point, out);
            }
            out[features] = expected;
            start = end;
        }
        Ok(())
    }

    /// For each edge, the passage of its feature down to it.
    fn passages(&self, row: &[f32]) -> Vec<Passage> {
        let mut passages: Vec<Passage> = Vec::with_capacity(self.shares.len());
        for (split, node) in self.model.nodes.iter().enumerate() {
            let so_far = self.above[split].map_or(Passage::FREE, |edge| passages[edge]);
            let left = self.model.goes_left(node, row[usize::from(node.feature)]);
            for (side, taken) in [left, !left].into_iter().enumerate() {
                passages.push(Passage {
                    data: so_far.data * self.shares[2 * split + side],
                    row: so_far.row && taken,
                });
            }
        }
        passages
    }

    /// Adds one point's part of the integrals over `trees`, all of one class, to the features' sums.
    fn add_point(&self, trees: Range<usize>, passages: &[Passage], point: Point, sums: &mut [f64]) {
        let model = self.model;
        let splits = splits_of(model, trees);
        let first = splits.start;
        // One over the factor of each edge's feature; 0 where nothing comes through.
        let mut inverses = vec![0.0; 2 * splits.len()];
        // Products of the factors of all features: above each split, behind each edge, and times the leaves below.
        let mut above = vec![1.0; splits.len()];
        let mut behind = vec![0.0; 2 * splits.len()];
        let mut below = vec![0.0; splits.len()];
        for split in splits.clone() {
            let here = split - first;
            // The feature's factor changes from that of the edge above to that of this one.
            let without = self.above[split].map_or(1.0, |edge| inverses[edge - 2 * first]);
            for (side, child) in model.nodes[split].children.into_iter().enumerate() {
                let factor = passages[2 * split + side].factor(point.t);
                let edge = 2 * here + side;
                inverses[edge] = if factor > 0.0 { 1.0 / factor } else { 0.0 };
                behind[edge] = above[here] * without * factor;
                if let Err(child) = child.resolve() {
                    above[child - first] = behind[edge];
                }
            }
        }
        let slope = |edge: Edge| passages[edge].slope() * inverses[edge - 2 * first];
        for split in splits.rev() {
            let node = &model.nodes[split];
            let slope_above = self.above[split].map_or(0.0, slope);
            for (side, child) in node.children.into_iter().enumerate() {
                let edge = 2 * split + side;
                let product = match child.resolve() {
                    Ok(leaf) => behind[edge - 2 * first] * f64::from(model.leaves[leaf]),
                    Err(child) => below[child - first],
                };
                below[split - first] += product;
                // Leaves below count with this edge's passage, not with that of the edge above, which adds them too.
                sums[usize::from(node.feature)] += point.weight * product * (slope(edge) - slope_above);
            }
        }
    }
}

/// The splits of consecutive trees: they stand together, in preorder.
fn splits_of(model: &Model, trees: Range<usize>) -> Range<usize> {
    let first_from = |tree: usize| {
        let mut roots = model.roots.iter().skip(tree);
        roots
            .find_map(|root| root.resolve().err())
            .unwrap_or(model.nodes.len())
    };
    first_from(trees.start)..first_from(trees.end)
}

/// For each edge, its share of its split's cover. Where a split has none, half: no data says otherwise.
fn shares(model: &Model) -> Vec<f64> {
    let mut shares = vec![0.5; 2 * model.nodes.len()];
    let mut covers = vec![0.0; model.nodes.len()];
    // A child's index is above its parent's.
    for (split, node) in model.nodes.iter().enumerate().rev() {
        let sides = node.children.map(|child| match child.resolve() {
            Ok(leaf) => f64::from(model.covers[leaf]),
            Err(child) => covers[child],
        });
        covers[split] = sides[0] + sides[1];
        if covers[split] > 0.0 {
            shares[2 * split] = sides[0] / covers[split];
            shares[2 * split + 1] = sides[1] / covers[split];
        }
    }
    shares
}

/// Each class's base score and the mean of its trees' leaves.
fn expected(model: &Model, shares: &[f64]) -> Vec<f64> {
    let mut reach = vec![1.0; model.nodes.len()];
    let mut means = Vec::with_capacity(model.base.len());
    let mut start = 0;
    for (&end, &base) in model.class_ends.iter().zip(&model.base) {
        let single = model.roots[start..end]
            .iter()
            .filter_map(|root| root.resolve().ok());
        let mut mean = f64::from(base) + single.map(|leaf| f64::from(model.leaves[leaf])).sum::<f64>();
        for split in splits_of(model, start..end) {
            for (side, child) in model.nodes[split].children.into_iter().enumerate() {
                let share = reach[split] * shares[2 * split + side];
                match child.resolve() {
                    Ok(leaf) => mean += share * f64::from(model.leaves[leaf]),
                    Err(child) => reach[child] = share,
                }
            }
        }
        means.push(mean);
        start = end;
    }
    means
}

/// For each split the nearest edge above it on the same feature, and the most features on one path.
fn paths(model: &Model) -> (Vec<Option<Edge>>, usize) {
    enum Step {
        Visit(Link),
        /// From here on the nearest edge of a feature is this one.
        Pass(usize, Option<Edge>),
    }
    let mut above = vec![None; model.nodes.len()];
    let mut nearest = vec![None; model.features];
    let (mut features, mut most) = (0, 0);
    let mut ahead: Vec<Step> = model.roots.iter().rev().map(|root| Step::Visit(*root)).collect();
    while let Some(step) = ahead.pop() {
        match step {
            Step::Pass(feature, edge) => {
                match (nearest[feature], edge) {
                    (None, Some(_)) => features += 1,
                    (Some(_), None) => features -= 1,
                    _ => {}
                }
                most = most.max(features);
                nearest[feature] = edge;
            }
            Step::Visit(link) => {
                let Err(split) = link.resolve() else { continue };
                let node = &model.nodes[split];
                let feature = usize::from(node.feature);
                above[split] = nearest[feature];
                let [left, right] = node.children;
                // The last is the next.
                ahead.extend([
                    Step::Pass(feature, nearest[feature]),
                    Step::Visit(right),
                    Step::Pass(feature, Some(2 * split + 1)),
                    Step::Visit(left),
                    Step::Pass(feature, Some(2 * split)),
                ]);
            }
        }
    }
    (above, most)
}

/// The `n` points of Gauss-Legendre quadrature on 0..1, exact for polynomials up to degree 2n − 1.
///
/// The roots are found from the largest down by Newton's method on the polynomial less the roots found (Maehly's
/// procedure), which comes to each from above without a guess; one plain step each then takes the rounding out.
fn gauss_legendre(n: usize) -> Vec<Point> {
    let mut roots: Vec<f64> = Vec::with_capacity(n);
    for _ in 0..n {
        let (mut x, mut step) = (1.0, 1.0);
        while step > 1e-15 {
            let (p, slope) = legendre(n, x);
            let found: f64 = roots.iter().map(|root| 1.0 / (x - root)).sum();
            step = p / (slope - p * found);
            x -= step;
        }
        let (p, slope) = legendre(n, x);
        roots.push(x - p / slope);
    }
    let point = |x: f64| {
        let (_, slope) = legendre(n, x);
        Point {
            t: 0.5 * (1.0 + x),
            weight: 1.0 / ((1.0 - x * x) * slope * slope),
        }
    };
    roots.into_iter().map(point).collect()
}

/// The Legendre polynomial of degree `n`, at least 1, and its derivative, at `x` in −1..1.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut p) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, p) = (p, ((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k);
    }
    let n = n as f64;
    let slope = if x * x < 1.0 {
        n * (before - x * p) / (1.0 - x * x)
    } else {
        0.5 * n * (n + 1.0)
    };
    (p, slope)
}
