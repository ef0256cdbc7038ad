//! Properties of the search.

use super::{Query, QueryError, Router, Scratch, SearchOptions, Shard, ShardParts, Shards, Strategy};
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

/// Two shards of one mean without graphs: the first with rows 0 to 59, the second with 40 to 99.
fn overlapping(dim: usize) -> [Shard; 2] {
    let vectors: Vec<f32> = noise(11, 100 * dim).chunks(dim).flat_map(unit).collect();
    [0..60usize, 40..100].map(|rows| {
        let parts = ShardParts {
            dim,
            mean: vec![0.01; dim],
            vectors: vectors[rows.start * dim..rows.end * dim].to_vec(),
            rows: rows.map(|row| row as u32).collect(),
            ..ShardParts::default()
        };
        Shard::open(AlignedBytes::copy_of(&parts.to_bytes())).unwrap()
    })
}

#[test]
fn a_row_in_two_shards_is_found_once_and_a_missing_shard_is_counted() {
    let dim = 16;
    let [a, b] = overlapping(dim);
    let options = SearchOptions::new(30);
    let scratch = &mut Scratch::default();
    let score = |shard: &Shard, node: usize, q: &[f32]| {
        let mut vector = vec![0.0; dim];
        shard.vector(node, &mut vector);
        vector.iter().zip(unit(q)).map(|(v, q)| v * q).sum::<f32>()
    };
    for seed in 0..20 {
        let q = noise(900 + seed, dim);
        let mut exact: Vec<(f32, u32)> = (0..60).map(|node| (score(&a, node, &q), node as u32)).collect();
        exact.extend((20..60).map(|node| (score(&b, node, &q), 40 + node as u32)));
        exact.sort_by(|a, b| b.0.total_cmp(&a.0));
        let exact: Vec<u32> = exact.iter().take(30).map(|(_, row)| *row).collect();
        let both = Shards::new(vec![Some(a.clone()), Some(b.clone())], None);
        let nearest = both.nearest(&q, &options, scratch, &|_| true).unwrap();
        let found: Vec<u32> = nearest.found.iter().map(|located| located.hit.row).collect();
        let agree = found.iter().filter(|row| exact.contains(row)).count();
        assert!(agree >= 29, "{agree} of 30");
        let distinct: std::collections::HashSet<&u32> = found.iter().collect();
        assert_eq!((distinct.len(), nearest.missing), (30, 0));
        let one = Shards::new(vec![None, Some(b.clone())], None);
        let nearest = one.nearest(&q, &options, scratch, &|_| true).unwrap();
        assert_eq!((nearest.found.len(), nearest.missing), (30, 1));
        assert!(nearest.found.iter().all(|located| located.hit.row >= 40));
    }
}

#[test]
fn rows_are_located_in_their_order() {
    let [a, b] = overlapping(16);
    let shards = Shards::new(vec![Some(a), None, Some(b)], None);
    let rows = [99, 3, 50, 1000];
    let located = shards.locate(&rows, |row| row as f32);
    let found: Vec<u32> = located.iter().map(|located| located.hit.row).collect();
    assert_eq!(found, rows);
    for located in &located[..3] {
        let row = located.shard.unwrap().rows()[located.hit.node as usize];
        assert_eq!((row, row as f32), (located.hit.row, located.hit.score));
    }
    assert!(located[3].shard.is_none());
}

#[test]
fn a_query_is_routed_to_the_shards_of_its_nearest_cells() {
    // Four cells along the axes; shards 2, 0, 2 and 1.
    let dim = 16;
    let centroid = |axis: usize| (0..dim).map(move |i| f32::from(u8::from(i == axis)));
    let parts = ShardParts {
        dim,
        mean: vec![0.0; dim],
        vectors: (0..4).flat_map(centroid).collect(),
        rows: vec![0, 1, 2, 3],
        ..ShardParts::default()
    };
    let centroids = Shard::open(AlignedBytes::copy_of(&parts.to_bytes())).unwrap();
    assert!(Router::new(centroids.clone(), vec![2, 0, 2], 2).is_err());
    let router = Router::new(centroids, vec![2, 0, 2, 1], 2).unwrap();
    let scratch = &mut Scratch::default();
    let mut route = |router: &Router, near: [f32; 4]| {
        let mut q = vec![0.0; dim];
        q[..4].copy_from_slice(&near);
        router.route(&q, scratch).unwrap()
    };
    assert_eq!(route(&router, [0.9, 0.1, 0.5, 0.3]), [2, 1]);
    assert_eq!(route(&router, [0.1, 0.9, 0.5, 0.3]), [0, 2]);
    assert_eq!(route(&router.with_probes(9), [0.1, 0.9, 0.5, 0.7]), [0, 1, 2]);
}
