//! One partition of the catalogue: cells by k-means, and shards as unions of neighbouring cells.
//!
//! Videos near a border stand in two shards (as in the closures of SPANN, Chen et al., NeurIPS 2021), so that asking few
//! shards finds most neighbours.

use anyhow::{Result, ensure};
use recsys_core::rng::SplitMix64;

/// Cells of a shard, on average.
const CELLS_PER_SHARD: usize = 16;
/// k-means looks at this many vectors at most.
const SAMPLE: usize = 40_000;
const ROUNDS: usize = 10;
/// A shard's cells hold at most this many times the average number of videos.
const SLACK: f64 = 1.1;
/// Tries to join cells into shards, and rounds of each.
const TRIES: u64 = 4;
const JOIN_ROUNDS: usize = 40;
const SEED: u64 = 1;

/// Cells and shards.
pub struct Partition {
    /// cells × dim, unit length: the directions of the cells from the catalogue's mean.
    pub centroids: Vec<f32>,
    /// The number of each cell's shard.
    pub shards: Vec<u32>,
    /// The rows of each shard.
    pub rows: Vec<Members>,
}

/// The rows of a shard, ascending.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Those of its cells.
    pub home: Vec<u32>,
    /// Those of others near its border.
    pub copies: Vec<u32>,
}

impl Partition {
    /// Splits `vectors` (n × dim, unit length, of this mean) into so many shards, two or more; a share of the videos stands in
    /// two.
    ///
    /// # Errors
    /// Fewer vectors than cells, or a share that is not from 0 to 1.
    pub fn make(vectors: &[f32], mean: &[f32], shards: usize, copies: f64) -> Result<Self> {
        ensure!(
            (0.0..=1.0).contains(&copies),
            "--copies {copies}: expected a share from 0 to 1"
        );
        let dim = mean.len();
        let n = vectors.len() / dim.max(1);
        let cells = CELLS_PER_SHARD * shards;
        ensure!(
            n >= cells,
            "--shards {shards}: expected at least {cells} videos, {CELLS_PER_SHARD} a shard, found {n}; choose fewer shards"
        );
        let centred = centred(vectors, mean);
        let mut rng = SplitMix64::new(SEED);
        let centroids = k_means(&centred, dim, cells, &mut rng);
        let cell_of: Vec<usize> = centred
            .chunks_exact(dim)
            .map(|vector| nearest(&centroids, dim, vector).0)
            .collect();
        let mut sizes = vec![0usize; cells];
        for cell in &cell_of {
            if let Some(size) = sizes.get_mut(*cell) {
                *size += 1;
            }
        }
        let shard_of_cell = (0..TRIES)
            .map(|seed| join(&centroids, dim, &sizes, shards, seed))
            .max_by(|a, b| a.nearness.total_cmp(&b.nearness))
            .map(|joined| joined.shard_of_cell)
            .unwrap_or_default();
        let rows = members(
            &centred,
            dim,
            &centroids,
            &cell_of,
            &shard_of_cell,
            shards,
            copies,
        );
        Ok(Self {
            centroids,
            shards: shard_of_cell
                .iter()
                .filter_map(|s| u32::try_from(*s).ok())
                .collect(),
            rows,
        })
    }
}

/// The vectors less their mean, at unit length.
fn centred(vectors: &[f32], mean: &[f32]) -> Vec<f32> {
    let mut centred = vectors.to_vec();
    for vector in centred.chunks_exact_mut(mean.len().max(1)) {
        vector.iter_mut().zip(mean).for_each(|(v, m)| *v -= m);
        to_unit(vector);
    }
    centred
}

fn to_unit(vector: &mut [f32]) {
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm > 0.0 {
        vector.iter_mut().for_each(|v| *v /= norm);
    }
}

/// Spherical k-means (Dhillon and Modha 2001): cells × dim, unit length.
fn k_means(vectors: &[f32], dim: usize, cells: usize, rng: &mut SplitMix64) -> Vec<f32> {
    let mut sample: Vec<&[f32]> = vectors.chunks_exact(dim).collect();
    rng.shuffle(&mut sample);
    sample.truncate(SAMPLE);
    let mut centroids: Vec<f32> = sample.iter().take(cells).copied().flatten().copied().collect();
    for _ in 0..ROUNDS {
        let mut sums = vec![0f32; centroids.len()];
        for vector in &sample {
            let (cell, _) = nearest(&centroids, dim, vector);
            let sum = sums.get_mut(cell * dim..(cell + 1) * dim).unwrap_or_default();
            sum.iter_mut().zip(*vector).for_each(|(s, v)| *s += v);
        }
        for (centroid, sum) in centroids.chunks_exact_mut(dim).zip(sums.chunks_exact_mut(dim)) {
            // An empty cell starts again elsewhere.
            if sum.iter().all(|s| *s == 0.0) {
                sum.copy_from_slice(sample[rng.below(sample.len())]);
            }
            to_unit(sum);
            centroid.copy_from_slice(sum);
        }
    }
    centroids
}

