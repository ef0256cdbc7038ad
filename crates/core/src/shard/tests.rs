//! Properties of the search.

use super::{Query, QueryError, Scratch, SearchOptions, Shard, ShardParts, Strategy};
use crate::bytes::AlignedBytes;

/// Pseudo-random values in −0.5..0.5.
fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    std::iter::repeat_with(next).take(n).collect()
}

fn unit(v: &[f32]) -> Vec<f32> {
    let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
    v.iter().map(|x| x / norm).collect()
}

/// n vectors of `dim`; each node linked with its `m` exact nearest and the next in order: a navigable graph.
fn shard(n: usize, dim: usize, m: usize) -> (Shard, Vec<f32>) {
    let vectors: Vec<f32> = noise(7, n * dim).chunks(dim).flat_map(unit).collect();
    let row = |i: usize| &vectors[i * dim..(i + 1) * dim];
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let links = (0..n)
        .map(|i| {
            let others = (0..n).filter(|&j| j != i);
            let mut near: Vec<(f32, u32)> = others.map(|j| (product(row(j), row(i)), j as u32)).collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0));
            near.truncate(m - 1);
            near.push((0.0, ((i + 1) % n) as u32));
            near.into_iter().map(|(_, j)| j).collect()
        })
        .collect();
    let rows = (0..n as u32).rev().collect();
    let mean = vec![0.0; dim];
    let layers = vec![links];
    let parts = ShardParts {
        dim,
        mean,
        vectors: vectors.clone(),
        rows,
        links_per_node: (m, 0),
        layers,
    };
    (
        Shard::open(AlignedBytes::copy_of(&parts.to_bytes())).unwrap(),
        vectors,
    )
}

fn rows(shard: &Shard, q: &[f32], k: usize, strategy: Strategy, accept: impl Fn(u32) -> bool) -> Vec<u32> {
    let query = Query::new(shard, q).unwrap();
    let options = SearchOptions { k, ef: 64, strategy };
    let (hits, _) = shard.search(&query, &options, &mut Scratch::default(), accept);
    assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
    hits.iter().map(|h| h.row).collect()
}

#[test]
fn a_scan_equals_brute_force_over_floats() {
    for dim in [8, 24, 64, 100, 384, 513, 768, 1024, 2048] {
        let (shard, vectors) = shard(300, dim, 8);
        let mut lost = 0.0;
        for seed in 0..20 {
            let q = unit(&noise(100 + seed, dim));
            let score = |row: u32| {
                let vector = vectors.chunks(dim).nth(299 - row as usize).unwrap();
                vector.iter().zip(&q).map(|(a, b)| a * b).sum::<f32>()
            };
            let mut exact: Vec<f32> = (0..300).map(score).collect();
            exact.sort_by(|a, b| b.total_cmp(a));
            let found = rows(&shard, &q, 10, Strategy::Flat, |_| true);
            assert_eq!(found.len(), 10, "{dim}");
            lost = found
                .iter()
                .map(|row| exact[9] - score(*row))
                .fold(lost, f32::max);
        }
        // Rounding to 8 bits may change places with one that is as near.
        assert!(lost < 0.005, "{dim}: {lost}");
    }
}

#[test]
fn the_graph_finds_what_the_scan_finds() {
    let (shard, _) = shard(1000, 16, 16);
    let mut agree = 0;
    for seed in 0..20 {
        let q = noise(500 + seed, 16);
        let flat = rows(&shard, &q, 10, Strategy::Flat, |_| true);
        let graph = rows(&shard, &q, 10, Strategy::Graph, |_| true);
        agree += graph.iter().filter(|r| flat.contains(r)).count();
    }
    assert!(agree >= 190, "{agree} of 200");
}

#[test]
fn excluded_rows_never_come_and_the_list_stays_full() {
    let (shard, _) = shard(400, 16, 12);
    let q = noise(3, 16);
    for strategy in [Strategy::Flat, Strategy::Graph] {
        let seen = rows(&shard, &q, 30, strategy, |_| true);
        let rest = rows(&shard, &q, 30, strategy, |row| !seen.contains(&row));
        assert_eq!(rest.len(), 30);
        assert!(rest.iter().all(|r| !seen.contains(r)));
    }
}

#[test]
fn bad_queries_are_refused_and_large_ones_scaled() {
    let (shard, _) = shard(20, 16, 4);
    assert!(matches!(
        Query::new(&shard, &[1.0; 15]),
        Err(QueryError::Length {
            expected: 16,
            found: 15
        })
    ));
    let mut q = [1.0f32; 16];
    q[4] = f32::NAN;
    assert!(matches!(
        Query::new(&shard, &q),
        Err(QueryError::NotFinite { index: 4, .. })
    ));
    assert_eq!(Query::new(&shard, &[0.0; 16]).unwrap_err(), QueryError::Zero);
    q[4] = 1.0;
    let small = rows(&shard, &q.map(|v| v * 1e-30), 5, Strategy::Flat, |_| true);
    let large = rows(&shard, &q.map(|v| v * 1e30), 5, Strategy::Flat, |_| true);
    assert_eq!(small, large);
}

#[test]
fn k_beyond_the_shard_gives_all_of_it() {
    let (shard, _) = shard(20, 16, 4);
    assert_eq!(
        rows(&shard, &noise(1, 16), 1_000_000, Strategy::Flat, |_| true).len(),
        20
    );
    assert_eq!(rows(&shard, &noise(1, 16), 0, Strategy::Graph, |_| true).len(), 0);
}
