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

/// [`dot`] of four vectors of one length with the same query.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
#[must_use]
pub fn dot_four(codes: [&[i8]; 4], query: &[i16]) -> [i32; 4] {
    codes.map(|codes| dot(codes, query))
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use simd::{dot, dot_four};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use crate::simd::{load, widen};
    use core::arch::wasm32::{i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_splat, v128};

    /// Σ aᵢ·bᵢ over the shorter of the two lengths. Lengths are multiples of 16 in a shard.
    #[inline]
    #[must_use]
    pub fn dot(codes: &[i8], query: &[i16]) -> i32 {
        let mut sum = i32x4_splat(0);
        let (code_blocks, code_rest) = codes.as_chunks::<16>();
        let (query_blocks, query_rest) = query.as_chunks::<16>();
        for (c, q) in code_blocks.iter().zip(query_blocks) {
            sum = add(sum, c, load(q));
        }
        let rest: i32 = if code_blocks.len() == query_blocks.len() {
            code_rest
                .iter()
                .zip(query_rest)
                .map(|(&a, &b)| i32::from(a) * i32::from(b))
                .sum()
        } else {
            0
        };
        total(sum).wrapping_add(rest)
    }

    /// [`dot`] of four vectors of one length with the same query, which is loaded once for all.
    #[inline]
    #[must_use]
    pub fn dot_four(codes: [&[i8]; 4], query: &[i16]) -> [i32; 4] {
        let [a, b, c, d] = codes.map(|codes| codes.as_chunks::<16>().0);
        let (query_blocks, rest) = query.as_chunks::<16>();
        let n = query_blocks.len();
        if !rest.is_empty() || [a, b, c, d].iter().any(|blocks| blocks.len() != n) {
            return codes.map(|codes| dot(codes, query));
        }
        let zero = i32x4_splat(0);
        let (mut e, mut f, mut g, mut h) = (zero, zero, zero, zero);
        for ((((a, b), c), d), q) in a.iter().zip(b).zip(c).zip(d).zip(query_blocks) {
            let q = load(q);
            e = add(e, a, q);
            f = add(f, b, q);
            g = add(g, c, q);
            h = add(h, d, q);
        }
        [total(e), total(f), total(g), total(h)]
    }

    /// Adds sixteen products to four sums.
    #[inline(always)]
    fn add(sum: v128, codes: &[i8; 16], (q, r): (v128, v128)) -> v128 {
        let (c, d) = widen(codes);
        i32x4_add(sum, i32x4_add(i32x4_dot_i16x8(c, q), i32x4_dot_i16x8(d, r)))
    }

    #[inline(always)]
    fn total(sum: v128) -> i32 {
        i32x4_extract_lane::<0>(sum)
            .wrapping_add(i32x4_extract_lane::<1>(sum))
            .wrapping_add(i32x4_extract_lane::<2>(sum))
            .wrapping_add(i32x4_extract_lane::<3>(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::{dot, dot_four};

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
            let negated: Vec<i8> = codes.iter().map(|c| c.saturating_neg()).collect();
            let four = [&codes[..], &negated, &codes, &negated];
            assert_eq!(
                dot_four(four, &query),
                four.map(|codes| dot(codes, &query)),
                "{len}"
            );
        }
    }
}
