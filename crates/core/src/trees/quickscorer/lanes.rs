//! What is done to a byte of every row of a block at once.
//!
//! The browser's module is compiled for size, where a compiler leaves loops scalar. So WebAssembly has its own versions,
//! instruction by instruction, with the same results.

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) use plain::{Bytes, all, below, each, lowest, strike};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use simd::{Bytes, all, below, each, lowest, strike};

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    use crate::trees::quickscorer::{LANES, Lanes};

    /// A byte of every row.
    pub(in super::super) type Bytes = Lanes<u8>;

    /// The same byte for every row.
    #[inline]
    pub(in super::super) fn all(byte: u8) -> Bytes {
        [byte; LANES]
    }

    /// The bytes, row by row.
    #[inline]
    pub(in super::super) fn each(bytes: Bytes) -> Lanes<u8> {
        bytes
    }

    /// 0xff for each row whose code is below this one, 0 for the others.
    #[inline]
    pub(in super::super) fn below(codes: &Lanes<i8>, code: i8) -> Bytes {
        codes.map(|other| if other < code { 0xff } else { 0 })
    }

    /// The mask; of it only these leaves where `left` is 0.
    #[inline]
    pub(in super::super) fn strike(mut mask: Bytes, left: Bytes, kept: u8) -> Bytes {
        for (mask, left) in mask.iter_mut().zip(left) {
            *mask &= left | kept;
        }
        mask
    }

    /// `base` and the index of the lowest bit set in the mask; `otherwise` where none is.
    #[inline]
    pub(in super::super) fn lowest(mask: Bytes, base: u8, mut otherwise: Bytes) -> Bytes {
        for (exit, mask) in otherwise.iter_mut().zip(mask) {
            // The ones below the lowest set bit are as many as its index.
            let index = (mask.wrapping_sub(1) & !mask).count_ones() as u8;
            *exit = if mask == 0 { *exit } else { base + index };
        }
        otherwise
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use crate::trees::quickscorer::Lanes;
    use bytemuck::cast;
    use core::arch::wasm32::{
        i8x16_add, i8x16_eq, i8x16_lt, i8x16_popcnt, i8x16_splat, i8x16_sub, v128, v128_and, v128_andnot,
        v128_bitselect, v128_or,
    };

    /// A byte of every row.
    pub(in super::super) type Bytes = [v128; 4];

    /// The same byte for every row.
    #[inline(always)]
    pub(in super::super) fn all(byte: u8) -> Bytes {
        [i8x16_splat(byte as i8); 4]
    }

    /// The bytes, row by row.
    #[inline(always)]
    pub(in super::super) fn each(bytes: Bytes) -> Lanes<u8> {
        cast(bytes)
    }

    /// 0xff for each row whose code is below this one, 0 for the others.
    #[inline(always)]
    pub(in super::super) fn below(codes: &Lanes<i8>, code: i8) -> Bytes {
        let [a, b, c, d]: Bytes = cast(*codes);
        let code = i8x16_splat(code);
        [
            i8x16_lt(a, code),
            i8x16_lt(b, code),
            i8x16_lt(c, code),
            i8x16_lt(d, code),
        ]
    }

    /// The mask; of it only these leaves where `left` is 0.
    #[inline(always)]
    pub(in super::super) fn strike(mask: Bytes, left: Bytes, kept: u8) -> Bytes {
        let kept = i8x16_splat(kept as i8);
        let ([a, b, c, d], [e, f, g, h]) = (mask, left);
        [
            v128_and(a, v128_or(e, kept)),
            v128_and(b, v128_or(f, kept)),
            v128_and(c, v128_or(g, kept)),
            v128_and(d, v128_or(h, kept)),
        ]
    }

    /// `base` and the index of the lowest bit set in the mask; `otherwise` where none is.
    #[inline(always)]
    pub(in super::super) fn lowest(mask: Bytes, base: u8, otherwise: Bytes) -> Bytes {
        let base = i8x16_splat(base as i8);
        let ([a, b, c, d], [e, f, g, h]) = (mask, otherwise);
        [
            lowest_of(a, base, e),
            lowest_of(b, base, f),
            lowest_of(c, base, g),
            lowest_of(d, base, h),
        ]
    }

    #[inline(always)]
    fn lowest_of(mask: v128, base: v128, otherwise: v128) -> v128 {
        // The ones below the lowest set bit are as many as its index.
        let below = v128_andnot(i8x16_sub(mask, i8x16_splat(1)), mask);
        let index = i8x16_add(base, i8x16_popcnt(below));
        v128_bitselect(otherwise, index, i8x16_eq(mask, i8x16_splat(0)))
    }
}
