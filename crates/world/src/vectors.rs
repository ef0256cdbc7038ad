//! Made vectors for measuring search: unit vectors around skewed clusters that share one mean, as the embeddings of a
//! real catalogue do, and queries as a viewer's clicks give them.

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

/// Share of the mean that all vectors have in common; the share of the cluster's centre; the rest is noise. Lengths
/// before normalisation.
const COMMON: f32 = 0.6;
const CENTRE: f32 = 0.5;
const NOISE: f32 = 0.6;
/// A query is the mean of this many items of one cluster.
const CLICKS: usize = 5;

/// Vectors and queries, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// items × dim, unit length.
    pub items: Vec<f32>,
    /// queries × dim, unit length.
    pub queries: Vec<f32>,
}

/// Makes the vectors; the same for the same spec.
#[must_use]
pub fn make(spec: &Spec) -> Vectors {
    let mut rng = Rng::new(spec.seed);
    let common = direction(&mut rng, spec.dim);
    let centres: Vec<Vec<f32>> = (0..spec.clusters.max(1))
        .map(|_| direction(&mut rng, spec.dim))
        .collect();
    let weight = |c: usize| 1.0 / (c + 1) as f64;
    let total: f64 = (0..centres.len()).map(weight).sum();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); centres.len()];
    let mut items = Vec::with_capacity(spec.items * spec.dim);
    for item in 0..spec.items {
        let mut left = rng.unit() * total;
        let cluster = (0..centres.len() - 1).find(|&c| {
            left -= weight(c);
            left < 0.0
        });
        let cluster = cluster.unwrap_or(centres.len() - 1);
        let noise = direction(&mut rng, spec.dim);
        let parts = common
            .iter()
            .zip(centres.get(cluster).into_iter().flatten())
            .zip(&noise);
        let sum: Vec<f32> = parts
            .map(|((m, c), n)| COMMON * m + CENTRE * c + NOISE * n)
            .collect();
        items.extend(unit(&sum));
        if let Some(list) = members.get_mut(cluster) {
            list.push(item);
        }
    }
    let filled: Vec<&Vec<usize>> = members.iter().filter(|m| !m.is_empty()).collect();
    let mut queries = Vec::with_capacity(spec.queries * spec.dim);
    for _ in 0..spec.queries {
        let mut sum = vec![0f32; spec.dim];
        let Some(cluster) = filled.get(below(&mut rng, filled.len())) else {
            break;
        };
        for _ in 0..CLICKS {
            let item = cluster.get(below(&mut rng, cluster.len())).copied().unwrap_or(0);
            let vector = items
                .get(item * spec.dim..(item + 1) * spec.dim)
                .unwrap_or_default();
            sum.iter_mut().zip(vector).for_each(|(s, v)| *s += v);
        }
        queries.extend(unit(&sum));
    }
    Vectors { items, queries }
}

/// A whole number below `n`; 0 where `n` is 0.
fn below(rng: &mut Rng, n: usize) -> usize {
    ((rng.unit() * n as f64) as usize).min(n.saturating_sub(1))
}

/// A random direction: normal components (Box and Muller 1958), normalised.
fn direction(rng: &mut Rng, dim: usize) -> Vec<f32> {
    let normal = |rng: &mut Rng| {
        let radius = (-2.0 * (1.0 - rng.unit()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * rng.unit()).cos()) as f32
    };
    let raw: Vec<f32> = (0..dim).map(|_| normal(rng)).collect();
    unit(&raw)
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
