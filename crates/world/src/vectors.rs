//! Made vectors for measuring search: unit vectors around skewed clusters that share one mean, as the embeddings of a
//! real catalogue do, and queries of two kinds: as a viewer's clicks give them, and as a text encoder does, off the
//! items' cone.
//!
//! What tells items apart is of few effective dimensions, with a thin rest in all of them, as in learned embeddings:
//! noise in all dimensions alike would make all neighbours but the closest a matter of chance.

use crate::Rng;

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Number of vectors.
    pub items: usize,
    /// Dimensions.
    pub dim: usize,
    /// Number of clusters; cluster c (from 0) is chosen with weight 1 / (c + 1).
    pub clusters: usize,
    /// Number of queries.
    pub queries: usize,
    /// Seed.
    pub seed: u64,
}

/// Directions in which clusters and items differ; direction j (from 0) with a weight of 1 / √(j + 1).
const DIRECTIONS: usize = 64;
/// Lengths of an item's parts before normalisation: the mean that all items have in common, the centre of the cluster,
/// what is the item's own along the directions, and in every dimension.
const COMMON: f32 = 0.6;
const CENTRE: f32 = 0.5;
const OWN: f32 = 0.6;
const FINE: f32 = 0.1;
/// Lengths of the parts of a query in words: the mean that all of these have in common, and as above.
const TEXT_COMMON: f32 = 0.7;
const TEXT_CENTRE: f32 = 0.4;
const TEXT_OWN: f32 = 0.5;
/// A query of clicks is the mean of this many items near each other: an item of some cluster and those nearest to it among
/// so many others of the cluster.
const CLICKS: usize = 5;
const AMONG: usize = 100;

/// Vectors and queries, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// items × dim, unit length.
    pub items: Vec<f32>,
    /// queries × dim, unit length: the means of clicks.
    pub queries: Vec<f32>,
    /// queries × dim, unit length: as from words.
    pub text_queries: Vec<f32>,
}

/// Makes the vectors; the same for the same spec.
#[must_use]
pub fn make(spec: &Spec) -> Vectors {
    let mut rng = Rng::new(spec.seed);
    let common = direction(&mut rng, spec.dim);
    let basis: Vec<Vec<f32>> = (0..DIRECTIONS).map(|_| direction(&mut rng, spec.dim)).collect();
    let centres: Vec<Vec<f32>> = (0..spec.clusters.max(1))
        .map(|_| along(&mut rng, &basis))
        .collect();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); centres.len()];
    let mut items = Vec::with_capacity(spec.items * spec.dim);
    for item in 0..spec.items {
        let cluster = skewed(&mut rng, centres.len());
        let own = along(&mut rng, &basis);
        let fine = direction(&mut rng, spec.dim);
        items.extend(sum(&[
            (COMMON, &common),
            (CENTRE, &centres[cluster]),
            (OWN, &own),
            (FINE, &fine),
        ]));
        members[cluster].push(item);
    }
    let filled: Vec<&Vec<usize>> = members.iter().filter(|m| !m.is_empty()).collect();
    let mut queries = Vec::with_capacity(spec.queries * spec.dim);
    for _ in 0..spec.queries {
        let Some(cluster) = filled.get(below(&mut rng, filled.len())) else {
            break;
        };
        let item = |index: usize| &items[index * spec.dim..(index + 1) * spec.dim];
        let first = item(cluster[below(&mut rng, cluster.len())]);
        let mut near: Vec<(f32, &[f32])> = (0..AMONG)
            .map(|_| item(cluster[below(&mut rng, cluster.len())]))
            .map(|other| (first.iter().zip(other).map(|(a, b)| a * b).sum(), other))
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        near.truncate(CLICKS - 1);
        let clicks: Vec<(f32, &[f32])> = std::iter::once((1.0, first))
            .chain(near.iter().map(|(_, other)| (1.0, *other)))
            .collect();
        queries.extend(sum(&clicks));
    }
    let text_common = direction(&mut rng, spec.dim);
    let mut text_queries = Vec::with_capacity(spec.queries * spec.dim);
    for _ in 0..spec.queries {
        let centre = &centres[skewed(&mut rng, centres.len())];
        let own = along(&mut rng, &basis);
        text_queries.extend(sum(&[
            (TEXT_COMMON, &text_common),
            (TEXT_CENTRE, centre),
            (TEXT_OWN, &own),
        ]));
    }
    Vectors {
        items,
        queries,
        text_queries,
    }
}

/// A number below `n`: c with weight 1 / (c + 1).
fn skewed(rng: &mut Rng, n: usize) -> usize {
    let weight = |c: usize| 1.0 / (c + 1) as f64;
    let mut left = rng.unit() * (0..n).map(weight).sum::<f64>();
    let chosen = (0..n).find(|&c| {
        left -= weight(c);
        left < 0.0
    });
    chosen.unwrap_or(n.saturating_sub(1))
}

/// A whole number below `n`; 0 where `n` is 0.
fn below(rng: &mut Rng, n: usize) -> usize {
    ((rng.unit() * n as f64) as usize).min(n.saturating_sub(1))
}

/// A random direction: normal components, normalised.
fn direction(rng: &mut Rng, dim: usize) -> Vec<f32> {
    let raw: Vec<f32> = (0..dim).map(|_| normal(rng)).collect();
    unit(&raw)
}

/// A random sum of the basis, earlier directions more, at unit length.
fn along(rng: &mut Rng, basis: &[Vec<f32>]) -> Vec<f32> {
    let weights: Vec<f32> = (1..=basis.len())
        .map(|j| normal(rng) / (j as f32).sqrt())
        .collect();
    let parts: Vec<(f32, &[f32])> = weights
        .iter()
        .zip(basis)
        .map(|(&w, b)| (w, b.as_slice()))
        .collect();
    sum(&parts)
}

/// A normal number (Box and Muller 1958).
fn normal(rng: &mut Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.unit()).cos()) as f32
}

/// A sum at unit length.
fn sum(parts: &[(f32, &[f32])]) -> Vec<f32> {
    let mut sum = vec![0f32; parts.first().map_or(0, |(_, vector)| vector.len())];
    for (weight, vector) in parts {
        sum.iter_mut().zip(*vector).for_each(|(s, v)| *s += weight * v);
    }
    unit(&sum)
}

fn unit(v: &[f32]) -> Vec<f32> {
    let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    v.iter().map(|x| x / norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_length_repeatable_and_a_shared_mean() {
        let spec = Spec {
            items: 500,
            dim: 32,
            clusters: 20,
            queries: 10,
            seed: 3,
        };
        let made = make(&spec);
        assert_eq!(made, make(&spec));
        assert_eq!((made.items.len(), made.queries.len()), (500 * 32, 10 * 32));
        let mut mean = [0f32; 32];
        for v in made.items.chunks(32) {
            assert!((v.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
            mean.iter_mut().zip(v).for_each(|(m, x)| *m += x / 500.0);
        }
        let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((0.5..0.9).contains(&length), "{length}");
    }
}
