//! Our side of `cargo xtask bench rank`, natively and under WASI: `score MODEL ROWS`.
//!
//! The model is as its library saved it, the rows are f32, row-major, little-endian. A line `scores N` on standard input
//! is answered with a JSON array, the raw scores of the first N rows; `time N PASSES` with the median milliseconds of
//! scoring them.

mod lines;

use lines::{answer, request};
use recsys_core::trees::{Model, format, import};
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(model), Some(rows)) = (args.next(), args.next()) else {
        return Err("usage: score MODEL ROWS".into());
    };
    let model = import::from_bytes(&fs::read(model)?)?;
    // What is scored is what the browser reads.
    let model = format::from_bytes(&format::to_bytes(&model))?;
    let bytes = fs::read(rows)?;
    let (values, _) = bytes.as_chunks();
    let rows: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    while let Some(line) = request()? {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["scores", n] => answer(&format!("{:?}", scores(&model, &rows, n.parse()?)?))?,
            ["time", n, passes] => {
                answer(&time(&model, &rows, n.parse()?, passes.parse()?)?.to_string())?;
            }
            _ => return Err(format!("expected `scores N` or `time N PASSES`, found `{line}`").into()),
        }
    }
    Ok(())
}

fn scores(model: &Model, rows: &[f32], n: usize) -> Result<Vec<f32>, Box<dyn Error>> {
    let rows = rows.get(..n * model.feature_count()).ok_or("too few rows")?;
    let mut scores = vec![0.0; n * model.class_count()];
    model.score(black_box(rows), &mut scores)?;
    Ok(scores)
}

/// Median milliseconds of a pass over the first `n` rows.
fn time(model: &Model, rows: &[f32], n: usize, passes: usize) -> Result<f64, Box<dyn Error>> {
    let mut times = Vec::with_capacity(passes);
    for _ in 0..passes {
        let start = Instant::now();
        black_box(scores(model, rows, n)?);
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_unstable_by(f64::total_cmp);
    times.get(passes / 2).copied().ok_or_else(|| "no passes".into())
}
