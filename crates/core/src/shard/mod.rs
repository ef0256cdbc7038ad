//! A shard: the vectors of some videos as bytes, and the HNSW graph over them (Malkov and Yashunin 2016).
//!
//! `format` owns the bytes and their limits, `search` walks them for a `query`, `kernel` is the inner loop.

mod format;
mod kernel;
mod query;
mod scratch;
mod search;
#[cfg(test)]
mod tests;

pub use format::{MAX_DIM, MAX_NODES, NO_LINK, Shard, ShardParts};
pub(crate) use format::{check_mean, check_scales};
pub use kernel::dot;
pub use query::{Query, QueryError};
pub use scratch::Scratch;
pub use search::{Hit, SearchOptions, SearchStats, Strategy};

/// Turns one stored vector back into floats: `mean[i] + scale × codes[i]`.
///
/// `out` gets as many values as the shortest of the three slices has.
pub fn dequantise(mean: &[f32], scale: f32, codes: &[i8], out: &mut [f32]) {
    for ((o, &m), &c) in out.iter_mut().zip(mean).zip(codes) {
        *o = m + scale * f32::from(c);
    }
}

/// Quantises a vector less the mean to i8 codes: returns the scale, with `codes[i] = round((v[i] − mean[i]) / scale)`
/// in −127..=127.
pub fn quantise(mean: &[f32], vector: &[f32], codes: &mut [i8]) -> f32 {
    let largest = vector
        .iter()
        .zip(mean)
        .map(|(v, m)| (v - m).abs())
        .fold(0f32, f32::max);
    let scale = largest / 127.0;
    for ((c, v), m) in codes.iter_mut().zip(vector).zip(mean) {
        *c = if scale > 0.0 {
            ((v - m) / scale).round().clamp(-127.0, 127.0) as i8
        } else {
            0
        };
    }
    scale
}
