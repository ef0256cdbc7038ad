//! What needs instructions that the compiler does not choose by itself: the one place of this crate with unsafe code.
//!
//! SIMD128 loads from arrays of the size that they read, and on x86-64 the encoder's inner loops with AVX2, where the machine
//! has it. The same sums in the same order as elsewhere.

#![allow(unsafe_code)]

#[cfg(target_arch = "wasm32")]
pub use wasm::{load, repeat, widen};
#[cfg(target_arch = "x86_64")]
pub use x86::{float_products, products};

#[cfg(target_arch = "wasm32")]
mod wasm {
    use core::arch::wasm32::{i16x8_load_extend_i8x8, v128, v128_load, v128_load32_splat};

    /// Sixteen values.
    #[inline(always)]
    #[must_use]
    pub fn load(values: &[i16; 16]) -> (v128, v128) {
        // SAFETY: the loads read the first and the second 16 of 32 bytes; wasm loads need no alignment.
        unsafe {
            (
                v128_load(values.as_ptr().cast()),
                v128_load(values.as_ptr().add(8).cast()),
            )
        }
    }

    /// Sixteen codes, widened.
    #[inline(always)]
    #[must_use]
    pub fn widen(codes: &[i8; 16]) -> (v128, v128) {
        // SAFETY: the loads read the first and the second 8 of 16 bytes.
        unsafe {
            (
                i16x8_load_extend_i8x8(codes.as_ptr()),
                i16x8_load_extend_i8x8(codes.as_ptr().add(8)),
            )
        }
    }

    /// Two values, four times.
    #[inline(always)]
    #[must_use]
    pub fn repeat(pair: &[i16; 2]) -> v128 {
        // SAFETY: the load reads the 4 bytes of the pair.
        unsafe { v128_load32_splat(pair.as_ptr().cast()) }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use crate::clip::tower::kernel::{COLUMNS, ROWS, plain_float_products};
    use core::arch::x86_64::{
        _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
    };

    /// Sums of four rows with the eight columns of a panel; `None` on machines without AVX2.
    #[inline]
    pub fn products(
        rows: [&[[i16; 2]]; ROWS],
        panel: &[[i8; 2 * COLUMNS]],
    ) -> Option<[[i32; COLUMNS]; ROWS]> {
        // SAFETY: the machine has AVX2.
        is_x86_feature_detected!("avx2").then(|| unsafe { products_avx2(rows, panel) })
    }

    #[target_feature(enable = "avx2")]
    fn products_avx2(rows: [&[[i16; 2]]; ROWS], panel: &[[i8; 2 * COLUMNS]]) -> [[i32; COLUMNS]; ROWS] {
        let zero = _mm256_setzero_si256();
        let (mut e, mut f, mut g, mut h) = (zero, zero, zero, zero);
        let [a, b, c, d] = rows;
        for ((((codes, a), b), c), d) in panel.iter().zip(a).zip(b).zip(c).zip(d) {
            let codes = _mm256_cvtepi8_epi16(bytemuck::cast(*codes));
            for (sums, pair) in [(&mut e, a), (&mut f, b), (&mut g, c), (&mut h, d)] {
                let pair = _mm256_set1_epi32(bytemuck::cast(*pair));
                *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(pair, codes));
            }
        }
        [e, f, g, h].map(bytemuck::cast)
    }

    /// Sums of four rows of floats with eight columns; `None` on machines without AVX2.
    #[inline]
    pub fn float_products(rows: [&[f32]; ROWS], panel: &[[f32; COLUMNS]]) -> Option<[[f32; COLUMNS]; ROWS]> {
        #[target_feature(enable = "avx2")]
        fn with_avx2(rows: [&[f32]; ROWS], panel: &[[f32; COLUMNS]]) -> [[f32; COLUMNS]; ROWS] {
            plain_float_products(rows, panel)
        }
        // SAFETY: the machine has AVX2.
        is_x86_feature_detected!("avx2").then(|| unsafe { with_avx2(rows, panel) })
    }
}
