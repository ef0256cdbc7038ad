//! The inner loop of the search: the dot product of an i8 vector with an i16 query.
//!
//! Sums are exact in i32 ([`super::Query`] bounds the query for that), so every build gives the same answer.
//! The wasm version uses SIMD128; elsewhere the plain loop is left to the compiler, which vectorises it.

/// Σ aᵢ·bᵢ over the shorter of the two lengths. Lengths are multiples of 16 in a shard.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
#[must_use]
pub fn dot(codes: &[i8], query: &[i16]) -> i32 {
    codes
        .iter()
        .zip(query)
        .map(|(&a, &b)| i32::from(a) * i32::from(b))
        .sum()
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use simd::dot;

/// SIMD128. The one place in this crate with unsafe code: two loads from slices whose length was just checked.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[allow(unsafe_code)]
mod simd {
    use core::arch::wasm32::{
        i16x8_load_extend_i8x8, i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_splat, v128_load,
    };

    /// Σ aᵢ·bᵢ over the shorter of the two lengths. Lengths are multiples of 16 in a shard.
    #[inline]
    #[must_use]
    pub fn dot(codes: &[i8], query: &[i16]) -> i32 {
        let mut even = i32x4_splat(0);
        let mut odd = i32x4_splat(0);
        let (code_blocks, code_rest) = codes.as_chunks::<16>();
        let (query_blocks, query_rest) = query.as_chunks::<16>();
        for (c, q) in code_blocks.iter().zip(query_blocks) {
            // SAFETY: `c` is 16 bytes and `q` 16 × 2 bytes; each load reads 8 or 16 bytes at an offset of at most
            // half of that. wasm loads need no alignment.
            let (c0, c1, q0, q1) = unsafe {
                (
                    i16x8_load_extend_i8x8(c.as_ptr()),
                    i16x8_load_extend_i8x8(c.as_ptr().add(8)),
                    v128_load(q.as_ptr().cast()),
                    v128_load(q.as_ptr().add(8).cast()),
                )
            };
            even = i32x4_add(even, i32x4_dot_i16x8(c0, q0));
            odd = i32x4_add(odd, i32x4_dot_i16x8(c1, q1));
        }
        let sum = i32x4_add(even, odd);
        let rest: i32 = if code_blocks.len() == query_blocks.len() {
            code_rest
                .iter()
                .zip(query_rest)
                .map(|(&a, &b)| i32::from(a) * i32::from(b))
                .sum()
        } else {
            0
        };
        i32x4_extract_lane::<0>(sum)
            .wrapping_add(i32x4_extract_lane::<1>(sum))
            .wrapping_add(i32x4_extract_lane::<2>(sum))
            .wrapping_add(i32x4_extract_lane::<3>(sum))
            .wrapping_add(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::dot;

    #[test]
    fn equals_the_sum_in_i64() {
        for len in [0usize, 16, 48, 512] {
            let codes: Vec<i8> = (0..len).map(|i| ((i * 37 + 11) % 255) as u8 as i8).collect();
            let query: Vec<i16> = (0..len).map(|i| ((i * 7919) % 20_001) as i16 - 10_000).collect();
            let exact: i64 = codes
                .iter()
                .zip(&query)
                .map(|(&a, &b)| i64::from(a) * i64::from(b))
                .sum();
            assert_eq!(i64::from(dot(&codes, &query)), exact, "{len}");
        }
    }
}
