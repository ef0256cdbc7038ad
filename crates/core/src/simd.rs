//! What needs instructions that the compiler does not choose by itself: the one place of this crate with unsafe code.
//!
//! SIMD128 loads from arrays of the size that they read, and on x86-64 the encoder's inner loops with AVX-512 VNNI or AVX2, where the
//! machine has it. The same sums as elsewhere, to the bit.

#![allow(unsafe_code)]

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use core::arch::wasm32::v128;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::{load, repeat, widen};
#[cfg(target_arch = "x86_64")]
pub use x86::{products, wide};

/// Codes that are multiplied as 16-bit numbers.
pub trait Code: Copy + Into<i16> {
    /// Sixteen codes, widened.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    fn widen(codes: &[Self; 16]) -> (v128, v128);
}

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

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    impl super::Code for i8 {}
    impl super::Code for i16 {}
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use super::Code;
    use core::arch::wasm32::{i16x8_load_extend_i8x8, v128, v128_load, v128_load32_splat};

    impl Code for i8 {
        #[inline(always)]
        fn widen(codes: &[Self; 16]) -> (v128, v128) {
            widen(codes)
        }
    }

    impl Code for i16 {
        #[inline(always)]
        fn widen(codes: &[Self; 16]) -> (v128, v128) {
            load(codes)
        }
    }

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
    use crate::clip::tower::kernel::{COLUMNS, Group, PANELS, ROWS, Rows, Sums};
    use core::arch::x86_64::{
        _mm256_add_epi32, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm512_dpwssd_epi32,
        _mm512_set1_epi32, _mm512_setzero_si512,
    };

    /// Sums of at most eight rows, of `pairs` pairs each, with the columns of panels; nothing, and `false`, on machines without AVX2.
    #[inline]
    pub fn products(rows: Rows, pairs: usize, group: &[Group], out: &mut [Sums; ROWS]) -> bool {
        match rows.len() / pairs.max(1) {
            0 => true,
            1 => of::<1>(rows, pairs, group, out),
            2 => of::<2>(rows, pairs, group, out),
            3 => of::<3>(rows, pairs, group, out),
            4 => of::<4>(rows, pairs, group, out),
            5 => of::<5>(rows, pairs, group, out),
            6 => of::<6>(rows, pairs, group, out),
            7 => of::<7>(rows, pairs, group, out),
            _ => of::<8>(rows, pairs, group, out),
        }
    }

    /// `R` rows.
    #[inline(always)]
    fn of<const R: usize>(rows: Rows, pairs: usize, group: &[Group], out: &mut [Sums; ROWS]) -> bool {
        let (Some(rows), Some(group), Some(out)) = (
            rows.get(..R * pairs),
            group.get(..pairs),
            out.first_chunk_mut::<R>(),
        ) else {
            return false;
        };
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
            // SAFETY: the machine has both, and the rows have `R` times the length of the group.
            unsafe { products_vnni(rows, group, out) }
            return true;
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2, and the rows have `R` times the length of the group.
            unsafe { products_avx2(rows, group, out) }
            return true;
        }
        false
    }

    /// # Safety
    /// The rows have `R` times the length of the group.
    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn products_vnni<const R: usize>(rows: Rows, group: &[Group], out: &mut [Sums; R]) {
        let mut sums = [[_mm512_setzero_si512(); 2]; R];
        for (at, blocks) in group.iter().enumerate() {
            let [low, high] = bytemuck::cast(blocks.0);
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `row` is less than `R` and `at` less than the length of the group.
                let pair = unsafe { *rows.get_unchecked(row * group.len() + at) };
                let pair = _mm512_set1_epi32(bytemuck::cast(pair));
                let [e, f] = *sums;
                *sums = [
                    _mm512_dpwssd_epi32(e, pair, low),
                    _mm512_dpwssd_epi32(f, pair, high),
                ];
            }
        }
        for (out, sums) in out.iter_mut().zip(&sums) {
            *out = bytemuck::cast(*sums);
        }
    }

    /// # Safety
    /// The rows have `R` times the length of the group.
    #[target_feature(enable = "avx2")]
    unsafe fn products_avx2<const R: usize>(rows: Rows, group: &[Group], out: &mut [Sums; R]) {
        // Sixteen registers have no room for the sums of more panels.
        for panel in 0..PANELS {
            let mut sums = [_mm256_setzero_si256(); R];
            for (at, blocks) in group.iter().enumerate() {
                let Some(block) = blocks.0.get(panel) else {
                    continue;
                };
                let codes = bytemuck::cast(*block);
                for (row, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `row` is less than `R` and `at` less than the length of the group.
                    let pair = unsafe { *rows.get_unchecked(row * group.len() + at) };
                    let pair = _mm256_set1_epi32(bytemuck::cast(pair));
                    *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(pair, codes));
                }
            }
            for (out, sums) in out.iter_mut().zip(&sums) {
                if let Some(out) = out.as_chunks_mut::<COLUMNS>().0.get_mut(panel) {
                    *out = bytemuck::cast(*sums);
                }
            }
        }
    }

    /// Runs work as it is compiled for AVX-512 or AVX2, where the machine has it: the same operations in the same order, more of
    /// them at a time.
    #[inline]
    pub fn wide(work: impl Work) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        fn with_avx512(work: impl Work) {
            work.run();
        }
        #[target_feature(enable = "avx2")]
        fn with_avx2(work: impl Work) {
            work.run();
        }
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx512 {
            // SAFETY: the machine has all four.
            unsafe { with_avx512(work) }
        } else if is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2.
            unsafe { with_avx2(work) }
        } else {
            work.run();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn agree<const R: usize>() {
            let pairs = 7 + R;
            let rows: Vec<[i16; 2]> = (0..R * pairs)
                .map(|i| [(i * 7919 % 2001) as i16 - 1000, (i * 104_729 % 1999) as i16 - 999])
                .collect();
            let group: Vec<Group> = (0..pairs)
                .map(|at| {
                    Group(std::array::from_fn(|panel| {
                        std::array::from_fn(|i| (at * panel * i % 255) as i16 - 127)
                    }))
                })
                .collect();
            let mut naive = [[0; PANELS * COLUMNS]; R];
            for (sums, row) in naive.iter_mut().zip(rows.chunks(pairs)) {
                for ([a, b], blocks) in row.iter().zip(&group) {
                    for (sum, [c, d]) in sums.iter_mut().zip(blocks.0.as_flattened().as_chunks().0) {
                        *sum += i32::from(*a) * i32::from(*c) + i32::from(*b) * i32::from(*d);
                    }
                }
            }
            if is_x86_feature_detected!("avx2") {
                let mut found = [[7; PANELS * COLUMNS]; R];
                // SAFETY: the machine has AVX2, and the rows have `R` times the length of the group.
                unsafe { products_avx2(&rows, &group, &mut found) }
                assert_eq!(found, naive, "AVX2, {R} rows");
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                let mut found = [[7; PANELS * COLUMNS]; R];
                // SAFETY: the machine has both, and the rows have `R` times the length of the group.
                unsafe { products_vnni(&rows, &group, &mut found) }
                assert_eq!(found, naive, "AVX-512 VNNI, {R} rows");
            }
        }

        #[test]
        fn each_instruction_set_gives_the_sums_of_a_naive_loop() {
            agree::<1>();
            agree::<2>();
            agree::<5>();
            agree::<8>();
        }
    }
}
