//! Our side of `cargo xtask bench search`, natively and under WASI: `search SHARD QUERIES`.
//!
//! The shard is a file of a bundle, the queries are a NumPy matrix. A line `hits N K EF` on standard input is answered with
//! a JSON array: for each of the first N queries the rows of the K nearest, found by the graph with that `ef`, or by a scan
//! where it is 0. `time N K EF` is answered with the milliseconds of searching for them, `distances N K EF` with the inner
//! products computed, `memory` with the bytes of linear memory.

mod lines;

use lines::{answer, request};
use recsys_core::bytes::AlignedBytes;
use recsys_core::npy::Matrix;
use recsys_core::shard::{Query, Scratch, SearchOptions, Shard, Strategy};
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(shard), Some(queries)) = (args.next(), args.next()) else {
        return Err("usage: search SHARD QUERIES".into());
    };
    let mut bench = Bench {
        shard: Shard::open(read(&shard)?)?,
        queries: Matrix::parse(&fs::read(queries)?)?,
        scratch: Scratch::default(),
    };
    while let Some(line) = request()? {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["hits", n, k, ef] => {
                let (hits, _) = bench.hits(n.parse()?, options(k.parse()?, ef.parse()?))?;
                answer(&format!("{hits:?}"))?;
            }
            ["time", n, k, ef] => {
                let options = options(k.parse()?, ef.parse()?);
                let start = Instant::now();
                black_box(bench.hits(n.parse()?, options)?);
                answer(&(start.elapsed().as_secs_f64() * 1e3).to_string())?;
            }
            ["distances", n, k, ef] => {
                let (_, distances) = bench.hits(n.parse()?, options(k.parse()?, ef.parse()?))?;
                answer(&distances.to_string())?;
            }
            ["memory"] => answer(&memory().to_string())?,
            _ => {
                return Err(format!(
                    "expected `hits N K EF`, `time N K EF`, `distances N K EF` or `memory`, found `{line}`"
                )
                .into());
            }
        }
    }
    Ok(())
}

struct Bench {
    shard: Shard,
    queries: Matrix,
    scratch: Scratch,
}

/// The rows of each query's hits, and the inner products computed for all.
type Found = (Vec<Vec<u32>>, usize);

impl Bench {
    fn hits(&mut self, n: usize, options: SearchOptions) -> Result<Found, Box<dyn Error>> {
        let (mut all, mut distances) = (Vec::with_capacity(n), 0);
        for vector in self.queries.values.chunks_exact(self.queries.columns).take(n) {
            let query = Query::new(&self.shard, vector)?;
            let (hits, stats) = self.shard.search(&query, &options, &mut self.scratch, |_| true);
            distances += stats.distances;
            all.push(hits.iter().map(|hit| hit.row).collect());
        }
        Ok((all, distances))
    }
}

fn options(k: usize, ef: usize) -> SearchOptions {
    let strategy = if ef == 0 { Strategy::Flat } else { Strategy::Graph };
    SearchOptions { k, ef, strategy }
}

/// As a worker does: straight into memory of the file's size.
fn read(path: &str) -> Result<AlignedBytes, Box<dyn Error>> {
    let mut file = fs::File::open(path)?;
    let mut bytes = AlignedBytes::zeroed(usize::try_from(file.metadata()?.len())?);
    file.read_exact(bytes.as_mut_slice())?;
    Ok(bytes)
}

/// Linear memory in bytes; 0 natively.
fn memory() -> usize {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) * 65_536;
    #[cfg(not(target_arch = "wasm32"))]
    return 0;
}
