//! SIMD128 loads from arrays of the size that they read: the one place of this crate with unsafe code.

#![allow(unsafe_code)]

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
