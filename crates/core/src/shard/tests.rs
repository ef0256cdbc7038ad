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
            let mut near: Vec<usize> = (0..n).filter(|&j| j != i).collect();
            near.sort_by(|&a, &b| product(row(b), row(i)).total_cmp(&product(row(a), row(i))));
            near.truncate(m - 1);
            near.push((i + 1) % n);
            near.into_iter().map(|j| j as u32).collect()
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
    let (shard, vectors) = shard(300, 24, 8);
    let mut agree = 0;
    for seed in 0..20 {
        let q = noise(100 + seed, 24);
        let mut exact: Vec<u32> = (0..300).collect();
        let score = |row: u32| {
            let node = 299 - row as usize;
            vectors[node * 24..(node + 1) * 24]
                .iter()
                .zip(&q)
                .map(|(a, b)| a * b)
                .sum::<f32>()
        };
        exact.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        let found = rows(&shard, &q, 10, Strategy::Flat, |_| true);
        agree += found.iter().filter(|r| exact[..10].contains(r)).count();
    }
    assert!(agree >= 196, "{agree} of 200");
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
