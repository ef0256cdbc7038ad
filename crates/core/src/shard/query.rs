//! A query made ready for a shard.

use super::format::Shard;
use thiserror::Error;

/// Why a vector is no query.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum QueryError {
    /// Another number of dimensions.
    #[error(
        "the query has {found} dimensions, the index has {expected}; encode it with the model of this bundle"
    )]
    Length {
        /// Dimensions of the index.
        expected: usize,
        /// Dimensions of the query.
        found: usize,
    },
    /// NaN or infinite.
    #[error("query value {index} is {}; every value must be a finite number", crate::json::Shown::from(*.value))]
    NotFinite {
        /// Which value.
        index: usize,
        /// The value.
        value: f32,
    },
    /// All zero: it points nowhere.
    #[error("the query is the zero vector; it has no direction to search in")]
    Zero,
}

/// A query made ready for one shard's dimensions and mean.
#[derive(Clone, Debug)]
pub struct Query {
    pub(super) codes: Vec<i16>,
    pub(super) scale: f32,
    pub(super) mean_product: f32,
}

impl Query {
    /// Scales the vector to unit length and quantises it to i16, as finely as exact i32 sums allow.
    ///
    /// # Errors
    /// Another length than the shard's `dim`, a value that is not finite, or no direction.
    pub fn new(shard: &Shard, vector: &[f32]) -> Result<Self, QueryError> {
        if vector.len() != shard.dim() {
            return Err(QueryError::Length {
                expected: shard.dim(),
                found: vector.len(),
            });
        }
        if let Some((index, &value)) = vector.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(QueryError::NotFinite { index, value });
        }
        let largest = vector.iter().fold(0f32, |a, v| a.max(v.abs()));
        if largest == 0.0 {
            return Err(QueryError::Zero);
        }
        // In f64 and after division by the largest, so that no square overflows or vanishes.
        let norm = vector
            .iter()
            .map(|&v| f64::from(v / largest).powi(2))
            .sum::<f64>()
            .sqrt();
        let unit: Vec<f32> = vector
            .iter()
            .map(|&v| (f64::from(v / largest) / norm) as f32)
            .collect();
        let mean_product = unit.iter().zip(shard.mean()).map(|(u, m)| u * m).sum();
        // |Σ| ≤ stride × 128 × limit < 2^31.
        let limit = ((i32::MAX as usize) / (128 * shard.stride())).min(32_767) as f32;
        let peak = unit.iter().fold(0f32, |a, v| a.max(v.abs()));
        let scale = peak / limit;
        let mut codes = vec![0i16; shard.stride()];
        for (c, u) in codes.iter_mut().zip(&unit) {
            *c = (u / scale).round().clamp(-limit, limit) as i16;
        }
        Ok(Self {
            codes,
            scale,
            mean_product,
        })
    }
}
