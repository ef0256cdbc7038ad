//! What is done to a byte of every row of a block at once.
//!
//! The browser's module is compiled for size, where a compiler leaves loops scalar. So WebAssembly has its own versions,
//! instruction by instruction, with the same results.

use super::Lanes;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) use plain::{above, clear, exits};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use simd::{above, clear, exits};

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    use super::Lanes;
    use crate::trees::quickscorer::LANES;

    /// 0xff for each row whose code is above this one.
    #[inline]
    pub(in super::super) fn above(codes: &Lanes<i8>, code: i8) -> Lanes<u8> {
        codes.map(|other| if other > code { 0xff } else { 0 })
    }

    /// Clears these bits of the rows whose `right` is 0xff.
    #[inline]
    pub(in super::super) fn clear(mask: &mut Lanes<u8>, right: &Lanes<u8>, bits: u8) {
        for (mask, right) in mask.iter_mut().zip(right) {
            *mask &= !(right & bits);
        }
    }

    /// The lowest leaf left to each row.
    #[inline]
    pub(in super::super) fn exits(masks: &[Lanes<u8>]) -> Lanes<u8> {
        let mut exits = [0; LANES];
        for (byte, mask) in masks.iter().enumerate().rev() {
            let base = 8 * byte as u8;
            for (exit, &mask) in exits.iter_mut().zip(mask) {
                // The ones below the lowest set bit are as many as its index.
                let lowest = (mask.wrapping_sub(1) & !mask).count_ones() as u8;
                *exit = if mask == 0 { *exit } else { base + lowest };
            }
        }
        exits
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use super::Lanes;
    use bytemuck::cast;
    use core::arch::wasm32::{
        i8x16_add, i8x16_eq, i8x16_gt, i8x16_popcnt, i8x16_splat, i8x16_sub, v128, v128_and, v128_andnot,
        v128_bitselect,
    };

    /// A block's bytes in registers.
    type Registers = [v128; 4];

    /// 0xff for each row whose code is above this one.
    #[inline(always)]
    pub(in super::super) fn above(codes: &Lanes<i8>, code: i8) -> Lanes<u8> {
        let [a, b, c, d]: Registers = cast(*codes);
        let code = i8x16_splat(code);
        cast([
            i8x16_gt(a, code),
            i8x16_gt(b, code),
            i8x16_gt(c, code),
            i8x16_gt(d, code),
        ])
    }

    /// Clears these bits of the rows whose `right` is 0xff.
    #[inline(always)]
    pub(in super::super) fn clear(mask: &mut Lanes<u8>, right: &Lanes<u8>, bits: u8) {
        let bits = i8x16_splat(bits as i8);
        let [a, b, c, d]: Registers = cast(*mask);
        let [e, f, g, h]: Registers = cast(*right);
        *mask = cast([
            v128_andnot(a, v128_and(e, bits)),
            v128_andnot(b, v128_and(f, bits)),
            v128_andnot(c, v128_and(g, bits)),
            v128_andnot(d, v128_and(h, bits)),
        ]);
    }

    /// The lowest leaf left to each row.
    pub(in super::super) fn exits(masks: &[Lanes<u8>]) -> Lanes<u8> {
        let mut exits = [i8x16_splat(0); 4];
        let mut byte = masks.len();
        while let Some(mask) = byte.checked_sub(1).and_then(|below| masks.get(below)) {
            byte -= 1;
            let base = i8x16_splat((8 * byte) as i8);
            let [a, b, c, d]: Registers = cast(*mask);
            let [e, f, g, h] = exits;
            exits = [
                exit(a, e, base),
                exit(b, f, base),
                exit(c, g, base),
                exit(d, h, base),
            ];
        }
        cast(exits)
    }

    /// The lowest set bit's index and `base`; where none is set, what was found before.
    #[inline(always)]
    fn exit(mask: v128, before: v128, base: v128) -> v128 {
        // The ones below the lowest set bit are as many as its index.
        let below = v128_andnot(i8x16_sub(mask, i8x16_splat(1)), mask);
        let here = i8x16_add(base, i8x16_popcnt(below));
        v128_bitselect(before, here, i8x16_eq(mask, i8x16_splat(0)))
    }
}