/// The nearest of the centroids, and the product with it.
fn nearest(centroids: &[f32], dim: usize, vector: &[f32]) -> (usize, f32) {
    let products = centroids
        .chunks_exact(dim)
        .map(|centroid| product(centroid, vector));
    products
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((0, 0.0))
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

struct Joined {
    shard_of_cell: Vec<usize>,
    /// Products of the cells with their shards' centres, by size.
    nearness: f64,
}

/// Joins cells into shards of about equal size: k-means over the cells, in which the cells that have the most to lose choose
/// first and a full shard takes no more.
fn join(centroids: &[f32], dim: usize, sizes: &[usize], shards: usize, seed: u64) -> Joined {
    let mut rng = SplitMix64::new(seed);
    let most = (sizes.iter().sum::<usize>() as f64 / shards as f64 * SLACK) as usize;
    let cells: Vec<&[f32]> = centroids.chunks_exact(dim).collect();
    let mut first: Vec<usize> = (0..cells.len()).collect();
    rng.shuffle(&mut first);
    let mut centres: Vec<Vec<f32>> = first
        .iter()
        .take(shards)
        .map(|cell| cells[*cell].to_vec())
        .collect();
    let mut shard_of_cell = vec![0; cells.len()];
    for _ in 0..JOIN_ROUNDS {
        shard_of_cell = assign(&cells, sizes, &centres, most);
        for (shard, centre) in centres.iter_mut().enumerate() {
            let mut sum = vec![0f32; dim];
            let own = cells
                .iter()
                .zip(sizes)
                .zip(&shard_of_cell)
                .filter(|(_, of)| **of == shard);
            for ((cell, size), _) in own {
                sum.iter_mut()
                    .zip(*cell)
                    .for_each(|(s, v)| *s += *size as f32 * v);
            }
            to_unit(&mut sum);
            *centre = sum;
        }
    }
    let nearness = cells
        .iter()
        .zip(sizes)
        .zip(&shard_of_cell)
        .map(|((cell, size), shard)| *size as f64 * f64::from(product(cell, &centres[*shard])));
    Joined {
        nearness: nearness.sum(),
        shard_of_cell,
    }
}

/// The shard of each cell: the nearest with room, or the emptiest.
fn assign(cells: &[&[f32]], sizes: &[usize], centres: &[Vec<f32>], most: usize) -> Vec<usize> {
    type Wish = (f32, usize, Vec<(f32, usize)>);
    // What each cell has to lose, its number, and the shards that it would like best.
    let mut order: Vec<Wish> = cells
        .iter()
        .enumerate()
        .map(|(number, cell)| {
            let mut near: Vec<(f32, usize)> = centres
                .iter()
                .enumerate()
                .map(|(shard, centre)| (product(cell, centre), shard))
                .collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let loss = match near[..] {
                [best, second, ..] => best.0 - second.0,
                _ => 0.0,
            };
            (loss, number, near)
        })
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut load = vec![0usize; centres.len()];
    let mut shard_of_cell = vec![0; cells.len()];
    for (_, cell, near) in order {
        let with_room = near
            .iter()
            .map(|(_, shard)| *shard)
            .find(|shard| load[*shard] + sizes[cell] <= most);
        let emptiest = || (0..load.len()).min_by_key(|shard| load[*shard]).unwrap_or(0);
        let shard = with_room.unwrap_or_else(emptiest);
        load[shard] += sizes[cell];
        shard_of_cell[cell] = shard;
    }
    shard_of_cell
}

/// The rows of each shard: those of its cells, and of the others those that are nearest to its border.
fn members(
    centred: &[f32],
    dim: usize,
    centroids: &[f32],
    cell_of: &[usize],
    shard_of_cell: &[usize],
    shards: usize,
    copies: f64,
) -> Vec<Members> {
    // For each row the shard that would be its second, and how much farther that is.
    let seconds: Vec<(f32, usize)> = centred
        .chunks_exact(dim)
        .zip(cell_of)
        .map(|(vector, cell)| {
            let own = shard_of_cell[*cell];
            let products = centroids
                .chunks_exact(dim)
                .map(|centroid| product(centroid, vector));
            let (mut here, mut there) = (f32::MIN, (f32::MIN, own));
            for (product, shard) in products.zip(shard_of_cell) {
                if *shard == own {
                    here = here.max(product);
                } else if product > there.0 {
                    there = (product, *shard);
                }
            }
            (here - there.0, there.1)
        })
        .collect();
    let mut margins: Vec<f32> = seconds.iter().map(|(margin, _)| *margin).collect();
    margins.sort_by(f32::total_cmp);
    let limit = margins[((margins.len() as f64 * copies) as usize).min(margins.len() - 1)];
    let mut rows = vec![Members::default(); shards];
    for (row, (cell, (margin, second))) in (0u32..).zip(cell_of.iter().zip(&seconds)) {
        let own = shard_of_cell[*cell];
        rows[own].home.push(row);
        if *margin < limit && *second != own {
            rows[*second].copies.push(row);
        }
    }
    rows
}
