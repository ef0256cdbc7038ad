//! Unit vectors and the one dot product that ranking uses, the same bit for bit natively and in WebAssembly.

use thiserror::Error;

/// Lanes that [`dot`] sums apart, so that SIMD does not change the order of additions.
const LANES: usize = 8;

/// Dot product in a fixed order of additions. The vectors have one length; what a longer one has more is not read.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let ((a_lanes, a_tail), (b_lanes, b_tail)) = (a[..n].as_chunks(), b[..n].as_chunks());
    let tail: f32 = a_tail.iter().zip(b_tail).map(|(x, y)| x * y).sum();
    let [a, b, c, d, e, f, g, h] = lane_sums(a_lanes, b_lanes);
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + tail
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn lane_sums(a: &[[f32; LANES]], b: &[[f32; LANES]]) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    for (x, y) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums
}

/// Written out, because the browser's module is compiled for size, where a compiler leaves loops scalar.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
fn lane_sums(a: &[[f32; LANES]], b: &[[f32; LANES]]) -> [f32; LANES] {
    use bytemuck::cast;
    use core::arch::wasm32::{f32x4_add, f32x4_mul, f32x4_splat, v128};

    let mut low = f32x4_splat(0.0);
    let mut high = low;
    for (x, y) in a.iter().zip(b) {
        let ([x_low, x_high], [y_low, y_high]): ([v128; 2], [v128; 2]) = (cast(*x), cast(*y));
        low = f32x4_add(low, f32x4_mul(x_low, y_low));
        high = f32x4_add(high, f32x4_mul(x_high, y_high));
    }
    cast([low, high])
}

/// Normalised sum (and so mean) of vectors of one length.
///
/// `None` where there is no direction: no vector, or vectors that cancel each other out.
#[must_use]
pub fn mean_direction<'a>(vectors: impl IntoIterator<Item = &'a UnitVector>) -> Option<UnitVector> {
    let mut vectors = vectors.into_iter();
    let mut sum = vectors.next()?.as_slice().to_vec();
    for vector in vectors {
        for (sum, x) in sum.iter_mut().zip(vector.as_slice()) {
            *sum += x;
        }
    }
    UnitVector::new(sum).ok()
}

/// A vector of Euclidean length 1 (within rounding), with at least one component and none that is NaN or infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitVector(Vec<f32>);

/// Why numbers give no unit vector.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum VectorError {
    /// No component.
    #[error("a vector has no components; expected one number for each dimension")]
    Empty,
    /// A component is NaN or infinite.
    #[error("component {0} of a vector is not a finite number; every component must be")]
    NotFinite(usize),
    /// Too short to have a direction, or too long for f32.
    #[error("a vector's length is 0 or overflows, so it has no direction; pass the embedding of an item")]
    NoDirection,
}

impl UnitVector {
    /// Shorter vectors (in Euclidean length) have no direction worth the name: what is left is rounding.
    const SHORTEST: f64 = 1e-6;

    /// Checks and normalises.
    ///
    /// # Errors
    /// No components, one that is not finite, or a length of (nearly) 0 or beyond f32.
    pub fn new(mut components: Vec<f32>) -> Result<Self, VectorError> {
        if components.is_empty() {
            return Err(VectorError::Empty);
        }
        if let Some(at) = components.iter().position(|x| !x.is_finite()) {
            return Err(VectorError::NotFinite(at));
        }
        let length = components
            .iter()
            .map(|&x| f64::from(x) * f64::from(x))
            .sum::<f64>()
            .sqrt();
        if length < Self::SHORTEST || length > f64::from(f32::MAX) {
            return Err(VectorError::NoDirection);
        }
        for x in &mut components {
            *x = (f64::from(*x) / length) as f32;
        }
        Ok(Self(components))
    }

    /// The components, at least one.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// Number of components, at least 1.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.0.len()
    }

    /// The components.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_adds_every_component() {
        for n in 0..40 {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let exact: usize = (0..n).map(|i| i * i).sum();
            assert_eq!(dot(&a, &a), exact as f32, "{n} components");
        }
    }

    #[test]
    fn a_vector_becomes_unit_or_is_refused() {
        let unit = UnitVector::new(vec![3.0, 4.0]).unwrap();
        assert_eq!(unit.as_slice(), [0.6, 0.8]);
        assert_eq!(UnitVector::new(vec![]), Err(VectorError::Empty));
        assert_eq!(
            UnitVector::new(vec![1.0, f32::NAN]),
            Err(VectorError::NotFinite(1))
        );
        assert_eq!(
            UnitVector::new(vec![f32::INFINITY]),
            Err(VectorError::NotFinite(0))
        );
        assert_eq!(UnitVector::new(vec![0.0; 3]), Err(VectorError::NoDirection));
        assert_eq!(UnitVector::new(vec![f32::MAX; 3]), Err(VectorError::NoDirection));
    }

    #[test]
    fn a_mean_needs_a_direction() {
        let east = UnitVector::new(vec![1.0, 0.0]).unwrap();
        let west = UnitVector::new(vec![-1.0, 0.0]).unwrap();
        let north = UnitVector::new(vec![0.0, 1.0]).unwrap();
        assert_eq!(mean_direction([]), None);
        assert_eq!(mean_direction([&east, &west]), None);
        let mean = mean_direction([&east, &north]).unwrap();
        assert_eq!(mean.as_slice(), [std::f32::consts::FRAC_1_SQRT_2; 2]);
    }
}
