//! What needs instructions that the compiler does not choose by itself: the one place of this crate with unsafe code.
//!
//! SIMD128 loads from arrays of the size that they read, and on x86-64 the encoder's inner loops with AVX-512 VNNI or AVX2, where the
//! machine has it. The same sums in the same order as elsewhere.

#![allow(unsafe_code)]

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::{load, repeat, widen};
#[cfg(target_arch = "x86_64")]
pub use x86::{float_products, products, wide};

/// What [`wide`] runs. No closure: that would be compiled for any machine, and called.
pub trait Work {
    /// To be inlined always, with all that it calls.
    fn run(self);
}

/// Runs work.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn wide(work: impl Work) {
    work.run();
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
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
    use super::Work;
    use crate::clip::tower::kernel::{COLUMNS, ROWS, plain_float_products};
    use core::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_madd_epi16, _mm256_set1_epi32,
        _mm256_setzero_si256, _mm512_add_epi32, _mm512_cvtepi8_epi16, _mm512_cvtepi64_epi32,
        _mm512_dpwssd_epi32, _mm512_permutexvar_epi32, _mm512_set_epi32, _mm512_set1_epi64,
        _mm512_setzero_si512, _mm512_srli_epi64,
    };

    /// Sums of four rows with the eight columns of a panel; `None` on machines without AVX2.
    #[inline]
    pub fn products(
        rows: [&[[i16; 2]]; ROWS],
        panel: &[[i8; 2 * COLUMNS]],
    ) -> Option<[[i32; COLUMNS]; ROWS]> {
        if panel.len().is_multiple_of(4)
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
        {
            // SAFETY: the machine has AVX-512BW, of which AVX-512F is a part, and VNNI.
            return Some(unsafe { products_vnni(rows, panel) });
        }
        // SAFETY: the machine has AVX2.
        is_x86_feature_detected!("avx2").then(|| unsafe { products_avx2(rows, panel) })
    }

    /// Four pairs of inputs at a time. What is left of a panel that has no multiple of four is not looked at.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn products_vnni(rows: [&[[i16; 2]]; ROWS], panel: &[[i8; 2 * COLUMNS]]) -> [[i32; COLUMNS]; ROWS] {
        // Column by column the codes of one pair and of the next one, as a pair of pairs is repeated.
        let by_column = _mm512_set_epi32(15, 7, 14, 6, 13, 5, 12, 4, 11, 3, 10, 2, 9, 1, 8, 0);
        let ([a, b, c, d], zero) = (rows, _mm512_setzero_si512());
        let mut sums = [[zero; 2]; ROWS];
        let (a, b, c, d) = (a.as_chunks().0, b.as_chunks().0, c.as_chunks().0, d.as_chunks().0);
        // No closures: they would be compiled for any machine, and called.
        for ((((codes, a), b), c), d) in panel.as_chunks::<4>().0.iter().zip(a).zip(b).zip(c).zip(d) {
            let [low, high]: [__m256i; 2] = bytemuck::cast(*codes);
            let low = _mm512_permutexvar_epi32(by_column, _mm512_cvtepi8_epi16(low));
            let high = _mm512_permutexvar_epi32(by_column, _mm512_cvtepi8_epi16(high));
            let rows: [&[[i16; 2]; 4]; ROWS] = [a, b, c, d];
            for (sums, row) in sums.iter_mut().zip(rows) {
                let [first, second]: [i64; 2] = bytemuck::cast(*row);
                let [e, f] = *sums;
                *sums = [
                    _mm512_dpwssd_epi32(e, _mm512_set1_epi64(first), low),
                    _mm512_dpwssd_epi32(f, _mm512_set1_epi64(second), high),
                ];
            }
        }
        let mut out = [[0; COLUMNS]; ROWS];
        for (out, [first, second]) in out.iter_mut().zip(sums) {
            let sums = _mm512_add_epi32(first, second);
            let sums = _mm512_add_epi32(sums, _mm512_srli_epi64::<32>(sums));
            *out = bytemuck::cast(_mm512_cvtepi64_epi32(sums));
        }
        out
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

    /// Runs work as it is compiled for AVX2, where the machine has it: the same operations in the same order, more of them at
    /// a time.
    #[inline]
    pub fn wide(work: impl Work) {
        #[target_feature(enable = "avx2")]
        fn with_avx2(work: impl Work) {
            work.run();
        }
        match is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2.
            true => unsafe { with_avx2(work) },
            false => work.run(),
        }
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
