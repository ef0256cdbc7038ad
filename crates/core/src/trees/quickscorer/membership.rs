//! Whether categories are in a set, for all rows of a block at once: the category's code picks a byte of the set's bit
//! table, and a bit of that byte, which is set where the code is *not* in the set: that costs SIMD an instruction less.
//!
//! Sixteen table look-ups are one SIMD instruction that no compiler finds by itself, so WebAssembly has its own version.

use super::lanes::{self, Bytes};
use super::{LANES, Lanes};

/// Bytes of a piece of a set's bit table, of which SIMD looks up any in one instruction.
pub(super) const PIECE: usize = 16;

/// Codes that one piece tells apart.
pub(super) const PIECE_CODES: usize = 8 * PIECE;

/// Pieces of the longest table: bytes of it are counted by a byte.
pub(super) const PIECES: usize = 16;

/// The codes of a block's categories, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The byte of a table that the code picks.
    bytes: Lanes<u8>,
    /// The bit of that byte, alone.
    bits: Lanes<u8>,
}

impl Places {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; LANES],
        bits: [1; LANES],
    };

    /// Takes apart codes below [`PIECES`] × [`PIECE_CODES`].
    pub(super) fn set(&mut self, codes: impl Iterator<Item = usize>) {
        for ((byte, bit), code) in self.bytes.iter_mut().zip(&mut self.bits).zip(codes) {
            (*byte, *bit) = place(code);
        }
    }
}

/// The byte and bit of a code.
pub(super) fn place(code: usize) -> (u8, u8) {
    ((code / 8) as u8, 1 << (code % 8))
}

/// 0xff for each row whose code is in the set, 0 for the others; `pieces` make up its table, which covers every code.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
pub(super) fn inside(places: &Places, pieces: &[[u8; PIECE]]) -> Bytes {
    let table = pieces.as_flattened();
    let mut inside = lanes::all(0);
    for ((inside, byte), bit) in inside.iter_mut().zip(&places.bytes).zip(&places.bits) {
        let found = table.get(usize::from(*byte)).copied().unwrap_or_default();
        *inside = if found & bit == 0 { 0xff } else { 0 };
    }
    inside
}

/// 0xff for each row whose code is in the set, 0 for the others; `pieces` make up its table, which covers every code.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
pub(super) fn inside(places: &Places, pieces: &[[u8; PIECE]]) -> Bytes {
    use bytemuck::cast;
    use core::arch::wasm32::{i8x16_eq, i8x16_splat, i8x16_sub, i8x16_swizzle, v128, v128_and, v128_or};

    let none = i8x16_splat(0);
    let step = i8x16_splat(PIECE as i8);
    let [mut a, mut b, mut c, mut d]: Bytes = cast(places.bytes);
    let mut found = lanes::all(0);
    for piece in pieces {
        let piece: v128 = cast(*piece);
        let [e, f, g, h] = found;
        // A swizzle gives 0 where the index is not below 16.
        found = [
            v128_or(e, i8x16_swizzle(piece, a)),
            v128_or(f, i8x16_swizzle(piece, b)),
            v128_or(g, i8x16_swizzle(piece, c)),
            v128_or(h, i8x16_swizzle(piece, d)),
        ];
        a = i8x16_sub(a, step);
        b = i8x16_sub(b, step);
        c = i8x16_sub(c, step);
        d = i8x16_sub(d, step);
    }
    let [a, b, c, d]: Bytes = cast(places.bits);
    let [e, f, g, h] = found;
    [
        i8x16_eq(v128_and(e, a), none),
        i8x16_eq(v128_and(f, b), none),
        i8x16_eq(v128_and(g, c), none),
        i8x16_eq(v128_and(h, d), none),
    ]
}
